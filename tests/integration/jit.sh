#!/bin/sh
# A device that nobody registered: its key is born in a token, a CA certifies it, and the registry
# takes it by the certificate in its JSON Web Token; until the CA takes the certificate back.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

# authority COMMAND...: the operator's script
authority()
{
	"$top/ca/ca" "$@" >>ca.log 2>&1 || { cat ca.log; die "ca $1 failed"; }
}

# make_device NAME: a key in the token, and the certificate that the CA gives it for this name
make_device()
{
	p11-gateway keygen --key "pkcs11:token=gw;object=$1" --type ec:p256 >/dev/null
	p11-gateway csr --key "pkcs11:token=gw;object=$1" --subject "/CN=$1" -o "$1.csr"
	authority sign "$1.csr"
	p11-gateway cert import --key "pkcs11:token=gw;object=$1" "$1.crt" >/dev/null
}

# publish_as NAME OPTION...: with that device's key
publish_as()
{
	name=$1
	shift
	p11-gateway publish --url "mqtt://127.0.0.1:$port" --project "$project" \
		--region "$region" --registry reg --device "$name" \
		--key "pkcs11:token=gw;object=$name" "$@"
}

# registered NAME: with this certificate and nothing else, as seen by SQLite's shell and openssl
registered()
{
	[ "$(sqlite3 "$P11_REGISTRY_DB" "SELECT count(*) FROM devices WHERE name = '$1'
		AND NOT blocked AND NOT gateway")" -eq 1 ] || return 1
	sqlite3 "$P11_REGISTRY_DB" "SELECT c.pem FROM credentials c JOIN devices d
		ON c.device = d.id WHERE d.name = '$1'" >"$1.kept"
	same "$(openssl x509 -in "$1.kept" -noout -fingerprint -sha256)" \
		"$(openssl x509 -in "$1.crt" -noout -fingerprint -sha256)"
}

unregistered()
{
	[ "$(sqlite3 "$P11_REGISTRY_DB" "SELECT count(*) FROM devices WHERE name = '$1'")" -eq 0 ]
}

# jit RULE: as SQLite's shell sets it
jit()
{
	sqlite3 "$P11_REGISTRY_DB" "PRAGMA busy_timeout = 10000;
		UPDATE registries SET jit = $1 WHERE name = 'reg'" >/dev/null
}

set_up()
{
	authority init
	for name in sensor1 sensor2 sensor3; do
		make_device "$name"
	done
	{
		p11-registry pubsub topics create events
		p11-registry pubsub subscriptions create all --topic=events
		p11-registry registries create reg --event-notification-config=topic=events \
			--public-key-path="$CA_DIR/iot-ca.crt"
	} >registry.out
	cp "$CA_DIR/iot-ca.crl" iot-ca.crl
	start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB" \
		"plugin_opt_crl_file $work/iot-ca.crl"
}

what_the_agent_sends()
{
	note "the certificate in the token's header"
	p11-gateway jwt --key 'pkcs11:token=gw;object=sensor1' --aud "$project" --x5c >token.jwt
	cut -d. -f1 token.jwt | tr -d '\n' | tr -- '-_' '+/' |
		sed 's/$/===/; s/^\(\(....\)*\)=*$/\1/' | openssl base64 -d -A >header.json
	jq -r '.x5c[0]' header.json | openssl base64 -d -A | openssl x509 -inform DER >sent.crt
	check "it is the key's, as openssl reads it" same \
		"$(openssl x509 -in sent.crt -noout -fingerprint -sha256)" \
		"$(openssl x509 -in sensor1.crt -noout -fingerprint -sha256)"
	check "it is the only one" jq -e '.x5c | length == 1' header.json
	p11-gateway cert delete --key 'pkcs11:token=gw;object=sensor3' 2>/dev/null
	refused 1 'no certificate for the key' p11-gateway jwt --x5c --aud "$project" \
		--key 'pkcs11:token=gw;object=sensor3'
	p11-gateway cert import --key 'pkcs11:token=gw;object=sensor3' sensor3.crt >/dev/null
}

registration()
{
	note "registration"
	refused 1 'refuse|not auth' publish_as sensor1 --x5c -m early
	check "not before the registry is told to" unregistered sensor1
	jit "'cn'"
	refused 1 'refuse|not auth' publish_as sensor1 -m bare
	check "not without the certificate" unregistered sensor1
	check "with it the device publishes" publish_as sensor1 --x5c -m 'first words'
	check "and is registered" registered sensor1
	check "its telemetry is stored" stored 'first words'
	check "from now on it needs no certificate" publish_as sensor1 -m 'second words'
	check "that is stored too" stored 'second words'
	jit NULL
	refused 1 'refuse|not auth' publish_as sensor2 --x5c -m late
	check "no other after the registry is told to stop" unregistered sensor2
	jit "'cn'"
}

# A device that stays connected while it waits for more lines.
stay_connected()
{
	mkfifo lines
	mark
	publish_as sensor1 -l <lines >stay.out 2>&1 &
	stays=$!
	pids="$pids $stays"
	exec 3>lines
	echo 'third words' >&3
	wait_for 20 stored 'third words' || { cat stay.out; die "sensor1 cannot publish"; }
}

revocation()
{
	note "revocation"
	stay_connected
	authority revoke sensor1.crt
	authority crl
	check "while the list is not there it stays" kill -0 "$stays"
	cp "$CA_DIR/iot-ca.crl" new.crl && mv new.crl iot-ca.crl
	check "openssl finds it on the list" says "Serial Number: 0*$(openssl x509 \
		-in sensor1.crt -noout -serial | sed 's/serial=0*//')" \
		"$(openssl crl -in iot-ca.crl -noout -text >crl.txt && echo crl.txt)"
	check "the broker ends the connection" logged "closing.*sensor1.*certificate is revoked"
	exec 3>&-
	check "the device notices" ends "$stays"
	refused 1 'refuse|not auth' publish_as sensor1 -m 'last words'
	refused 1 'refuse|not auth' publish_as sensor1 --x5c -m 'last words'
	check "the broker says why" log_says 'refused.*sensor1.*certificate is revoked'
	check "nothing more is stored" not stored 'last words'
	check "another is still registered" publish_as sensor2 --x5c -m 'another one'
	check "by its own certificate" registered sensor2
	check "and the third nobody heard of is none" unregistered sensor3
}

damage()
{
	note "a list that cannot be read"
	mark
	echo damaged >iot-ca.crl
	check "the broker says that the one before counts" logged 'read before still count'
	refused 1 'refuse|not auth' publish_as sensor1 -m 'last words'
}

main()
{
	need mosquitto mosquitto_passwd sqlite3 openssl jq
	begin_broker_test
	start_token softhsm
	set_up
	what_the_agent_sends
	registration
	revocation
	damage
	end_broker
	end
}

main "$@"
