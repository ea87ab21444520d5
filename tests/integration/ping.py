"""A client that does nothing but ask whether the broker is there.

usage: ping.py PORT FILE PASSWORD

Writes the milliseconds that each answer took to FILE, a line each, until it is ended.
"""
import sys
import time

import wire

EVERY_S = 0.02


def main(port, path, password):
    connection, stream = wire.open_client(port, "pinger", password)
    with open(path, "w", buffering=1, encoding="ascii") as out:
        while True:
            began = time.monotonic()
            connection.sendall(wire.packet(wire.PINGREQ))
            if stream.next() is None:
                return 1
            out.write(f"{(time.monotonic() - began) * 1000:.0f}\n")
            time.sleep(EVERY_S)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
