"""Local devices under load: each counts up, over QoS 1, and notes what the broker acknowledged.

usage: load.py PORT RATE FILE FIRST DEVICE...

They count from FIRST on. Writes "DEVICE NUMBER" to FILE for each PUBACK, until it is told to end by
SIGTERM: then it sends nothing new, waits for what is in flight, says how many were acknowledged in a
second, and ends. A broker that goes is connected to again.
"""
import collections
import signal
import statistics
import sys
import threading
import time

import paho.mqtt.client as mqtt

WINDOW = 100
LAST_WAIT_S = 30

ending = threading.Event()


class Device:
    def __init__(self, name, port, first):
        self.name = name
        self.acknowledged = collections.deque()
        self.in_flight = {}
        self.number = first - 1
        self.client = mqtt.Client(client_id=name)
        self.client.max_inflight_messages_set(WINDOW)
        self.client.reconnect_delay_set(1, 1)
        # paho calls this with its own lock held: what it tells is looked at later.
        self.client.on_publish = lambda client, userdata, mid: self.acknowledged.append(mid)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def send(self):
        if len(self.in_flight) >= WINDOW:
            return
        self.number += 1
        info = self.client.publish(f"/devices/{self.name}/events", str(self.number), qos=1)
        self.in_flight[info.mid] = self.number

    def note(self, out):
        """Returns how many were acknowledged."""
        n = len(self.acknowledged)
        for _ in range(n):
            out.write(f"{self.name} {self.in_flight.pop(self.acknowledged.popleft())}\n")
        return n


def say_rate(seconds):
    """What came in each whole second; a broker that is away makes for poor ones."""
    whole = seconds[:-1] or seconds
    print(f"{statistics.mean(whole):.0f} a second, at its median {statistics.median(whole):.0f}")


def main(port, rate, path, first, names):
    signal.signal(signal.SIGTERM, lambda number, frame: ending.set())
    devices = [Device(name, port, first) for name in names]
    each = len(devices) / rate
    at = began = time.monotonic()
    until = None
    seconds = []
    with open(path, "a", buffering=1) as out:
        while until is None or (any(d.in_flight for d in devices) and time.monotonic() < until):
            for device in devices:
                if until is None:
                    device.send()
                seconds += [0] * (int(time.monotonic() - began) + 1 - len(seconds))
                seconds[-1] += device.note(out)
            if ending.is_set() and until is None:
                until = time.monotonic() + LAST_WAIT_S
                say_rate(seconds)
            at = max(at + each, time.monotonic() - 1)
            time.sleep(max(0, at - time.monotonic()))
    for device in devices:
        device.client.loop_stop()
    return 0 if not any(device.in_flight for device in devices) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5:]))
