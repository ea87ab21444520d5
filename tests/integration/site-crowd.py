"""Many local devices at once: all connect, each publishes one message, and all stay until the end.

usage: site-crowd.py PORT N EVENTS

Devices are crowd-0 to crowd-(N-1); each message is its device's name. The first EVENTS of them
publish events of their own, the others to building/NAME. Prints "connected", "taken"
when every message has its PUBACK, and goes when its input ends.
"""
import resource
import selectors
import socket
import sys
import time

import wire

WAIT_S = 120


def open_all(port, n, ready):
    streams = []
    for i in range(n):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(wire.connect(f"crowd-{i}"))
        stream = wire.Stream(connection)
        stream.name = f"crowd-{i}"
        ready.register(connection, selectors.EVENT_READ, stream)
        streams.append(stream)
    return streams


def await_all(ready, n, kind):
    """One packet of this kind, with success, from each."""
    end = time.monotonic() + WAIT_S
    while n:
        if time.monotonic() > end:
            sys.exit(f"{n} answers are missing")
        for key, _ in ready.select(1):
            stream = key.data
            more = stream.connection.recv(4096)
            if not more:
                sys.exit(f"the broker closed the connection of {stream.name}")
            stream.buffer += more
            got = stream.take()
            if got and (got[0] >> 4 != kind or kind == wire.CONNACK and got[1][1]):
                sys.exit(f"{stream.name}: {got}")
            n -= got is not None


def main(port, n, events):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    ready = selectors.DefaultSelector()
    streams = open_all(port, n, ready)
    await_all(ready, n, wire.CONNACK)
    print("connected", flush=True)
    for i, stream in enumerate(streams):
        topic = f"/devices/{stream.name}/events" if i < events else f"building/{stream.name}"
        stream.connection.sendall(wire.publish(topic, stream.name.encode(), 1))
    await_all(ready, n, wire.PUBACK)
    print("taken", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
