#!/bin/sh
# A crowd of device names that the cloud does not know, beside devices that it does: what those
# publish arrives while the crowd waits and is refused, and nobody closes their connections. Once
# with as many new names as a crowd can bring, and once with the limits of p11_site.so.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

many=${MANY:-130000}
# as many as a gateway remembers, and half a minute's names
known_max=100000
limited=20000

# start_innocent: thermo publishes 1, 2, ... at the site until stop_innocent
start_innocent()
{
	"$python" -B "$top/tests/integration/innocent.py" "$site_port" thermo thermo "$work/answers" \
		>innocent.out 2>&1 &
	innocent=$!
	pids="$pids $innocent"
}

# stop_innocent: sets $last to the number of its last event
stop_innocent()
{
	kill -TERM "$innocent"
	check "nobody closed the connection of the device beside it" wait "$innocent"
	last=$(tail -n 1 innocent.out)
}

# all_arrived: whether the cloud has each of thermo's events, in their order but for repetitions
all_arrived()
{
	pulled thermo
	awk -v last="$last" '
		$1 > next_one { exit 1 }
		$1 == next_one { next_one++ }
		BEGIN { next_one = 1 }
		END { exit next_one <= last }' pulled
}

# crowd N: new names; the numbers of accepted and refused ones go into `crowd.out`
crowd()
{
	timeout 300 "$python" -B "$top/tests/integration/site-names.py" "$site_port" "$1" >crowd.out 2>&1 ||
		{ cat crowd.out; die "the crowd was not answered"; }
	note "crowd of $1 names: $(cat crowd.out)"
}

gets_through()
{
	sends "$1" -t "/devices/$1/events" -m "$2" && wait_for 60 has "$1" "$2"
}

# All are taken at the site: the gateway is what has to bear them.
gateway_bears_them()
{
	note "$many names that the gateway learns of"
	site_options='plugin_opt_max_new_devices_per_min 0'
	start_site
	: >gateway.log
	write_gateway_settings '[log]' 'level = info'
	start_gateway
	start_innocent
	check "a device is attached" wait_for 30 status '.devices.attached == 1'
	crowd "$many"
	check "the site's broker takes each" says "^accepted $many refused 0$" crowd.out
	check "the gateway remembers as many as it may" \
		wait_for 120 status ".devices.known == $known_max and .devices.known_max == $known_max"
	check "the cloud refuses some" wait_for 60 status '.devices.refused > 10'
	hears pump /devices/pump/config
	check "another device that comes now gets through" gets_through pump late
	stop_innocent
	check "each of the $last events of the device beside it arrives" wait_for 60 all_arrived
	check "while the crowd waits" status ".devices.waiting > $known_max / 2"
	check "its device stays attached" \
		status '[.devices.list[] | select(.id == "thermo")][0].state == "attached"'
	check "the connection to the cloud is the same" status '.uplink.connects == 1'
	check "the log has few lines" [ "$(wc -l <gateway.log)" -lt 100 ]
	check "a line says how many" wait_for 90 says 'the cloud refuses many devices: ' gateway.log
	stop_others
	stop_gateway KILL
}

# Nothing is known any more, and what the crowd has left comes first in the spool.
restart_bears_them()
{
	note "the gateway starts again"
	start_innocent
	start_gateway
	check "a device that is connected gets through" wait_for 60 status \
		'([.devices.list[] | select(.id == "thermo")][0].sent // 0) > 0'
	stop_innocent
	stop_others
	stop_gateway TERM
	check "it ends well" same "$ended" 0
	stop_site
}

# The site's broker refuses what is too much.
site_refuses_them()
{
	note "$limited names, and the limits of the site's broker"
	rm -rf spool
	site_options=
	start_site
	start_gateway
	start_innocent
	check "a device's event gets through" wait_for 30 status '.uplink.acknowledged > 0'
	crowd "$limited"
	read -r _ accepted _ refused <crowd.out
	check "not all are taken" [ "$accepted" -ge 900 ] && [ "$accepted" -lt "$limited" ]
	check "the others are refused" [ "$refused" -gt 0 ]
	check "a line says so" says 'p11_site: new devices are refused: more than 1000 new' site.log
	check "and few more" [ "$(grep -c 'p11_site: ' site.log)" -lt 20 ]
	stop_innocent
	check "a device that is known comes back" gets_through thermo back
	stop_site
	site_options='plugin_opt_max_new_devices_per_min 1'
	start_site
	crowd 900
	check "those that were taken are known when the broker starts again" \
		says '^accepted 900 refused 0$' crowd.out
	check "the gateway knows few of the names" status '.devices.known < 15000'
	stop_others
	stop_gateway TERM
}

main()
{
	python=/usr/bin/python3
	need mosquitto mosquitto_passwd openssl jq sqlite3 "$python"
	broker_options='max_inflight_messages 100'
	begin_site_test softhsm
	gateway_bears_them
	restart_bears_them
	site_refuses_them
	end
}

main "$@"
