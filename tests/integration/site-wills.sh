#!/bin/sh
# The site's broker while clients with large last wills die: nobody is sent them, they do not stay
# in its memory, and a client beside them is served.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

plugin=$build/src/plugin/.libs/p11_site.so
python=/usr/bin/python3

# A will has 65535 bytes at most. All of them together are more than twice the bound.
clients=4000
will_bytes=65000
grows_bytes_max=$((64 * 1024 * 1024))

in_place=

# device NAME TOOL OPTION...: mosquitto's tool as a local device
device()
{
	name=$1 tool=$2
	shift 2
	${in_place:-} "$tool" -h 127.0.0.1 -p "$port" -i "$name" -u "$name" -P secret "$@"
}

rss_bytes()
{
	awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$broker_pid/status"
}

# is_sanitized: the broker's memory is then a sanitizer's more than its own, and tells nothing
is_sanitized()
{
	[ -n "$(sanitizer_runtime)" ]
}

has_published()
{
	grep -q publish latencies
}

# wills_are_over: those too that the broker delayed; each message gives it a turn
wills_are_over()
{
	device bridge mosquitto_pub -q 1 -t other -n
	[ "$(grep -c 'Expiring client dies' "$work/broker.log")" -ge $((clients / 20)) ]
}

survives_wills()
{
	"$python" -B "$top/tests/integration/innocent.py" "$port" innocent innocent latencies secret \
		>innocent.out 2>&1 &
	innocent=$!
	pids="$pids $innocent"
	(in_place='exec' && device listener mosquitto_sub -q 1 -t '/devices/#' -F '%t %r') \
		>listener.sub 2>&1 &
	pids="$pids $!"
	wait_for 20 has_published || die "the innocent client does not begin"
	before=$(rss_bytes)
	"$python" -B "$top/tests/integration/site-wills.py" "$port" one secret "$clients" "$will_bytes" \
		>let-in
	check "the clients came" same "$(cat let-in)" "$clients"
	check "the last of them is gone" wait_for 60 wills_are_over
	after=$(rss_bytes)
	echo "memory: $before bytes before, $after bytes after $clients wills of $will_bytes bytes"
	is_sanitized ||
		check "the broker's memory is bounded" test $((after - before)) -lt "$grows_bytes_max"
	kill "$innocent"
	ended=0
	wait "$innocent" || ended=$?
	check "the client beside them was never closed" same "$ended" 0
	cat innocent.out
	"$helpers/door" read "$work/spool" >spooled
	check "all that it was acknowledged is in the spool" \
		same "$(grep -c '^innocent 1 /devices/innocent/events ' spooled)" "$(cat innocent.out)"
	check "no will is" not says will spooled
}

reaches_nobody()
{
	check "a trusted listener has seen the messages" says '^/devices/innocent/events 0$' listener.sub
	check "and no will" not says will listener.sub
	device later mosquitto_sub -W 3 --retained-only -t '/devices/#' -F '%t %r' >later.sub 2>&1 || true
	check "none is retained" not says will later.sub
	check "the refusal is logged" log_says \
		'p11_site: refused client=(dies[0-9]*)? topic=/devices/dies[0-9]*/events/will reason=a last will'
	check "also of those that the broker delayed" log_says \
		'p11_site: refused client= topic=/devices/dies[0-9]*[13579]/events/will reason=a last will'
	check "and does not fill the log" \
		test "$(grep -c 'p11_site: refused' "$work/broker.log")" -lt 1000
}

main()
{
	need mosquitto mosquitto_passwd "$python"
	begin_broker_test
	: >"$work/passwd"
	for name in one innocent bridge listener later; do
		mosquitto_passwd -b "$work/passwd" "$name" secret
	done
	printf 'pattern readwrite #\n' >"$work/acl"
	# Brokers before 2.0.15 give plugins no time with settings for each listener.
	for per_listener in false true; do
		note "per_listener_settings $per_listener"
		rm -rf "$work/spool"
		start_plain_broker "plugin_opt_spool $work/spool" \
			"plugin_opt_socket $work/site.sock" \
			"plugin_opt_trusted listener" "plugin_opt_trusted later"
		survives_wills
		reaches_nobody
		stop_others
		pids=
		end_broker
	done
	end
}

main "$@"
