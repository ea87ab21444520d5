#!/bin/sh
# journey: from a key that is born in a token to a message at the backend; every step's result is
# judged by another program.
#
#   usage: journey.sh softhsm|swtpm ec:p256|rsa:2048
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"

key='pkcs11:token=gw;object=device'

# what OpenSSL's reading of a request or a certificate must say of the key
key_text()
{
	case $type in
	ec:p256) echo 'NIST CURVE: P-256' ;;
	rsa:2048) echo 'Public-Key: \(2048 bit\)' ;;
	esac
}

make_authority()
{
	note "root CA and IoT sub-CA"
	"$top/ca/ca" init >ca-init.log 2>&1 || { cat ca-init.log; die "ca init failed"; }
	check "the root CA signed the sub-CA" openssl verify -CAfile "$CA_DIR/root-ca.crt" \
		"$CA_DIR/iot-ca.crt"
	openssl x509 -in "$CA_DIR/iot-ca.crt" -noout -ext basicConstraints >iot-ca.txt
	check "the sub-CA signs no further CA" says 'CA:TRUE, pathlen:0' iot-ca.txt
}

make_key()
{
	note "the key, inside the token"
	p11-gateway keygen --key "$key" --type "$type" >uri
	check "keygen prints the key's URI" says '^pkcs11:.*object=device' uri
	p11-gateway pubkey --key "$(cat uri)" -o device.pub
	pkcs11 -O --type privkey >objects
	for attribute in sensitive 'never extractable' local; do
		check "the token says of the key: $attribute" says "Access:.*$attribute" objects
	done
	check "one private key" same "$(grep -c '^Private Key Object' objects)" 1
}

make_request()
{
	note "the request, signed by that key"
	p11-gateway csr --key "$key" --subject /CN=gw1/O=Acme --san dns:gw1.example.com -o gw1.csr
	check "OpenSSL verifies its signature" openssl req -in gw1.csr -verify -noout
	openssl req -in gw1.csr -noout -text >csr.txt
	check "a named curve, or RSA of that size" says "$(key_text)" csr.txt
	check "subject" says 'Subject: CN ?= ?gw1, ?O ?= ?Acme' csr.txt
	check "alternative name" says 'DNS:gw1.example.com' csr.txt
	certtool --crq-info --infile gw1.csr >crq.txt 2>&1 || true
	check "GnuTLS verifies its signature" says 'Self signature: verified' crq.txt
	openssl req -in gw1.csr -noout -pubkey >csr.pub
	check "it holds the token's key" cmp csr.pub device.pub
	pkcs11 -r --type pubkey --label device -o pubkey.der >/dev/null 2>&1
	openssl pkey -pubin -inform DER -in pubkey.der >pkcs11.pub
	check "OpenSC reads the same key" cmp pkcs11.pub device.pub
}

make_certificate()
{
	note "the certificate, into the token"
	"$top/ca/ca" sign gw1.csr >ca-sign.log 2>&1 || { cat ca-sign.log; die "ca sign failed"; }
	check "it chains to the root CA" openssl verify -x509_strict -CAfile "$CA_DIR/root-ca.crt" \
		-untrusted "$CA_DIR/iot-ca.crt" -purpose sslclient gw1.crt
	p11-gateway cert import --key "$key" gw1.crt >cert-uri
	pkcs11 -r --type cert --label device -o cert.der >/dev/null 2>&1
	openssl x509 -in gw1.crt -outform DER -out gw1.der
	check "OpenSC reads the same certificate" cmp cert.der gw1.der
	p11-gateway cert export --key "$key" -o exported.crt
	openssl x509 -in exported.crt -outform DER -out exported.der
	check "so does cert export" cmp exported.der gw1.der
	p11-gateway cert show --key "$key" >show.txt
	check "cert show names the subject" says 'CN ?= ?gw1' show.txt
	pkcs11 -O --type privkey | sed -n 's/^ *ID: *//p' >key-id
	pkcs11 -O --type cert | sed -n 's/^ *ID: *//p' >cert-id
	check "certificate and key have one id" cmp key-id cert-id
}

