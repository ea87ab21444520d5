"""A device, a gateway and strangers that try to fill the audit with their own lines.

usage: broker-audit.py subscribe|unsubscribe|reconnect|attach|refused PORT CLIENT-ID PASSWORD N [DEVICE]

subscribe, unsubscribe  N filters, of the config of DEVICE
reconnect               N connections, one after the other
attach                  DEVICE is attached and detached N times, and attaches of an unknown device
                        are refused as often
refused                 N connections with CLIENT-ID and a wrong password, several at a time

Prints how many of them the broker answered before it closed the connection.
"""
import socket
import struct
import sys

import wire

FILTERS = 100
WAIT_S = 120
AT_ONCE = 20


def count(stream, kind, wanted):
    """Waits for so many packets of a kind; fewer when the broker closes the connection."""
    seen = 0
    while seen < wanted:
        got = stream.next()
        if got is None:
            break
        seen += got[0] >> 4 == kind
    return seen


def answered_batches(connection, stream, batches, answer, wanted):
    """Sends each batch once the one before has as many answers as wanted. Returns how many had."""
    answered = 0
    for batch in batches:
        connection.sendall(batch)
        if count(stream, answer, wanted) < wanted:
            break
        answered += 1
    connection.close()
    return answered


def filters(kind, answer, port, name, password, n, device):
    """Many filters in a packet: each is one for the broker. An answer comes for each packet."""
    connection, stream = wire.open_client(port, name, password, WAIT_S)
    topic = wire.text(f"/devices/{device}/config")
    body = (topic + b"\0" if kind == wire.SUBSCRIBE else topic) * FILTERS
    packets = (
        wire.packet(kind, struct.pack(">H", number) + body, 2)
        for number in range(1, n // FILTERS + 1)
    )
    return FILTERS * answered_batches(connection, stream, packets, answer, 1)


def reconnect(port, name, password, n):
    answered = 0
    for _ in range(n):
        wire.open_client(port, name, password, WAIT_S)[0].close()
        answered += 1
    return answered


def attach(port, name, password, n, device):
    connection, stream = wire.open_client(port, name, password, WAIT_S)
    batch = [
        wire.publish(f"/devices/{who}/{what}", b"", 3 * number + i + 1)
        for number in range(AT_ONCE)
        for i, (who, what) in enumerate(
            [(device, "attach"), (device, "detach"), ("nobody", "attach")]
        )
    ]
    batches = [b"".join(batch)] * (n // AT_ONCE)
    return AT_ONCE * answered_batches(connection, stream, batches, wire.PUBACK, len(batch))


def refused(port, name, password, n):
    answered = 0
    for _ in range(n // AT_ONCE):
        crowd = []
        for _ in range(AT_ONCE):
            connection = socket.create_connection(("127.0.0.1", port), WAIT_S)
            connection.sendall(wire.connect(name, password))
            crowd.append(connection)
        for connection in crowd:
            answer = wire.Stream(connection).next()
            answered += bool(answer and answer[0] >> 4 == wire.CONNACK and answer[1][1])
            connection.close()
    return answered


def main(what, port, name, password, n, device=None):
    args = int(port), name, password, int(n)
    if what == "subscribe":
        print(filters(wire.SUBSCRIBE, wire.SUBACK, *args, device))
    elif what == "unsubscribe":
        print(filters(wire.UNSUBSCRIBE, wire.UNSUBACK, *args, device))
    elif what == "reconnect":
        print(reconnect(*args))
    elif what == "attach":
        print(attach(*args, device))
    else:
        print(refused(*args))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
