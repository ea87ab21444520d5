"""A client that publishes to more than one topic over one connection.

usage: speak.py PORT CLIENT-ID PASSWORD

Each line of its input is a topic, a space and a payload, sent with QoS 1.
"""
import sys

import wire


def main(port, name, password):
    connection, _ = wire.open_client(port, name, password)
    for number, line in enumerate(sys.stdin, 1):
        topic, payload = line.rstrip("\n").split(" ", 1)
        connection.sendall(wire.publish(topic, payload.encode(), number))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