# base64url_decode: standard input to standard output
base64url_decode()
{
	tr -d '\n' | tr -- '-_' '+/' | sed 's/$/===/; s/^\(\(....\)*\)=*$/\1/' | openssl base64 -d -A
}

# sign_jwt: its signature is verified by OpenSSL alone
sign_jwt()
{
	note "a JSON Web Token, signed by that key"
	now=$(date +%s)
	p11-gateway jwt --key "$key" --aud "$project" --lifetime 10m >token.jwt
	cut -d. -f1,2 token.jwt | tr -d '\n' >signed
	cut -d. -f3 token.jwt | base64url_decode >signature
	if [ "$type" = ec:p256 ]; then
		r=$(head -c 32 signature | od -An -v -tx1 | tr -d ' \n')
		s=$(tail -c 32 signature | od -An -v -tx1 | tr -d ' \n')
		printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "$r" "$s" >asn1
		check "r and s, 32 bytes each" same "$(wc -c <signature)" 64
		openssl asn1parse -genconf asn1 -noout -out signature
	fi
	check "OpenSSL verifies its signature" openssl dgst -sha256 -verify device.pub \
		-signature signature signed
	cut -d. -f2 token.jwt | base64url_decode >claims
	# time() may lag a tick behind the clock that date reads.
	check "its claims" jq -e ".aud == \"$project\" and .exp - .iat == 600 and
		.iat >= $now - 1 and .iat < $now + 60" claims
}

register()
{
	note "registry, gateway, device, binding"
	p11-registry pubsub topics create iotcore
	p11-registry pubsub subscriptions create iotpull --topic=iotcore
	p11-registry registries create "$registry" --region="$region" \
		--event-notification-config=topic=iotcore --public-key-path="$CA_DIR/iot-ca.crt"
	p11-registry devices create gw1 --registry="$registry" --region="$region" \
		--device-type=gateway --auth-method=association-only \
		--public-key=path=gw1.crt,type="$credential"
	p11-registry devices create sensor1 --registry="$registry" --region="$region"
	p11-registry devices gateways bind --gateway=gw1 --gateway-registry="$registry" \
		--gateway-region="$region" --device=sensor1 --device-registry="$registry" \
		--device-region="$region"
	p11-registry devices gateways list-bound-devices --gateway=gw1 --registry="$registry" \
		--region="$region" >bound.txt
	check "sensor1 is bound to gw1" says sensor1 bound.txt
}

# seen N: the backend's client has seen so many messages
seen()
{
	[ "$(wc -l <seen.txt)" -ge "$1" ]
}

publish_telemetry()
{
	note "telemetry over TLS, authenticated by a token the key signed"
	start_broker
	start_listener seen.txt
	publish --key "$key" --device gw1 -m '{"temperature": 21.5}'
	printf 'one\ntwo\nthree\n' | publish --key "$key" --device gw1 -l --subfolder alerts
	publish --key "$key" --device gw1 --state -m 'all well'
	wait_for 20 seen 4 || { cat seen.txt; die "the backend's client does not see the messages"; }
	from=projects/$project/topics/iotcore/registries/$registry/devices/gw1
	cat >wanted.txt <<-SEEN
		$from/events {"temperature": 21.5}
		$from/events/alerts one
		$from/events/alerts two
		$from/events/alerts three
	SEEN
	check "the backend's own client saw them in order" diff wanted.txt seen.txt
	p11-registry pubsub subscriptions pull iotpull --auto-ack --limit=10 --format=json >pulled.json
	jq -r '.[].message | "\(.attributes.deviceId) \(.attributes.deviceRegistryId) \(
		.attributes.deviceRegistryLocation) \(.attributes.projectId) \(
		.attributes.subFolder | if . == "" then "-" else . end) \(.data | @base64d)"' pulled.json >pulled.txt
	cat >wanted.txt <<-PULLED
		gw1 $registry $region $project - {"temperature": 21.5}
		gw1 $registry $region $project alerts one
		gw1 $registry $region $project alerts two
		gw1 $registry $region $project alerts three
	PULLED
	check "the subscription holds the telemetry with who sent it" diff wanted.txt pulled.txt
	p11-registry pubsub subscriptions pull iotpull --auto-ack --limit=10 --format=json >again.json
	check "the registry holds the state" same "all well" \
		"$(sqlite3 "$P11_REGISTRY_DB" 'SELECT data FROM states')"
	check "acknowledged messages are not pulled again" jq -e 'length == 0' again.json
}

