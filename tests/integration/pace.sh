#!/bin/sh
# A gateway with a backlog keeps within the rates that the cloud's broker allows: it is never closed
# for them. So does `publish --lines`. Without their own limits both are closed.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

cloud_rates=
gateway_rates=

# backlog NAME N: so many messages wait, more than the broker allows at once
backlog()
{
	seq "$2" >lines
	check "$2 messages of $1 wait" sends "$1" -t "/devices/$1/events" -l <lines
}

# has_all NAME N
has_all()
{
	pulled "$1"
	[ "$(sort -u pulled | wc -l)" -eq "$2" ]
}

closed()
{
	grep -c 'p11_registry: closed .* in a second' broker.log || true
}

numbers_keep_within()
{
	backlog lamp 900
	backlog thermo 900
	start_gateway
	check "all of the lamp's arrive" wait_for 60 has_all lamp 900
	check "all of the thermometer's arrive" wait_for 60 has_all thermo 900
	check "the connection was never closed for that" same "$(closed)" 0
}

bytes_keep_within()
{
	head -c 200000 /dev/zero | tr '\0' x >large
	for i in $(seq 40); do
		sends pump -t /devices/pump/events -f large || die "message $i is not taken"
	done
	check "large messages arrive" wait_for 60 status '.spool.waiting == 0 and .uplink.in_flight == 0'
	check "none is missing" same "$(sqlite3 "$P11_REGISTRY_DB" \
		"SELECT count(*) FROM messages WHERE length(data) = 200000")" 40
	check "the connection was never closed for that" same "$(closed)" 0
	stop_gateway
}

is_closed_without()
{
	gateway_rates='device-rate = 0'
	write_gateway_settings
	backlog lamp 1500
	begin_gateway
	check "a gateway without a limit is closed" wait_for 30 test_closed
	stop_gateway
}

test_closed()
{
	[ "$(closed)" -gt 0 ]
}

lines()
{
	seq 700 >lines
	p11-registry devices create alone --registry="$registry" \
		--public-key=path=gw1.crt,type=es256-x509-pem >>registry.out 2>&1
	check "700 lines are published" publish --key "$key" --device alone --lines <lines
	check "all of them arrive" has_all alone 700
	check "without a rate they are not" not publish --key "$key" --device alone --lines --rate 0 \
		<lines
}

main()
{
	need mosquitto mosquitto_pub jq sqlite3
	begin_site_test softhsm
	start_site
	write_gateway_settings
	numbers_keep_within
	bytes_keep_within
	lines
	is_closed_without
	end
}

main "$@"
