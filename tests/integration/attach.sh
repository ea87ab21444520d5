#!/bin/sh
# Devices behind a gateway as they really are: some attach themselves, some never do, some the cloud
# does not want, and what they send may be what a cloud ends connections for.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

device()
{
	status ".devices.list[] | select(.id == \"$1\") | $2"
}

# connects_stay N: the gateway connected so often
connects_stay()
{
	check "the connection is the same" status ".uplink.connects == $1"
}

# token_of DEVICE: one that a key of its own has signed, which the registry knows
token_of()
{
	own="pkcs11:token=gw;object=$1"
	p11-gateway keygen --key "$own" --type ec:p256 >uri
	p11-gateway csr --key "$own" --subject "/CN=$1" -o "$1.csr"
	"$top/ca/ca" sign "$1.csr" >ca.log 2>&1 || { cat ca.log; die "ca sign failed for $1"; }
	p11-registry devices credentials create --device="$1" --registry="$registry" --path="$1.crt" \
		--type=es256-x509-pem >>registry.out
	p11-gateway jwt --key "$own" --aud "$project"
}

# The device's own token goes to the cloud as it is.
attaches_itself()
{
	note "a device attaches itself"
	p11-registry devices update gw1 --registry="$registry" \
		--auth-method=association-and-device-auth-token >>registry.out
	token_of thermo >thermo.jwt
	write_gateway_settings '[site]' 'attach = own'
	start_gateway
	check "one without a token is taken at the site" sends pump -t /devices/pump/events -m early
	check "an attach is" sends thermo -t /devices/thermo/attach \
		-m "{\"authorization\":\"$(cat thermo.jwt)\"}"
	check "the cloud takes it" wait_for 20 device thermo '.state == "attached"'
	check "its event arrives" sends thermo -t /devices/thermo/events -m own
	check "as it does" wait_for 20 has thermo own
	check "the other one was not attached for" device pump '.state == "detached" and .refused == false'
	check "it is, when it had its time, and the cloud refuses it" \
		wait_for 30 device pump '.refused'
	check "a detach is told" sends thermo -t /devices/thermo/detach -m '{}'
	check "and done" wait_for 20 device thermo '.state == "detached"'
	connects_stay 1
	p11-registry devices update gw1 --registry="$registry" --auth-method=association-only \
		>>registry.out
	check "once the cloud takes the other, what it left arrives" wait_for 60 has pump early
	stop_gateway TERM
}

# A device hears at the site what the cloud says of it.
hears_its_errors()
{
	note "a device's errors"
	write_gateway_settings
	start_gateway
	hears stranger /devices/stranger/errors
	check "a stranger's message is taken at the site" \
		sends stranger -t /devices/stranger/events -m unheard
	check "it hears what the cloud says" \
		wait_for 20 says '^/devices/stranger/errors .*"error_type"' stranger.heard
	stop_others
	stop_gateway TERM
}

# Refused for long its messages are dropped, and said to be; but it is asked about again.
is_given_up()
{
	note "a device that is refused for long"
	: >gateway.log
	write_gateway_settings '[site]' 'refused-hold = 1s'
	start_gateway
	check "its messages are dropped" wait_for 30 device stranger '.dropped > 0'
	check "which is said" says 'messages are dropped device=stranger: it is refused' gateway.log
	p11-registry devices create stranger --registry="$registry" >>registry.out
	p11-registry devices gateways bind --gateway=gw1 --device=stranger \
		--gateway-registry="$registry" --device-registry="$registry" >>registry.out
	check "one that the cloud knows by then gets through" wait_for 60 gets_through
	stop_gateway TERM
}

gets_through()
{
	sends stranger -t /devices/stranger/events -m late
	has stranger late
}

# Whatever a client calls itself, and whatever a rule makes of a topic.
is_not_led_astray()
{
	note "names and topics that are none to the cloud"
	write_gateway_settings '[site]' 'attach = connect' \
		'out = +/temperature 1 building/ /devices/gw1/events/building/'
	start_gateway
	for name in aa:bb:cc:dd:ee:ff 5ccf7f ab 'mosqsub|1-host' 'a?pin-value=0000'; do
		hears "$name" nothing
	done
	hears pump /devices/pump/config
	check "a device is attached when it connects" wait_for 20 device pump '.state == "attached"'
	check "nobody else is" status '.devices.known <= 3'
	for topic in "building/room 1/temperature" building/küche/temperature building//temperature; do
		check "'$topic' is taken at the site" sends lamp -t "$topic" -m astray
	done
	check "a good one too" sends lamp -t building/room1/temperature -m straight
	check "which arrives" wait_for 20 has gw1 straight
	check "the others do not" not has gw1 astray
	check "they are counted" wait_for 20 status '.uplink.unrouted == 3'
	check "nothing waits" wait_for 20 status '.spool.waiting == 0'
	connects_stay 1
	stop_others
	stop_gateway TERM
}

# What the cloud refuses of a device, many at once, is given up; the rest arrives.
gives_up_what_is_refused()
{
	note "messages that the cloud refuses"
	head -c 2000 /dev/zero | tr '\0' x >large
	write_gateway_settings
	for i in 1 2 3; do
		sends lamp -t /devices/lamp/events -f large
		sends lamp -t /devices/lamp/events -m "between $i"
	done
	start_gateway
	for i in 1 2 3; do
		check "what is between them arrives" wait_for 60 has lamp "between $i"
	done
	check "they are given up" wait_for 60 status '.uplink.refused == 3 and .spool.waiting == 0'
	connects_stay 1
	stop_gateway TERM
}

# The cloud ends the connection for the gateway's own: that is held, and what is behind it, and dropped
# in the end; others' messages pass meanwhile.
holds_what_ends_it()
{
	note "a message that ends the connection"
	: >gateway.log
	write_gateway_settings 'retry-max = 1s' '[site]' 'refused-hold = 8s'
	sends gw1 -t /devices/gw1/events -f large
	sends gw1 -t /devices/gw1/events -m behind
	sends lamp -t /devices/lamp/events -m "behind it"
	begin_gateway
	check "it is found out" wait_for 60 says \
		'refuses a topic: .* device=gw1 topic=/devices/gw1/events' gateway.log
	check "others' messages arrive" wait_for 20 has lamp "behind it"
	check "what is behind it arrives" wait_for 60 has gw1 behind
	check "nothing is blocked any more" wait_for 20 status '.blocked.topics == 0'
	check "it was dropped and counted" status \
		'.uplink.held_out == 1 and .spool.waiting == 0 and .uplink.state == "up"'
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
}

main()
{
	need mosquitto mosquitto_pub jq sqlite3 openssl
	broker_options='max_inflight_messages 100
plugin_opt_max_event_bytes 1000'
	begin_site_test softhsm
	printf 'topic readwrite #\n' >"$work/acl"
	site_options="plugin_opt_topic building/#
acl_file $work/acl"
	start_site
	attaches_itself
	hears_its_errors
	is_given_up
	is_not_led_astray
	gives_up_what_is_refused
	holds_what_ends_it
	end
}

main "$@"
