"""What a service tells systemd (sd_notify(3)), heard in its place.

usage: notify.py NAME    listens at NAME, a path or @ and a name without a file; prints each datagram
                         on a line: microseconds of the monotonic clock, what it says
"""
import socket
import sys
import time

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
    listening.bind("\0" + sys.argv[1][1:] if sys.argv[1][0] == "@" else sys.argv[1])
    print("listening", flush=True)
    while True:
        said = listening.recv(65536).decode().rstrip("\n").replace("\n", " ")
        print(time.monotonic_ns() // 1000, said, flush=True)
