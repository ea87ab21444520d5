"""A device that publishes large events over QoS 1 as fast as the broker acknowledges them.

usage: flood.py PORT CLIENT-ID DEVICE COUNT BYTES PASSWORD

Exits with 0 when all are acknowledged. When the broker closes the connection it prints why and exits
with 1.
"""
import sys

import wire

WINDOW = 16


def main(port, client_id, device, count, size, password):
    connection, stream = wire.open_client(int(port), client_id, password)
    connection.settimeout(60)
    payload = b"x" * int(size)
    sent = acknowledged = 0
    try:
        while acknowledged < int(count):
            if sent < int(count) and sent - acknowledged < WINDOW:
                number = sent % 65535 + 1
                connection.sendall(wire.publish(f"/devices/{device}/events", payload, number))
                sent += 1
                continue
            answer = stream.next()
            if answer is None:
                raise ConnectionError("the broker closed the connection")
            acknowledged += answer[0] >> 4 == wire.PUBACK
    except OSError as error:
        print(f"{error} after {acknowledged} events")
        return 1
    connection.sendall(wire.packet(wire.DISCONNECT))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
