#!/usr/bin/python3
"""A device and a gateway as they were written for Cloud IoT Core, with clients that are not ours.

usage: iot-core.py PORT CA_FILE; in a folder with NAME.key for each device that is used. What an
operator does is done by p11-registry, as the environment says.
"""

import datetime
import json
import queue
import ssl
import subprocess
import sys
import time

import jwt
import paho.mqtt.client as mqtt

PROJECT = "test-project"
REGION = "us-central1"
WAIT_S = 20

failures = 0


def check(what, true, shown=None):
    global failures
    if true:
        print("ok:", what, flush=True)
        return
    failures += 1
    print("not ok:", what, "" if shown is None else repr(shown), flush=True)


def operator(*words, status=0):
    """p11-registry; what it printed. Its exit status must be the one named, None for any."""
    done = subprocess.run(["p11-registry", *words], capture_output=True, text=True, timeout=60)
    if status is not None and done.returncode != status:
        check(f"p11-registry {' '.join(words)} ends with {status}", False,
              (done.returncode, done.stderr))
    return done.stdout if status == 0 else done.stderr


def listed(*words):
    return json.loads(operator(*words, "--format=json"))


def wait_for(true):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return False


def token(name, alg, issued=-10, expires=1200, project=PROJECT):
    """A JSON Web Token as the samples make it, times in seconds from now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    with open(name + ".key", encoding="ascii") as file:
        key = file.read()
    made = jwt.encode({
        "iat": now + datetime.timedelta(seconds=issued),
        "exp": now + datetime.timedelta(seconds=expires),
        "aud": project,
    }, key, algorithm=alg)
    return made if isinstance(made, str) else made.decode("ascii")


class Client:
    """One connection: what comes is kept in queues."""

    def __init__(self, device, registry="reg", alg="ES256", version=mqtt.MQTTv311, key=None,
                 clean=True, issued=-10, expires=1200, keepalive=60):
        path = f"projects/{PROJECT}/locations/{REGION}/registries/{registry}/devices/{device}"
        options = {"client_id": path, "protocol": version}
        if version != mqtt.MQTTv5:
            options["clean_session"] = clean
        if hasattr(mqtt, "CallbackAPIVersion"):
            options["callback_api_version"] = mqtt.CallbackAPIVersion.VERSION1
        self.device = device
        self.version = version
        self.messages = queue.Queue()
        self.errors = queue.Queue()
        self.acked = set()
        self.granted = {}
        self.connected = None
        self.gone = False
        self.client = mqtt.Client(**options)
        self.client.username_pw_set("unused", token(key or device, alg, issued, expires))
        self.client.tls_set(ca_certs=sys.argv[2], tls_version=ssl.PROTOCOL_TLSv1_2)
        self.client.on_connect = self.on_connect
        self.client.on_disconnect = self.on_disconnect
        self.client.on_message = self.on_message
        self.client.on_publish = self.on_publish
        self.client.on_subscribe = self.on_subscribe
        self.client.reconnect_delay_set(60, 120)
        self.client.connect("127.0.0.1", int(sys.argv[1]), keepalive)
        self.client.loop_start()
        wait_for(lambda: self.connected is not None or self.gone)

    def on_connect(self, _client, _userdata, _flags, code, *_more):
        self.connected = int(code) if isinstance(code, int) else code.value

    def on_disconnect(self, *_more):
        self.gone = True

    def on_message(self, _client, _userdata, message):
        to = self.errors if message.topic.endswith("/errors") else self.messages
        to.put((message.topic, message.payload, message.qos))

    def on_publish(self, _client, _userdata, mid, *_more):
        self.acked.add(mid)

    def on_subscribe(self, _client, _userdata, mid, granted, *_more):
        self.granted[mid] = [g if isinstance(g, int) else g.value for g in granted]

    def publish(self, topic, payload="", qos=1, **more):
        """Waits for the PUBACK; whether it came."""
        mid = self.client.publish(topic, payload, qos=qos, **more).mid
        return wait_for(lambda: mid in self.acked or self.gone) and mid in self.acked

    def subscribe(self, topic, qos=1):
        """What the broker granted."""
        mid = self.client.subscribe(topic, qos)[1]
        wait_for(lambda: mid in self.granted or self.gone)
        return self.granted.get(mid, [None])[0]

    def next(self, errors=False, wait_s=WAIT_S):
        try:
            return (self.errors if errors else self.messages).get(timeout=wait_s)
        except queue.Empty:
            return (None, None, None)

    def next_error(self):
        payload = self.next(errors=True)[1]
        return json.loads(payload) if payload else {}

    def attach(self, device, body):
        return self.publish(f"/devices/{device}/attach", body)

    def is_closed(self):
        return wait_for(lambda: self.gone)

    def end(self):
        self.client.disconnect()
        self.client.loop_stop()


def give_config(device, text, registry="reg"):
    operator("devices", "configs", "update", f"--device={device}", f"--registry={registry}",
             f"--config-data={text}")


def send_command(device, text, *more, registry="reg", status=0):
    return operator("devices", "commands", "send", f"--device={device}", f"--registry={registry}",
                    f"--command-data={text}", *more, status=status)


def device_speaks(name, alg, version):
    one = Client(name, alg=alg, version=version)
    check(f"{name} connects", one.connected == 0, one.connected)
    check("config is granted QoS 1", one.subscribe(f"/devices/{name}/config") == 1)
    got = one.next()
    check("a config comes right after", got[0] == f"/devices/{name}/config", got)
    check("its first version is empty, with QoS 1", got[1:] == (b"", 1), got)
    give_config(name, "brightness=7")
    got = one.next()
    check("a new config comes", got[:2] == (f"/devices/{name}/config", b"brightness=7"), got)
    check("commands are granted", one.subscribe(f"/devices/{name}/commands/#", 0) == 0)
    said = send_command(name, "on", "--subfolder=lamp/left")
    check("who sends a command is told what was done", "QoS 0" in said, said)
    got = one.next()
    check("a command comes", got == (f"/devices/{name}/commands/lamp/left", b"on", 0), got)
    send_command(name, "off")
    got = one.next()
    check("and one without a subfolder", got[:2] == (f"/devices/{name}/commands", b"off"), got)
    check("telemetry has its PUBACK", one.publish(f"/devices/{name}/events", "warm"))
    check("so has a subfolder's", one.publish(f"/devices/{name}/events/a/b", "warmer"))
    check("QoS 0 is taken", one.publish(f"/devices/{name}/events", "tepid", qos=0))
    check("a state has its PUBACK", one.publish(f"/devices/{name}/state", "well"))
    states = listed("devices", "states", "list", f"--device={name}", "--registry=reg")
    check("and is kept", [s["binaryData"] for s in states] == ["d2VsbA=="], states)
    pulled = listed("pubsub", "subscriptions", "pull", "all", "--auto-ack", "--limit=10")
    seen = [(m["message"]["attributes"]["deviceId"], m["message"]["attributes"]["subFolder"],
             m["message"]["data"]) for m in pulled]
    check("telemetry is pulled in order", seen == [
        (name, "", "d2FybQ=="), (name, "a/b", "d2FybWVy"), (name, "", "dGVwaWQ=")], seen)
    def is_noted():
        about = listed("devices", "describe", name, "--registry=reg")
        return "lastEventTime" in about and "lastHeartbeatTime" in about \
            and "lastStateTime" in about and "lastConfigSendTime" in about
    check("the registry knows when", wait_for(is_noted))
    one.end()
    said = send_command(name, "late", status=1)
    check("a command to who is gone fails", "FAILED_PRECONDITION" in said, said)


def device_misbehaves(version):
    one = Client("dev", version=version)
    said = send_command("dev", "early", status=1)
    check("a command to who has not subscribed fails", "FAILED_PRECONDITION" in said, said)
    check("QoS 2 is granted as 1", one.subscribe("/devices/dev/config", 2) == 1)
    for topic in ("/devices/other/config", "/devices/dev/commands", "/devices/dev/commands/x",
                  "/devices/dev/errors", "#", "$SYS/#", "/devices/dev/events"):
        check(f"'{topic}' is not granted", (one.subscribe(topic) or 0) >= 128)
    check("the connection is open still", not one.gone)
    for topic in ("/devices/other/events", "/devices/dev/commands", "/devices/dev/nothing",
                  "/devices/other/attach", "/devices/dev/attach", "/devices/dev/events/a//b"):
        check(f"publishing to '{topic}' has no PUBACK", not one.publish(topic, "x"))
        check("and closes the connection", one.is_closed())
        one.end()
        one = Client("dev", version=version)
    one.publish("/devices/dev/events", "x", qos=2)
    check("QoS 2 closes the connection", one.is_closed())
    one.end()
    one = Client("dev", version=version)
    check("256 KB of telemetry are taken", one.publish("/devices/dev/events", "x" * 262144))
    check("and no byte more", not one.publish("/devices/dev/events", "x" * 262145))
    one.end()
    listed("pubsub", "subscriptions", "pull", "all", "--auto-ack", "--limit=100")
    one = Client("dev", version=version)
    two = Client("dev", version=version)
    check("a second connection takes over", one.is_closed() and two.connected == 0)
    check("and works", two.publish("/devices/dev/events", "x"))
    one.end()
    number = listed("devices", "describe", "dev", "--registry=reg")["numId"]
    three = Client(number, version=version, key="dev")
    check("a device connects by its number", three.connected == 0, three.connected)
    check("that too takes over", two.is_closed())
    check("its topics have the number", three.publish(f"/devices/{number}/events", "by number"))
    pulled = listed("pubsub", "subscriptions", "pull", "all", "--auto-ack", "--limit=100")
    check("the backend sees its id", pulled[-1]["message"]["attributes"]["deviceId"] == "dev")
    two.end()
    three.end()


def who_is_refused():
    check("a persistent session is refused", Client("dev", clean=False).connected == 5)
    check("an expired token is", Client("dev", issued=-5000, expires=-700).connected == 5)
    check("a token for 25 hours is", Client("dev", expires=90000).connected == 5)
    check("another device's key is", Client("dev", key="child-a").connected == 5)
    check("who is not there is", Client("nobody", key="dev").connected == 5)
    check("and a registry that is not", Client("dev", registry="nowhere").connected == 5)


def gateway_speaks(version):
    gateway = Client("gw-1", alg="RS256", version=version)
    check("a gateway connects", gateway.connected == 0, gateway.connected)
    check("errors are granted", gateway.subscribe("/devices/gw-1/errors", 0) == 0)
    check("an association-only device attaches",
          gateway.attach("child-a", json.dumps({"authorization": ""})))
    check("another with an empty payload", gateway.attach("child-b", ""))
    check("its config is granted", gateway.subscribe("/devices/child-a/config") == 1)
    got = gateway.next()
    check("it comes", got[0] == "/devices/child-a/config", got)
    check("its commands are granted", gateway.subscribe("/devices/child-a/commands/#") == 1)
    said = send_command("child-a", "blink")
    check("a command says through whom it went", "gateway 'gw-1'" in said, said)
    got = gateway.next()
    check("it comes", got == ("/devices/child-a/commands", b"blink", 1), got)
    check("telemetry for it is taken", gateway.publish("/devices/child-a/events/x", "a1"))
    check("and for the other", gateway.publish("/devices/child-b/events", "b1"))
    check("and its own", gateway.publish("/devices/gw-1/events", "gw1"))
    check("a state for it", gateway.publish("/devices/child-a/state", "fine"))
    pulled = listed("pubsub", "subscriptions", "pull", "all", "--auto-ack", "--limit=100")
    seen = [(a["deviceId"], a.get("gatewayId")) for a in
            (m["message"]["attributes"] for m in pulled)]
    check("the backend sees who sent it through whom",
          seen == [("child-a", "gw-1"), ("child-b", "gw-1"), ("gw-1", None)], seen)
    gateway.attach("loner", "{}")
    error = gateway.next_error()
    check("who is not bound does not attach",
          error.get("error_type") == "GATEWAY_ATTACHMENT_ERROR" and
          error.get("device_id") == "loner", error)
    for unseen in ("nobody-at-all", "gw-2"):
        gateway.attach(unseen, "{}")
        other = gateway.next_error()
        other["device_id"] = error["device_id"]
        other["mqtt_message_info"] = error["mqtt_message_info"]
        check(f"nor is it told from {unseen}", other == error, other)
    gateway.publish("/devices/loner/events", "lost")
    error = gateway.next_error()
    check("and nothing is taken for it", error.get("error_type") == "GATEWAY_DEVICE_NOT_FOUND"
          and error["mqtt_message_info"] == {"message_type": "PUBLISH",
                                             "topic": "/devices/loner/events"}, error)
    check("nor granted", (gateway.subscribe("/devices/loner/config") or 0) >= 128)
    error = gateway.next_error()
    check("which is told", error.get("mqtt_message_info", {}).get("message_type") == "SUBSCRIBE",
          error)
    for body in ("[]", "nonsense", '{"authorization": 1}', '{"authorization": "a"', "x" * 40000):
        gateway.attach("child-a", body)
        check(f"an attach with {body[:20]} is an error",
              gateway.next_error().get("error_type") == "GATEWAY_ATTACHMENT_ERROR")
    for invalid in ("a b", "ab", "1dev", "goog-1", "caf\u00e9", "", "room/1", "x" * 256):
        gateway.attach(invalid, "{}")
        error = gateway.next_error()
        check(f"an attach of the invalid device ID '{invalid[:20]}' is an error",
              error.get("error_type") == "GATEWAY_ATTACHMENT_ERROR"
              and error.get("device_id") == invalid[:255], error)
    for topic in ("/devices/a b/detach", "/devices/a b/events/x", "/devices/a b/state"):
        gateway.publish(topic, "{}")
        error = gateway.next_error()
        check(f"so is {topic}", error.get("error_type") == "GATEWAY_DEVICE_NOT_FOUND"
              and error.get("device_id") == "a b"
              and error["mqtt_message_info"]["topic"] == topic, error)
    check("the gateway is there still", not gateway.gone)
    check("and its other devices with it", gateway.publish("/devices/child-a/events/x", "a2"))
    operator("pubsub", "subscriptions", "pull", "all", "--auto-ack", "--limit=100")
    check("a detach is taken", gateway.publish("/devices/child-b/detach", "{}"))
    gateway.publish("/devices/child-b/events", "lost")
    check("a detached device is not there",
          gateway.next_error().get("error_type") == "GATEWAY_DEVICE_NOT_FOUND")
    check("it attaches again", gateway.attach("child-b", "{}"))
    operator("devices", "gateways", "unbind", "--gateway=gw-1", "--device=child-b",
             "--gateway-registry=reg", "--device-registry=reg")
    error = gateway.next_error()
    check("unbinding detaches it", error.get("error_type") == "GATEWAY_DETACHMENT_DEVICE_ERROR"
          and error.get("device_id") == "child-b", error)
    operator("devices", "gateways", "bind", "--gateway=gw-1", "--device=child-b",
             "--gateway-registry=reg", "--device-registry=reg")
    check("bound, it attaches again", gateway.attach("child-b", "{}"))
    operator("devices", "update", "child-b", "--registry=reg", "--blocked")
    error = gateway.next_error()
    check("blocking detaches it", error.get("error_type") == "GATEWAY_DETACHMENT_DEVICE_ERROR",
          error)
    gateway.attach("child-b", "{}")
    check("and a blocked one does not attach",
          gateway.next_error().get("error_type") == "GATEWAY_ATTACHMENT_ERROR")
    operator("devices", "update", "child-b", "--registry=reg", "--no-blocked")
    give_config("child-a", "new")
    got = gateway.next()
    check("a device's new config comes", got[:2] == ("/devices/child-a/config", b"new"), got)
    second = Client("gw-2", alg="RS256", version=version)
    second.subscribe("/devices/gw-2/errors", 0)
    check("it attaches through another gateway", second.attach("child-a", "{}"))
    error = gateway.next_error()
    check("and is detached from the first",
          error.get("error_type") == "GATEWAY_DETACHMENT_DEVICE_ERROR", error)
    second.end()
    gateway.end()
    gateway = Client("gw-1", alg="RS256", version=version)
    gateway.subscribe("/devices/gw-1/errors", 0)
    gateway.publish("/devices/child-a/events", "lost")
    check("after a reconnect nothing is attached",
          gateway.next_error().get("error_type") == "GATEWAY_DEVICE_NOT_FOUND")
    gateway.attach("child-a", "{}")
    operator("devices", "update", "gw-1", "--registry=reg", "--blocked")
    check("a blocked gateway is put out", gateway.is_closed())
    operator("devices", "update", "gw-1", "--registry=reg", "--no-blocked")
    gateway.end()


def attach_body(name, alg="ES256", **times):
    return json.dumps({"authorization": token(name, alg, **times)})


def tokens_are_judged(version):
    gateway = Client("gw-token", alg="RS256", version=version)
    gateway.subscribe("/devices/gw-token/errors", 0)

    def refused(what, device, body):
        gateway.attach(device, body)
        error = gateway.next_error()
        check(f"{what} is refused", error.get("error_type") == "GATEWAY_ATTACHMENT_ERROR" and
              error.get("device_id") == device, error)

    check("an unbound device attaches with its token",
          gateway.attach("child-a", attach_body("child-a")))
    check("and speaks", gateway.publish("/devices/child-a/events", "with a token"))
    refused("no token", "child-b", "{}")
    refused("another device's token", "child-b", attach_body("child-a"))
    refused("another project's", "child-b", attach_body("child-b", project="other"))
    refused("an expired one", "child-b", attach_body("child-b", issued=-5000, expires=-700))
    refused("one not yet valid", "child-b", attach_body("child-b", issued=800, expires=1200))
    refused("one for 25 hours", "child-b", attach_body("child-b", expires=90000))
    refused("one of the wrong algorithm", "child-b", attach_body("gw-token", "RS256"))
    refused("a device that is not there", "nobody", attach_body("child-b"))
    refused("a gateway", "gw-1", attach_body("gw-1", "RS256"))
    refused("the gateway itself", "gw-token", attach_body("gw-token", "RS256"))
    good = token("child-b", "ES256")
    for cut in range(0, len(good), 37):
        refused(f"a token cut at {cut}", "child-b", json.dumps({"authorization": good[:cut]}))
    for more in ("=", ".", "\n", " ", "A"):
        refused(f"a token with {more!r} behind it", "child-b",
                json.dumps({"authorization": good + more}))
    check("one at the end of its time attaches",
          gateway.attach("child-b", attach_body("child-b", issued=-3600, expires=-596)))
    error = gateway.next_error()
    check("and is detached when it ends",
          error.get("error_type") == "GATEWAY_DETACHMENT_DEVICE_ERROR" and
          "time is over" in error.get("description", ""), error)
    gateway.publish("/devices/child-b/events", "lost")
    check("it is not there any more",
          gateway.next_error().get("error_type") == "GATEWAY_DEVICE_NOT_FOUND")
    gateway.end()
    both = Client("gw-both", alg="RS256", version=version)
    both.subscribe("/devices/gw-both/errors", 0)
    both.attach("child-a", attach_body("child-a"))
    check("a token without a binding is not enough for both",
          "may not attach" in both.next_error().get("description", ""))
    both.attach("child-b", "{}")
    check("nor a binding without a token",
          "token" in both.next_error().get("description", ""))
    check("a token and a binding are", both.attach("child-b", attach_body("child-b")))
    check("it speaks", both.publish("/devices/child-b/events", "with both"))
    both.end()
    none = Client("gw-none", alg="RS256", version=version)
    none.subscribe("/devices/gw-none/errors", 0)
    none.attach("child-a", attach_body("child-a"))
    check("a gateway without a method takes nobody",
          "auth method" in none.next_error().get("description", ""))
    none.end()


def registries_are_apart():
    one, two = Client("twin"), Client("twin", registry="reg-2")
    for client in (one, two):
        client.subscribe("/devices/twin/config")
        client.subscribe("/devices/twin/commands/#")
        client.next()
    give_config("twin", "for two", registry="reg-2")
    send_command("twin", "for one")
    send_command("twin", "to two", registry="reg-2")
    got = [one.next()]
    check("the first sees its own", got[0][1] == b"for one", got)
    got = sorted([two.next()[1] or b"", two.next()[1] or b""])
    check("the second sees its own", got == [b"for two", b"to two"], got)
    two.publish("/devices/twin/events", "from two")
    pulled = listed("pubsub", "subscriptions", "pull", "second", "--auto-ack")
    check("its telemetry goes to its own topic",
          [m["message"]["attributes"]["deviceRegistryId"] for m in pulled] == ["reg-2"], pulled)
    check("and the first saw nothing more", one.messages.empty())
    one.end()
    two.end()


def main():
    for name, alg, version in (("plain", "ES256", mqtt.MQTTv311), ("plain-rsa", "RS256",
                                                                   mqtt.MQTTv5)):
        device_speaks(name, alg, version)
    for version in (mqtt.MQTTv311, mqtt.MQTTv5):
        device_misbehaves(version)
        gateway_speaks(version)
        tokens_are_judged(version)
    who_is_refused()
    registries_are_apart()
    if failures:
        print(f"{failures} checks failed")
    return 1 if failures else 0


sys.exit(main())
