"""A local device that publishes what it must not, by hand.

usage: site-attack.py PORT PASSWORD

As the device `one`, a connection each; none of it may be taken for the cloud. Prints what was
acknowledged though it was to be refused. Exit status 0 when nothing was.
"""
import socket
import sys

import wire

DEVICES = b"/devices/"
REFUSED = {
    "another's events": b"/devices/two/events",
    "a device's config": b"/devices/one/config",
    "a NUL in the device": b"/devices/o\x00ne/events",
    "a NUL behind": b"/devices/one/events\x00/x",
    "a wildcard for the device": b"/devices/+/events",
    "a wildcard behind": b"/devices/one/events/#",
    "no UTF-8": b"/devices/one/events/\xff\xfe",
    "overlong UTF-8": b"/devices/one/events/\xc0\xaf",
    "a surrogate": b"/devices/one/events/\xed\xa0\x80",
    "UTF-8 cut off": b"/devices/one/events/\xe2\x82",
    "a control character": b"/devices/one/events/\x01",
    "a letter beyond ASCII": "/devices/one/events/é".encode(),
    "dots for a device": b"/devices/../events",
    "no device": b"/devices//events",
    "a long device": DEVICES + b"d" * 300 + b"/events",
    "64 KB of a folder": b"/devices/one/events/" + b"x" * 65000,
    "64 KB of slashes": b"/devices/one/events" + b"/" * 65000,
    "64 KB of a device": DEVICES + b"d" * 65000,
}


def taken(port, password, topic, payload=b"planted"):
    """Whether the broker acknowledges it; else it closes the connection."""
    connection, stream = wire.open_client(port, "one", password)
    try:
        connection.sendall(wire.publish(topic, payload, 7))
        answer = stream.next()
    except ConnectionError:
        answer = None
    connection.close()
    return answer is not None and answer[0] >> 4 == wire.PUBACK


def crowd(port, password):
    """400 clients that each ask to be attached with as much as they may: how many are taken."""
    clients, n = [], 0
    for i in range(400):
        connection = socket.create_connection(("127.0.0.1", port), 30)
        clients.append(connection)
        name = f"crowd{i}"
        connection.sendall(
            wire.packet(wire.CONNECT, wire.text("MQTT") + bytes([4, 0xC2, 0, 0])
                        + wire.text(name) + wire.text("one") + wire.text(password))
            + wire.publish(f"/devices/{name}/attach", b"x" * 17 * 1024, 7))
        stream = wire.Stream(connection)
        stream.next()
        n += stream.next() is not None
    for connection in clients:
        connection.close()
    return n


def main(port, password):
    bad = [what for what, topic in REFUSED.items() if taken(port, password, topic)]
    for size in (256 * 1024 + 1, 1 << 20, 8 << 20):
        if taken(port, password, b"/devices/one/events", b"planted" * (size // 7 + 1)):
            bad.append(f"{size} bytes")
    for topic in (b"$SYS/broker/uptime", b"$share/g/devices", b"$p11-site/x", b""):
        taken(port, password, topic)
    attached = crowd(port, password)
    if not 300 < attached < 400:
        bad.append(f"the attaches of {attached} clients of 400")
    print("\n".join(bad))
    # Much at once of what is allowed is taken, all of it.
    connection, stream = wire.open_client(port, "one", password)
    for first in range(0, 5000, 500):
        connection.sendall(b"".join(
            wire.publish("/devices/one/events/flood", b"f", number + 1)
            for number in range(first, first + 500)))
        for _ in range(500):
            if stream.next() is None:
                return 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
