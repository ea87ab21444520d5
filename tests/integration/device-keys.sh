#!/bin/sh
# Devices that have keys of their own in the gateway's token: the gateway signs their tokens too,
# where the cloud asks for them; a device that has none, or another, is refused for itself alone.
#
#   usage: device-keys.sh softhsm|swtpm
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

# give_key DEVICE: a key in the gateway's token, labelled with its id; its request is DEVICE.csr
give_key()
{
	key="pkcs11:token=gw;object=$(printf %s "$1" | sed 's/%/%25/g')"
	p11-gateway keygen --key "$key" --type ec:p256 >uri
	rm -f "$1.csr"
	p11-gateway csr --key "$key" --subject "/CN=$1" -o "$1.csr"
}

# give_key_later DEVICE: while the gateway runs; but where nothing lets two use the TPM at once, as
# the kernel does with /dev/tpmrm0, the gateway is stopped meanwhile
give_key_later()
{
	if [ "$token" = swtpm ]; then
		stop_gateway TERM
		give_key "$1"
		start_gateway
	else
		give_key "$1"
	fi
}

# register_key DEVICE: by its request; the registry asks for its CA's certificate
register_key()
{
	rm -f "$1.crt"
	"$top/ca/ca" sign "$1.csr" >ca.log 2>&1 || { cat ca.log; die "ca sign failed for $1"; }
	p11-registry devices credentials create --device="$1" --registry="$registry" --path="$1.crt" \
		--type=es256-x509-pem >>registry.out
}

# ask_for METHOD: what the cloud wants of the gateway's devices; who is attached is so anew
ask_for()
{
	stop_gateway TERM
	: >gateway.log
	p11-registry devices update gw1 --registry="$registry" --auth-method="$1" >>registry.out
	start_gateway
}

device()
{
	status ".devices.list[] | select(.id == \"$1\") | $2"
}

# says_once PATTERN
says_once()
{
	same "$(grep -c "$1" gateway.log)" 1
}

are_attached_by_their_keys()
{
	note "$1"
	ask_for "$1"
	for name in thermo pump lamp; do
		check "$name's message is taken" sends "$name" -t "/devices/$name/events" -m "$name $1"
	done
	check "a device with its key is attached" wait_for 20 device thermo '.state == "attached"'
	check "its message arrives" wait_for 20 has thermo "thermo $1"
	check "one without a key is not" wait_for 20 device lamp '.refused and .state == "detached"'
	check "for that reason" device lamp '.last_error | test("no private key|lamp")'
	check "one with another key is not, for what the cloud says" wait_for 20 \
		device pump '.refused and (.last_error | test("GATEWAY_ATTACHMENT_ERROR"))'
	check "it is asked about again" wait_for 60 asked_again
	check "which is said once for the one" says_once 'warning: not attached device=lamp'
	check "and for the other" \
		says_once 'warning: not attached device=pump: GATEWAY_ATTACHMENT_ERROR'
	check "others' messages pass meanwhile" sends thermo -t /devices/thermo/events -m "passes $1"
	check "so they do" wait_for 20 has thermo "passes $1"
	check "theirs wait" status '.spool.waiting >= 2'
	check "the connection is the same" status '.uplink.connects == 1'
}

# asked_again: the broker was told the wrong token more than once
asked_again()
{
	[ "$(grep -c "attach refused .* device=pump" broker.log)" -ge 2 ]
}

main()
{
	need mosquitto mosquitto_pub jq sqlite3
	token=$1
	begin_site_test "$token"
	give_key thermo
	register_key thermo
	# The registry knows another key of it than the one in the token.
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=pump \
		-keyout pump.key -out pump.csr 2>/dev/null
	register_key pump
	give_key pump
	start_site
	write_gateway_settings '[token]' 'device-key = pkcs11:token=gw;object={device};type=private'
	start_gateway
	are_attached_by_their_keys device-auth-token-only
	note "their keys come"
	register_key pump
	give_key_later lamp
	register_key lamp
	for name in pump lamp; do
		check "$name's message arrives" wait_for 60 has "$name" "$name device-auth-token-only"
	done
	check "nothing waits" wait_for 20 status '.spool.waiting == 0'
	note "a device whose id looks like an escape of a URI"
	p11-registry devices create 'odd%41' --registry="$registry" >>registry.out
	give_key_later 'odd%41'
	register_key 'odd%41'
	check "its message is taken" sends 'odd%41' -t '/devices/odd%41/events' -m odd
	check "and arrives" wait_for 20 has 'odd%41' odd
	note "association-and-device-auth-token"
	ask_for association-and-device-auth-token
	check "a device that is bound, with its key" sends thermo -t /devices/thermo/events -m both
	check "is attached" wait_for 20 has thermo both
	check "as the registry says" says 'attached client=.*/devices/thermo ' broker.log
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	end
}

main "$@"
