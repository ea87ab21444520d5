"""A well-behaved client beside an attack: publishes events over QoS 1 and sends pings in turn.

usage: innocent.py PORT CLIENT-ID DEVICE FILE [PASSWORD]

Publishes the numbers 1, 2, ... to /devices/DEVICE/events. Writes a line to FILE for each answer:
"ping MS" or "publish MS", with the milliseconds that the answer took. On SIGTERM it waits for the
last answer, prints the last number that was acknowledged and exits with 0. When the broker closes
the connection or does not answer within WAIT_S it prints why and exits with 1.
"""
import signal
import sys
import time

import wire

EVERY_S = 0.02
WAIT_S = 60

ending = False


def end(number, frame):
    """Only sets a flag: a signal may come while the program holds any lock."""
    global ending
    ending = True


def ask(connection, stream, request, kind):
    """Sends a packet and waits for its answer. Returns the milliseconds that it took."""
    began = time.monotonic()
    connection.sendall(request)
    while True:
        answer = stream.next()
        if answer is None:
            raise ConnectionError("the broker closed the connection")
        if answer[0] >> 4 == kind:
            return (time.monotonic() - began) * 1000


def main(port, client_id, device, path, password=None):
    signal.signal(signal.SIGTERM, end)
    connection, stream = wire.open_client(int(port), client_id, password)
    connection.settimeout(WAIT_S)
    number = 0
    with open(path, "w", buffering=1, encoding="ascii") as out:
        while not ending:
            try:
                ms = ask(connection, stream, wire.packet(wire.PINGREQ), wire.PINGRESP)
                out.write(f"ping {ms:.2f}\n")
                event = wire.publish(
                    f"/devices/{device}/events", str(number + 1).encode(), number % 65535 + 1
                )
                ms = ask(connection, stream, event, wire.PUBACK)
            except OSError as error:
                print(f"{error} after event {number}")
                return 1
            number += 1
            out.write(f"publish {ms:.2f}\n")
            time.sleep(EVERY_S)
    connection.sendall(wire.packet(wire.DISCONNECT))
    print(number)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
