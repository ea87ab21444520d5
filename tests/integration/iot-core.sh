#!/bin/sh
# Devices and gateways as they were written for Cloud IoT Core: Python's paho and PyJWT over TLS.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

# device NAME ec|rsa OPTION...
device()
{
	name=$1 key_type=$2
	shift 2
	[ -e "$name.key" ] || make_key "$name" "$key_type"
	case $key_type in
	ec) type=es256-pem ;;
	rsa) type=rsa-pem ;;
	esac
	p11-registry devices create "$name" --public-key="path=$name.pub,type=$type" "$@" >>registry.out
}

bind_devices()
{
	gateway=$1
	shift
	for name in "$@"; do
		p11-registry devices gateways bind --gateway="$gateway" --device="$name" \
			--gateway-registry=reg --device-registry=reg >>registry.out
	done
}

make_registries()
{
	{
		p11-registry pubsub topics create events
		p11-registry pubsub topics create second
		p11-registry pubsub subscriptions create all --topic=events
		p11-registry pubsub subscriptions create second --topic=second
		p11-registry registries create reg --event-notification-config=topic=events
		p11-registry registries create reg-2 --event-notification-config=topic=second
	} >registry.out
	for name in plain dev child-a child-b loner twin; do
		device "$name" ec --registry=reg
	done
	device plain-rsa rsa --registry=reg
	device twin ec --registry=reg-2
	for name in gw-1 gw-2; do
		device "$name" rsa --registry=reg --device-type=gateway --auth-method=association-only
	done
	device gw-token rsa --registry=reg --device-type=gateway --auth-method=device-auth-token-only
	device gw-both rsa --registry=reg --device-type=gateway \
		--auth-method=association-and-device-auth-token
	device gw-none rsa --registry=reg --device-type=gateway
	bind_devices gw-1 child-a child-b
	bind_devices gw-2 child-a
	bind_devices gw-both child-b
}

make_certificate()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=broker \
		-addext subjectAltName=IP:127.0.0.1 -keyout server.key -out server.crt 2>/dev/null
}

main()
{
	need mosquitto mosquitto_passwd openssl
	python=/usr/bin/python3
	"$python" -c 'import jwt, paho.mqtt.client' 2>/dev/null ||
		need python3-paho-mqtt-and-python3-jwt
	begin_broker_test
	make_registries
	make_certificate
	start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB" "plugin_opt_max_states_per_s 0" \
		"certfile $PWD/server.crt" "keyfile $PWD/server.key"
	check "devices and gateways of Cloud IoT Core" \
		"$python" "$top/tests/integration/iot-core.py" "$port" "$PWD/server.crt"
	end_broker
	end
}

main "$@"
