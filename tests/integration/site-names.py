"""A crowd of new device names: each connects to the site's broker, publishes one event and leaves.

usage: site-names.py PORT N [AT-ONCE]

The names are name-0 to name-(N-1); an event is its device's name. AT-ONCE connections (default: 50)
are open at the same time: the kernel keeps 100 waiting for mosquitto, and delays others by a second. Prints "accepted A refused R": events that the broker acknowledged, and
connections that it closed instead. Exits with 1 when neither comes within WAIT_S.
"""
import selectors
import socket
import struct
import sys
import time

import wire

WAIT_S = 60
# The connection ends with a reset: none is kept waiting for late packets.
RESET = struct.pack("ii", 1, 0)


class Crowd:
    """All connections that are open, and what became of the others."""

    def __init__(self, port, n):
        self.port, self.names = port, iter(range(n))
        self.ready = selectors.DefaultSelector()
        self.open = self.accepted = self.refused = 0

    def begin(self):
        """The next name connects. Returns whether there was one."""
        i = next(self.names, None)
        if i is None:
            return False
        name = f"name-{i}"
        connection = socket.create_connection(("127.0.0.1", self.port), WAIT_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        event = wire.publish(f"/devices/{name}/events", name.encode(), 1)
        connection.sendall(wire.connect(name) + event)
        self.ready.register(connection, selectors.EVENT_READ, wire.Stream(connection))
        self.open += 1
        return True

    def end(self, stream, accepted):
        self.ready.unregister(stream.connection)
        stream.connection.close()
        self.open -= 1
        self.accepted += accepted
        self.refused += not accepted

    def read(self, stream):
        try:
            more = stream.connection.recv(4096)
        except ConnectionError:
            more = b""
        stream.buffer += more
        while got := stream.take():
            if got[0] >> 4 == wire.PUBACK:
                self.end(stream, True)
                return
        if not more:
            self.end(stream, False)


def main(port, n, at_once=50):
    crowd = Crowd(port, n)
    heard = time.monotonic()
    while True:
        while crowd.open < at_once and crowd.begin():
            pass
        if not crowd.open:
            break
        events = crowd.ready.select(1)
        for key, _ in events:
            crowd.read(key.data)
        if events:
            heard = time.monotonic()
        elif time.monotonic() - heard > WAIT_S:
            print(f"{crowd.open} answers are missing")
            return 1
    print(f"accepted {crowd.accepted} refused {crowd.refused}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
