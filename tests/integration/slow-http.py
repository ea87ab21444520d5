"""Clients that are no good to an HTTP server: they connect, ask half a question, and wait.

usage: slow-http.py PORT N     N connections, each with half a request; prints "open" when all are
       slow-http.py PORT -     sends standard input, prints what comes back until the end
"""
import signal
import socket
import sys


def slow(port, n):
    connections = []
    for _ in range(n):
        connections.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        connections[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    print("open", flush=True)
    signal.pause()


def once(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            connection.sendall(sys.stdin.buffer.read())
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                sys.stdout.buffer.write(data)
        except (ConnectionResetError, BrokenPipeError):
            pass


if __name__ == "__main__":
    if sys.argv[2] == "-":
        once(int(sys.argv[1]))
    else:
        slow(int(sys.argv[1]), int(sys.argv[2]))
