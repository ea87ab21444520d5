"""Clients that come with a large last will and die.

usage: site-wills.py PORT USER PASSWORD CLIENTS BYTES

Each will is retained, on an events topic of its own. The clients come a few at a time, with MQTT
3.1.1; one of DELAYED_OF has MQTT 5 and a will that the broker delays for a second, and keeps until
then. Prints how many of them the broker let in.
"""
import socket
import struct
import sys

import wire

AT_ONCE = 20
DELAYED_OF = 20
DELAY_S = 1
SESSION_S = 5


def connect(name, user, password, size, five):
    """A CONNECT with a last will, and a keep-alive that is none."""
    properties = wire.length(5) + struct.pack(">BI", 0x11, SESSION_S) if five else b""
    of_will = wire.length(5) + struct.pack(">BI", 0x18, DELAY_S) if five else b""
    return wire.packet(
        wire.CONNECT,
        wire.text("MQTT") + bytes([5 if five else 4, 0xE6, 0, 0]) + properties + wire.text(name)
        + of_will + wire.text(f"/devices/{name}/events/will") + wire.text(b"w" * size)
        + wire.text(user) + wire.text(password))


def main(port, user, password, clients, size):
    let_in = 0
    for first in range(0, clients, AT_ONCE):
        crowd = []
        for i in range(first, min(first + AT_ONCE, clients)):
            connection = socket.create_connection(("127.0.0.1", port), 60)
            connection.sendall(connect(f"dies{i}", user, password, size, i % DELAYED_OF == 1))
            crowd.append(connection)
        for connection in crowd:
            answer = wire.Stream(connection).next()
            let_in += answer is not None and answer[1][1] == 0
        for connection in crowd:
            connection.close()
    print(let_in)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
