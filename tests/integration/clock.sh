#!/bin/sh
# A wall clock that is not what it was: not set when the gateway starts, and hours later from one
# moment to the next, as after a suspend.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"
# shellcheck source=tests/integration/load-lib.sh
. "${top_srcdir:-.}/tests/integration/load-lib.sh"

# set_clock SECONDS: ahead of the system's, or behind it; for the gateway and the cloud's broker
set_clock()
{
	echo "$1" >clock.new
	mv clock.new clock
}

# The gateway with the clock of the test.
begin_gateway()
{
	LD_PRELOAD=$preload ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-} \
		p11-gateway run -c "$work/gw.conf" >>"$work/gateway.log" 2>&1 &
	gateway_pid=$!
}

asked_twice()
{
	[ "$(grep -c 'the clock is not set' gateway.log)" -ge 2 ]
}

waits_for_a_clock()
{
	note "1970"
	set_clock "-$(date +%s)"
	begin_gateway
	check "it says that the clock is not set" wait_for 30 status '.uplink.last_error |
		test("the clock is not set: nothing is signed")'
	check "messages are taken" sends pump -t /devices/pump/events -m early
	check "it looks again" wait_for 60 asked_twice
	check "saying it once" same "$(grep -c 'warning: .*the clock is not set' gateway.log)" 1
	check "and signs nothing" status '.token.signatures == 0 and .token.sign_failures == 0'
	set_clock 0
	check "with the clock set it connects" wait_for 60 gateway_is up
	check "with one signature" status '.token.signatures == 1'
	check "what waited arrives" wait_for 30 has pump early
}

# Tokens of an hour are over by then, at both ends.
outlives_a_suspend()
{
	note "six hours later at once, under load"
	start_load 200
	wanted=500
	check "messages are taken" wait_for 60 more_taken
	set_clock 21600
	check "there is a new token" wait_for 30 status '.token.signatures == 2 and
		.token.jwt_seconds_left > 3000 and .token.jwt_seconds_left <= 3600'
	check "and a connection by it" wait_for 30 status '.uplink.connects == 2 and .uplink.state == "up"'
	end_load
	check "none was refused" not says 'p11_registry: refused' broker.log
}

main()
{
	need mosquitto jq sqlite3
	need_load
	preload=$build/tests/integration/.libs/wall-clock.so
	[ -e "$preload" ] || die "$preload is missing"
	# Each has its own folder: the file is named from there.
	WALL_CLOCK_FILE=clock
	export WALL_CLOCK_FILE
	begin_site_test softhsm
	start_site
	write_gateway_settings
	waits_for_a_clock
	outlives_a_suspend
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	end
}

main "$@"
