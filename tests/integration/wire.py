"""MQTT's packets by hand, for what no client library would send or answer."""
import socket
import struct

CONNECT, CONNACK, PUBLISH, PUBACK = 1, 2, 3, 4
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14


def length(n):
    """A remaining length."""
    out = bytearray()
    while True:
        n, digit = divmod(n, 128)
        out.append(digit | (0x80 if n else 0))
        if not n:
            return bytes(out)


def text(value):
    """A string, or any bytes in its place, with its length before it."""
    if isinstance(value, str):
        value = value.encode()
    return struct.pack(">H", len(value)) + value


def packet(kind, body=b"", flags=0):
    return bytes([kind << 4 | flags]) + length(len(body)) + body


def connect(name, password=None):
    """A CONNECT of MQTT 3.1.1, without keep-alive; with a password the name is the user's too."""
    body = text("MQTT") + bytes([4, 0xC2 if password else 2, 0, 0]) + text(name)
    return packet(CONNECT, body + (text(name) + text(password) if password else b""))


def publish(topic, payload, number, more=b""):
    """A PUBLISH with QoS 1; `more` are MQTT 5's properties with their length."""
    return packet(PUBLISH, text(topic) + struct.pack(">H", number) + more + payload, 2)


class Stream:
    """The packets that come over a connection."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = bytearray()

    def take(self):
        """The next whole packet of what has come: its first byte and its body; None without."""
        size, shift, at = 0, 0, 1
        while True:
            if at >= len(self.buffer):
                return None
            digit = self.buffer[at]
            size |= (digit & 0x7F) << shift
            shift += 7
            at += 1
            if not digit & 0x80:
                break
        if len(self.buffer) < at + size:
            return None
        first, body = self.buffer[0], bytes(self.buffer[at : at + size])
        del self.buffer[: at + size]
        return first, body

    def next(self):
        """Waits for the next packet; None when the other side has closed."""
        while True:
            got = self.take()
            if got:
                return got
            try:
                more = self.connection.recv(65536)
            except ConnectionError:
                return None
            if not more:
                return None
            self.buffer += more


def open_client(port, name, password=None, wait_s=30):
    """A client's connection, once the broker has let it in: its socket and its stream."""
    connection = socket.create_connection(("127.0.0.1", port), wait_s)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(connect(name, password))
    stream = Stream(connection)
    answer = stream.next()
    if answer is None or answer[0] >> 4 != CONNACK or answer[1][1]:
        raise ConnectionError(f"{name} is not let in: {answer}")
    return connection, stream
