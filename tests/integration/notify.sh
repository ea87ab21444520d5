#!/bin/sh
# What a gateway tells systemd: that it is ready, alive, reads its settings again or ends, and in
# words for people what it is at.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

# listens NAME: in systemd's place, into the file `told`; to the gateway alone, for mosquitto would
# speak to it too
listens()
{
	socket=$1
	: >told
	python3 "$top/tests/integration/notify.py" "$1" >told 2>&1 &
	pids="$pids $!"
	wait_for 20 says '^listening$' told || { cat told; die "nobody listens at $1"; }
}

# starts_told [NAME=VALUE...]: a gateway that knows who listens, and has this environment besides
starts_told()
{
	gateway_as="env NOTIFY_SOCKET=$socket $*"
	start_gateway
}

# tells PATTERN: whether a datagram is this, whole
tells()
{
	says "^[0-9]+ $1\$" told
}

# tells_times TIMES PATTERN: whether so many are
tells_times()
{
	same "$(grep -Ec "^[0-9]+ $2\$" told)" "$1"
}

# first COUNT: of what was told, but for the watchdog's
first()
{
	sed '1d; s/^[0-9]* //; /^WATCHDOG=/d' told | head -n "$1"
}

url()
{
	echo "mqtts://$host:$port"
}

says_what_it_is_at()
{
	note "its state"
	check "it is ready, and then says how far it is" same "$(first 4)" "READY=1
STATUS=signing: $(url)
STATUS=connecting: $(url)
STATUS=connecting: $(url)"
	check "it says where it is connected" wait_for 20 tells "STATUS=up: $(url)"
	stop_broker
	check "when it is not, why" wait_for 20 tells_why
	: >"$work/broker.log"
	LD_PRELOAD=${ASAN_RUNTIME:-} mosquitto -c "$work/mosquitto.conf" >>"$work/broker.out" 2>&1 &
	broker_pid=$!
	check "it is up again" wait_for 30 gateway_is up
	check "and says so" wait_for 20 tells_times 2 "STATUS=up: $(url)"
	check "that is no news of its start" tells_times 1 READY=1
}

tells_why()
{
	status '.uplink.state == "waiting"' &&
		[ "$(sed -n 's/^[0-9]* STATUS=//p' told | tail -n 1)" = \
			"waiting: $(jq -r .uplink.last_error status.json)" ]
}

# is_alive: it has said so eleven times
is_alive()
{
	[ "$(grep -c 'WATCHDOG=1$' told)" -ge 11 ]
}

# is_punctual: half of the times after no more than 3/4 of the second that it has; others may be late
# where other work keeps the processors busy
is_punctual()
{
	awk '$2 == "WATCHDOG=1" { if (at) print $1 - at; at = $1 }' told | sort -n |
		awk '{ gap[NR] = $1 } END { half = gap[int((NR + 1) / 2)]; print half
			exit half > 750000 }'
}

# The microseconds are of the clock that the listener notes, not later and not long before.
says_when()
{
	awk '$2 == "RELOADING=1" { sub("MONOTONIC_USEC=", "", $3); before = $1 - $3; n++ }
		END { print before; exit n != 1 || before < 0 || before > 60e6 }' told
}

reads_settings_again()
{
	note "SIGHUP"
	kill -HUP "$gateway_pid"
	check "it is ready again" wait_for 20 tells_times 2 READY=1
	check "after it said that it was not" same "$(first 1000 |
		sed -n 's/ MONOTONIC_USEC=[0-9]*$//; /^STATUS=/d; p')" 'READY=1
RELOADING=1
READY=1'
	check "and since when" says_when
	echo 'keep-alive = never' >>gw.conf
	kill -HUP "$gateway_pid"
	check "settings that are wrong leave it ready too" wait_for 20 tells_times 3 READY=1
	write_gateway_settings
}

ends()
{
	note "SIGTERM"
	check "it does not say that it ends before it does" not tells STOPPING=1
	stop_gateway TERM
	check "it ends in order" same "$ended" 0
	check "and says so" wait_for 20 tells STOPPING=1
	check "as people see it too" wait_for 20 tells STATUS=stopping
}

# Who has no watchdog, or one that is not meant for it, says nothing of it.
is_not_watched()
{
	note "a name without a file"
	stop_others
	listens "@p11gw-test-$$"
	starts_told WATCHDOG_USEC=20000 WATCHDOG_PID=$$
	check "it is told there too" wait_for 20 tells "STATUS=up: $(url)"
	check "it is ready" tells_times 1 READY=1
	stop_gateway TERM
	check "and ends" wait_for 20 tells STOPPING=1
	check "without a word to another's watchdog" tells_times 0 WATCHDOG=1
	starts_told
	stop_gateway TERM
	check "nor to none" tells_times 0 WATCHDOG=1
}

main()
{
	need mosquitto jq python3
	begin_site_test softhsm
	start_site
	write_gateway_settings
	listens "$work/notify.sock"
	# shellcheck disable=SC2016 # it is for another shell
	echo 'WATCHDOG_PID=$$ exec "$@"' >as-systemd
	starts_told WATCHDOG_USEC=1000000 sh as-systemd
	says_what_it_is_at
	check "it says that it is alive" wait_for 30 is_alive
	check "twice a second, for it has one" is_punctual
	reads_settings_again
	ends
	is_not_watched
	end
}

main "$@"
