"""A cloud's broker that does what it must not, or what it may.

usage: hostile-cloud.py PORT FOLDER [CERTIFICATE KEY]

How it behaves is the first word in FOLDER/mode, which is read again all the time: when it changes,
all connections are closed. FOLDER/served has a line for each that came ("connection MODE") and for
what happened on it; FOLDER/received the first word of each PUBLISH that was acknowledged with success.
With a certificate it speaks TLS, but where the mode is about what comes before.
"""
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time

import wire

LOOK_EVERY_S = 0.02
GARBAGE = bytes(range(256)) * 16
OK5 = b"\x00"

# Clears the screen, sets a title, one byte of C1, DEL, and turns the order of writing.
EVIL = "a\x1b[2J\x1b]0;title\x07\u009b1m\x7f\u202ez"
BEFORE_TLS = ("silent", "half-tls", "garbage-first", "close-first")

# What a broker reads that then never reads again, and what its system takes in its place.
READS_BYTES = 300000
RECEIVE_BUFFER = 4096


class Served:
    """One connection of the gateway's."""

    def __init__(self, server, connection, mode):
        self.server, self.connection = server, connection
        self.whole_mode = mode
        self.mode, _, self.argument = mode.partition(":")
        self.stream = wire.Stream(connection)
        self.version = 4
        self.taken = 0
        self.ends = False

    @property
    def code(self):
        """The mode's argument, when it is a code."""
        return int(self.argument, 0)

    @property
    def bytes(self):
        """The same, when it is bytes."""
        return bytes.fromhex(self.argument)

    def send(self, data):
        self.connection.sendall(data)

    def answer(self, kind, number, code=None):
        """PUBACK and its like; MQTT 5 has properties, and a reason where it is not success."""
        body = struct.pack(">H", number)
        if self.version == 5 and kind == wire.PUBACK and code is not None:
            body += bytes([code])
        self.send(wire.packet(kind, body))

    def run(self):
        if self.mode == "silent":
            self.wait()
        elif self.mode == "half-tls":
            # A ServerHello that never comes to its end.
            self.send(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")
            self.wait()
        elif self.mode == "garbage-first":
            self.send(GARBAGE)
            self.wait()
        elif self.mode == "close-first":
            pass
        else:
            self.speak()

    def wait(self):
        while self.connection.recv(65536):
            pass

    def speak(self):
        first = self.stream.next()
        if first is None or first[0] >> 4 != wire.CONNECT:
            return
        self.version = first[1][6]
        code = self.code if self.mode == "connack" else 0
        if self.mode in ("connack-long", "connack-is"):
            self.send(self.bytes if self.argument else b"\x20\xff\xff\xff\xff\xff\xff\x00")
            self.wait()
            return
        if self.mode == "only-3.1.1" and self.version == 5:
            if self.argument == "connack":
                self.send(wire.packet(wire.CONNACK, b"\0\1"))
            return
        properties = b"\x02\x24\x00" if self.mode == "qos0" else OK5
        self.send(wire.packet(wire.CONNACK, bytes([0, code]) + (properties if self.version == 5 else b"")))
        if self.mode in ("connack", "close-at-once"):
            return
        if self.mode == "half-close":
            self.connection.shutdown(socket.SHUT_WR)
            self.wait()
            return
        while True:
            got = self.stream.next()
            if got is None:
                return
            self.taken += len(got[1])
            if self.mode == "stops-reading" and self.taken > READS_BYTES:
                self.stop_reading()
                return
            self.take(got[0], got[1])
            if self.ends:
                return

    def stop_reading(self):
        """Until something else is wanted; its system takes as little as it can."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.server.note("reads no more")
        while self.server.mode() == self.whole_mode:
            time.sleep(LOOK_EVERY_S)

    def take(self, first, body):
        kind = first >> 4
        if kind == wire.PUBLISH:
            self.take_publish(first, body)
        elif kind in (wire.SUBSCRIBE, wire.UNSUBSCRIBE):
            self.take_subscribe(kind, body)
        elif kind == wire.PINGREQ:
            self.send(wire.packet(wire.PINGRESP))

    def take_subscribe(self, kind, body):
        number = struct.unpack(">H", body[:2])[0]
        at, n = 2, 0
        if self.version == 5:
            at += 1 + body[2]
        while at < len(body):
            at += 2 + struct.unpack(">H", body[at : at + 2])[0] + (kind == wire.SUBSCRIBE)
            n += 1
        if self.mode == "no-suback":
            return
        code = 0x80 if self.mode == "suback-fails" else 1
        if self.mode == "suback":
            code = self.code
        answer = struct.pack(">H", number) + (OK5 if self.version == 5 else b"")
        if self.mode == "suback-few" and n > 1:
            n -= 1
        elif self.mode == "suback-many":
            n += 1
        elif self.mode == "suback-none":
            n = 0
        if kind == wire.SUBSCRIBE:
            self.send(wire.packet(wire.SUBACK, answer + bytes([code]) * n))
        else:
            self.send(wire.packet(wire.UNSUBACK, answer + (b"\x00" * n if self.version == 5 else b"")))
        self.server.note("subscribed")
        self.after_subscribe()

    def after_subscribe(self):
        if self.mode == "garbage-after":
            self.send(GARBAGE)
        elif self.mode == "too-long":
            self.send(b"\x30\xff\xff\xff\xff\xff\x01")
        elif self.mode == "never-ends":
            self.send(b"\x30\x80\x80\x80\x05\x00\x10")
        elif self.mode == "too-large":
            self.send(b"\x30\xff\xff\xff\x7f\x00\x10")
        elif self.mode == "sends":
            self.send(self.bytes)
        elif self.mode == "cut":
            self.send(b"\x30\x40\x00\x10/devices")
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
        elif self.mode == "goodbye":
            self.send(wire.packet(wire.DISCONNECT, bytes([self.code, 0])))
        elif self.mode == "flood":
            self.flood()
        elif self.mode == "escapes":
            self.publish(b"/devices/gw1/errors", json.dumps({
                "error_type": EVIL, "device_id": "thermo", "description": EVIL}).encode())
            self.publish(b"/devices/gw1/errors", json.dumps({
                "error_type": EVIL, "device_id": EVIL, "description": "\u00e4" * 400}).encode(), 2)
            self.server.note("said evil")
        elif self.mode == "topics":
            self.topics()

    def publish(self, topic, payload=b"hostile", number=1):
        self.send(wire.publish(topic, payload, number, OK5 if self.version == 5 else b""))

    def flood(self):
        """Commands of 10 KB, as fast as they go; what the gateway says meanwhile is read."""
        payload = b"f" * 10000
        self.connection.setblocking(True)
        packet = b"".join(
            wire.publish("/devices/gw1/commands/flood", payload, n, OK5 if self.version == 5 else b"")
            for n in range(1, 101))
        end = time.monotonic() + 3
        while time.monotonic() < end:
            self.send(packet)
            while select.select([self.connection], [], [], 0)[0]:
                if not self.connection.recv(1 << 20):
                    return
        self.server.note("flooded")

    def topics(self):
        long = b"/devices/gw1/commands/" + b"x" * 65000
        for number, topic in enumerate([
                b"/devices/gw1/commands/\xff\xfe", b"/devices/gw1/commands/\xed\xa0\x80",
                b"/devices/gw1/commands/#", b"/devices/+/config", b"#", b"", b"/", b"$SYS/x",
                b"/devices/gw1/commands/\x00", b"/devices/\x00/config", b"/devices/gw1/commands/\x01",
                b"/devices/" + b"d" * 300 + b"/config", b"/devices//config", long,
                b"/devices/gw1/config/more", b"/devices/gw1/attach", b"/devices/gw1/errors"], 1):
            self.publish(topic, number=number)
        self.publish(b"/devices/gw1/errors", b'{"error_type":5,"device_id":{},"description":[]}', 90)
        self.publish(b"/devices/gw1/errors", b"[" * 100000, 91)
        self.strangers()
        self.publish(b"/devices/gw1/commands/last", b"the last", 92)

    def forbid(self, number):
        """As the mode's argument says: close, goodbye=CODE in a DISCONNECT, or puback=CODE."""
        how, _, code = self.argument.partition("=")
        self.server.note("forbidden")
        if how == "puback":
            self.answer(wire.PUBACK, number, int(code, 0))
            return
        if how == "goodbye":
            self.send(wire.packet(wire.DISCONNECT, bytes([int(code, 0), 0])))
        self.ends = True

    def strangers(self):
        """What is not for the gateway, nor for a device that it attached: thermo it did, in the end."""
        for number, topic in enumerate([
                b"/devices/stranger/config", b"/devices/stranger/commands/do", b"/devices/../config",
                b"/devices/stranger/errors", b"/devices/x/config", b"/devices/goog-x/config",
                b"/devices/1/config", b"/devices/stranger/events", b"/devices/stranger/state"], 20):
            self.publish(topic, b"planted", number)
        self.publish(b"/devices/gw1/config", b"planted" + b"x" * 65536, 40)
        self.publish(b"/devices/gw1/commands/large", b"planted" + b"x" * 262144, 41)
        self.publish(b"/devices/gw1/config", b"its own", 42)
        self.publish(b"/devices/thermo/config", b"for thermo", 43)
        self.publish(b"/devices/thermo/commands/do", b"this", 44)

    def take_publish(self, first, body):
        qos = first >> 1 & 3
        size = struct.unpack(">H", body[:2])[0]
        at = 2 + size
        number = struct.unpack(">H", body[at : at + 2])[0] if qos else 0
        at += 2 if qos else 0
        if self.version == 5:
            at += 1 + body[at]
        topic, payload = body[2 : 2 + size].decode(), body[at:]
        self.server.note(f"publish {topic}")
        if self.mode == "qos0":
            self.ends = qos > 0
            self.server.keep(payload)
            return
        if not qos and self.mode == "forbids" and "forbidden" in topic:
            self.ends = True
        if self.mode == "no-puback" or not qos:
            return
        if self.mode == "forbids" and "forbidden" in topic:
            self.forbid(number)
            return
        if self.mode == "puback":
            self.answer(wire.PUBACK, number, self.code)
            return
        if self.mode == "strange-acks":
            for strange in (0, number ^ 0x5555, 65535):
                self.answer(wire.PUBACK, strange)
                self.send(wire.packet(5, struct.pack(">H", strange)))
                self.send(wire.packet(wire.SUBACK, struct.pack(">H", strange) + b"\x00\x00"))
        if not topic.endswith(("/attach", "/detach")):
            self.server.keep(payload)
        self.answer(wire.PUBACK, number)


class Server:
    def __init__(self, port, folder, certificate=None, key=None):
        self.port, self.folder = port, folder
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate, key)
        self.lock = threading.Lock()
        self.served = open(os.path.join(folder, "served"), "a", buffering=1, encoding="utf-8")
        self.received = open(os.path.join(folder, "received"), "a", buffering=1, encoding="utf-8")
        self.connections = set()

    def note(self, line):
        with self.lock:
            self.served.write(line + "\n")

    def keep(self, payload):
        with self.lock:
            self.received.write(payload.decode(errors="replace").split(" ")[0] + "\n")

    def mode(self):
        with open(os.path.join(self.folder, "mode"), encoding="ascii") as file:
            return file.read().strip()

    def serve(self, connection, mode):
        spoken = connection
        try:
            if self.tls and mode not in BEFORE_TLS:
                spoken = self.tls.wrap_socket(
                    connection.dup(), server_side=True, suppress_ragged_eofs=True)
            Served(self, spoken, mode).run()
        except (OSError, struct.error, IndexError):
            pass
        with self.lock:
            self.connections.discard(connection)
        connection.close()
        spoken.close()

    def close_all(self):
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def listen(self):
        listening = socket.create_server(("127.0.0.1", self.port))
        listening.settimeout(LOOK_EVERY_S)
        return listening

    def run(self):
        mode, listening = "", None
        while True:
            newer = self.mode()
            if newer and newer != mode:
                mode = newer
                self.close_all()
                self.note(f"mode {mode}")
            if mode == "refuse" and listening:
                listening.close()
                listening = None
            if mode == "refuse":
                time.sleep(LOOK_EVERY_S)
                continue
            listening = listening or self.listen()
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            self.note(f"connection {mode}")
            connection.settimeout(None)
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self.serve, args=(connection, mode), daemon=True).start()


if __name__ == "__main__":
    Server(int(sys.argv[1]), *sys.argv[2:]).run()
