"""Clients that are no good to an HTTP server: they connect, ask half a question, and wait.

usage: slow-http.py PORT N     N connections at any time, each with half a request; prints "open"
                               for each that is
       slow-http.py PORT drip  a byte of a request each half second, until it is cut off
       slow-http.py PORT -     sends standard input, prints what comes back until the end
"""
import select
import selectors
import socket
import sys


def slow(port, n):
    waiting = selectors.DefaultSelector()
    while True:
        while len(waiting.get_map()) < n:
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", port))
            waiting.register(connection, selectors.EVENT_WRITE)
        for key, events in waiting.select():
            try:
                if events & selectors.EVENT_WRITE:
                    key.fileobj.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                    print("open", flush=True)
                    waiting.modify(key.fileobj, selectors.EVENT_READ)
                elif not key.fileobj.recv(65536):
                    raise ConnectionResetError
            except OSError:
                waiting.unregister(key.fileobj)
                key.fileobj.close()


def drip(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            while True:
                connection.sendall(b"x")
                if select.select([connection], [], [], 0.5)[0] and not connection.recv(65536):
                    return
        except OSError:
            return


def once(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            connection.sendall(sys.stdin.buffer.read())
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                sys.stdout.buffer.write(data)
        except OSError:
            pass


if __name__ == "__main__":
    if sys.argv[2] == "-":
        once(int(sys.argv[1]))
    elif sys.argv[2] == "drip":
        drip(int(sys.argv[1]))
    else:
        slow(int(sys.argv[1]), int(sys.argv[2]))