# A registry's word counts at once, while the broker runs.
refuse_strangers()
{
	note "who is not let in"
	p11-registry devices update gw1 --registry="$registry" --region="$region" --blocked
	refused 1 'refuse|not auth' publish --key "$key" --device gw1 -m blocked
	p11-registry devices update gw1 --registry="$registry" --region="$region" --no-blocked
	check "unblocked, it is let in again" publish --key "$key" --device gw1 -m back
	p11-gateway keygen --key 'pkcs11:token=gw;object=other' --type "$type" >/dev/null
	refused 1 'refuse|not auth' publish --key 'pkcs11:token=gw;object=other' --device gw1 -m forged
	refused 1 'refuse|not auth' publish --key "$key" --device sensor1 -m 'not mine'
	wait_for 20 seen 5 || die "the message after unblocking did not arrive"
	check "nothing else reached the backend" same "$(wc -l <seen.txt)" 5
}

publish_lines()
{
	note "line by line, with one that is too long"
	{
		printf 'first\n\n'
		head -c 262145 /dev/zero | tr '\0' x
		printf '\nlast, without an end'
	} >lines
	status=0
	publish --key "$key" --device gw1 --lines <lines 2>lines.err || status=$?
	check "it is told of" says 'line 3: not delivered: longer than 262144 bytes' lines.err
	check "and counted" says '3 of 4 messages delivered' lines.err
	check "the status is a failure's" same "$status" 1
	wait_for 20 seen 8 || die "the other lines did not arrive"
	printf '%s/events first\n%s/events \n%s/events last, without an end\n' "$from" "$from" "$from" >wanted.txt
	tail -n 3 seen.txt >got.txt
	check "the others arrive" diff wanted.txt got.txt
}

# has_ended PID: a process, or what is left of one before it is waited for
has_ended()
{
	! [ -d "/proc/$1" ] || grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"
}

# The line before it arrives while the one without an end is read.
stop_in_an_endless_line()
{
	note "a line without an end, until it is stopped"
	printf 'echo $$ >endless.pid\nexec "$@"\n' >keep-pid
	{ echo begun && cat /dev/zero 2>/dev/null; } | publish_as='sh keep-pid' publish --key "$key" \
		--device gw1 --lines 2>endless.err &
	endless=$!
	wait_for 20 grep -q ' begun$' seen.txt || die "the line before it did not arrive"
	kill -TERM "$(cat endless.pid)"
	wait_for 10 has_ended "$(cat endless.pid)" || kill -KILL "$(cat endless.pid)"
	status=0
	wait "$endless" || status=$?
	check "it ends as what did not do all" same "$status" 1
	check "and says so" says '^p11-gateway: stopped' endless.err
	check "the line before it is counted" says '1 of 1 messages delivered' endless.err
}

main()
{
	token=$1 type=$2
	case $type in
	ec:*) credential=es256 ;;
	rsa:*) credential=rs256 ;;
	esac
	need openssl certtool jq sqlite3 mosquitto mosquitto_sub mosquitto_passwd
	begin
	start_token "$token"
	make_authority
	make_key
	make_request
	make_certificate
	sign_jwt
	register
	publish_telemetry
	refuse_strangers
	publish_lines
	stop_in_an_endless_line
	end
}

main "$@"
