#!/bin/sh
# Everything that a local device was told had arrived is in the cloud, in that device's order, whatever
# was killed meanwhile: the gateway, the site's broker, the cloud's, and all of them.
#
#   usage: nothing-lost.sh     ROUNDS: kills (10), RATE: messages a second (2000)
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

rounds=${ROUNDS:-10}
rate=${RATE:-2000}

start_load()
{
	: >taken
	"$python" "$top/tests/integration/load.py" "$site_port" "$rate" "$work/taken" thermo pump lamp \
		2>load.err &
	load_pid=$!
	pids="$pids $load_pid"
}

n_taken()
{
	wc -l <taken
}

more_taken()
{
	[ "$(n_taken)" -ge "$wanted" ]
}

restart_cloud()
{
	kill -KILL "$broker_pid"
	wait "$broker_pid" 2>/dev/null || true
	: >"$work/broker.log"
	LD_PRELOAD=${ASAN_RUNTIME:-} ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-} \
		mosquitto -c "$work/mosquitto.conf" >>"$work/broker.out" 2>&1 &
	broker_pid=$!
	wait_for 20 broker_runs || die "the cloud's broker does not start again"
}

restart_gateway()
{
	stop_gateway KILL
	begin_gateway
}

restart_site()
{
	stop_site KILL
	start_site
}

# one_round N: waits until more is taken, and kills at whatever moment that is
one_round()
{
	wanted=$(($(n_taken) + rate / 4 + $(od -An -N1 -tu1 /dev/urandom)))
	wait_for 60 more_taken || { cat load.err; die "nothing is taken any more"; }
	case $(($1 % 4)) in
	0) restart_gateway ;;
	1) restart_site ;;
	2) restart_cloud ;;
	3)
		restart_site
		restart_cloud
		restart_gateway
		;;
	esac
}

# judge DEVICE: what was taken of it is there, the first time in its order; counts duplicates
judge()
{
	pulled "$1"
	awk '!seen[$1]++' pulled >once
	awk -v device="$1" '$1 == device { print $2 }' taken | sort -n -u >wanted
	sort wanted >wanted.text
	sort once | comm -13 - wanted.text >missing
	check "nothing of $1 is missing ($(wc -l <wanted) taken, $(($(wc -l <pulled) - $(wc -l <once))) came twice)" \
		test ! -s missing
	check "$1's are in their order" sort -n -c once
}

all_arrived()
{
	status '.spool.waiting == 0 and .uplink.in_flight == 0 and .uplink.state == "up"'
}

main()
{
	need mosquitto jq sqlite3
	# Debian's own, which has Debian's paho.
	python=/usr/bin/python3
	"$python" -c 'import paho.mqtt.client' 2>/dev/null || need python3-paho-mqtt
	broker_options='max_inflight_messages 100'
	begin_site_test softhsm
	start_site
	write_gateway_settings
	start_gateway
	start_load
	round=0
	while [ "$round" -lt "$rounds" ]; do
		one_round "$round" >round.out 2>&1 || { cat round.out load.err; die "round $round failed"; }
		round=$((round + 1))
	done
	kill "$load_pid"
	check "every message that was sent was taken in the end" wait "$load_pid"
	check "the spool is empty in the end" wait_for 120 all_arrived
	note "$(n_taken) messages taken over $rounds kills"
	for device in thermo pump lamp; do
		judge "$device"
	done
	end
}

main "$@"
