"""A broker that lets clients in and resets their connections in the middle of what they send.

usage: hang-up.py [CERTIFICATE KEY]    prints its port, on 127.0.0.1; over TLS with a certificate
"""
import random
import socket
import ssl
import struct
import sys
import threading

CONNACK = b"\x20\x02\x00\x00"


def serve(connection, context):
    reset = struct.pack("ii", 1, 0)
    try:
        connection.settimeout(30)
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        connection.recv(4096)
        connection.sendall(CONNACK)
        left = random.randint(1, 1500)
        while left > 0:
            data = connection.recv(left)
            if not data:
                return
            left -= len(data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    except OSError:
        pass
    finally:
        connection.close()


def main(certificate):
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=serve, args=(connection, context), daemon=True).start()


main(sys.argv[1:])
