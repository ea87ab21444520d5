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

# is_looked_after: whether the site's broker has judged what is old since it was started: it saves the
# ages behind that
is_looked_after()
{
	[ -n "$(find "$work/spool" -name ages -newer started)" ]
}

# starts_site AHEAD: the site's broker anew, with a wall clock so many seconds ahead of the system's
starts_site()
{
	stop_site
	set_clock "$1"
	: >started
	start_site
	check "the spool is looked after with a clock $1 s ahead" wait_for 30 is_looked_after
}

# is_waiting N: whether so many messages are in the spool, and none was dropped
is_waiting()
{
	p11-gateway spool show --spool "$work/spool" --json >show.json &&
		jq -e ".readers[0].waiting == $1 and .dropped == []" show.json
}

# Messages are kept for 30 days; a clock that is wrong by more makes none of them old.
drops_nothing()
{
	note "the site's broker with a clock that is wrong, and then right"
	stop_gateway
	site_as="env LD_PRELOAD=${ASAN_RUNTIME:+$ASAN_RUNTIME:}$preload
		ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0:${ASAN_OPTIONS:-}"
	day=86400
	n=0
	for ahead in 0 $((60 * day)) 0 "-$(date +%s)" $((-900 * day)) 0; do
		starts_site "$ahead"
		n=$((n + 1))
		check "a message is taken" sends lamp -t /devices/lamp/events -m "clock $n"
		check "none was dropped" is_waiting "$n"
	done
	site_as=
	starts_site 0
	begin_gateway
	for i in $(seq "$n"); do
		check "message $i arrives" wait_for 60 has lamp "clock $i"
	done
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
	drops_nothing
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	end
}

main "$@"
