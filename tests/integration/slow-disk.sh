#!/bin/sh
# The site's broker while its disk hangs, and while it is slow: other clients are answered, what is
# not in the spool is refused, and nothing that was taken is missing.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

plugin=$build/src/plugin/.libs/p11_site.so

# start_on_slow_disk LINE...: a broker whose spool is on a disk that hangs while ./hangs is there
start_on_slow_disk()
{
	rm -rf "$work/spool" hangs pings
	preload=$helpers/.libs/slow-disk.so
	SLOW_DISK=$work/hangs
	SLOW_DISK_DIR=$work/spool
	export SLOW_DISK SLOW_DISK_DIR
	start_plain_broker "plugin_opt_spool $work/spool" "plugin_opt_socket $work/site.sock" \
		"plugin_opt_disk_timeout 1000" "$@"
	"$python" -B "$top/tests/integration/ping.py" "$port" pings secret 2>ping.err &
	pinger=$!
	pids="$pids $pinger"
	wait_for 20 pinged 1 || die "the broker does not answer a PING"
}

# pinged N: whether so many PINGs were answered
pinged()
{
	[ -e pings ] && [ "$(wc -l <pings)" -ge "$1" ]
}

# more_pings WHAT: that the broker answers more of them
more_pings()
{
	n=$(wc -l <pings)
	check "$1 (longest wait: $(sort -n pings | tail -n 1) ms)" wait_for 30 pinged $((n + 10))
}

# publishes VERSION TEXT...: as one; what was acknowledged is noted
publishes()
{
	version=$1
	shift
	for text in "$@"; do
		timeout 30 mosquitto_pub -h 127.0.0.1 -p "$port" -i one -u one -P secret -q 1 \
			-V "$version" -t /devices/one/events -m "$text" >answer 2>&1 || return
		! grep -q 'Not authorized' answer || return
		echo "$text" >>taken
	done
}

count()
{
	grep -c -- "$1" "$work/broker.log" || true
}

# all_taken_is_there: whether the spool has what devices were told it has
all_taken_is_there()
{
	"$helpers/door" read "$work/spool" | awk '{ print $5 }' | sort -u >there
	sort taken | comm -23 - there >missing
	cat missing
	[ -s taken ] && [ ! -s missing ]
}

hangs_with_power()
{
	note "durability = power"
	: >taken
	start_on_slow_disk "plugin_opt_durability power"
	check "messages are taken" publishes mqttv5 p1 p2 p3
	: >hangs
	check "while the disk hangs a message is refused" not publishes mqttv5 p4
	check "of which MQTT 5 hears" says 'Not authorized' answer
	check "and so are others" not publishes mqttv5 p5
	check "whose connection is closed with 3.1.1" not publishes mqttv311 p6
	more_pings "while it hangs the broker answers others"
	check "it is said" log_says \
		'p11_site: messages are not taken: the disk has not answered for [0-9]+ ms'
	check "once" same "$(count 'messages are not taken')" 1
	rm hangs
	check "when the disk is back they are taken" wait_for 30 publishes mqttv311 p7
	check "which is said too" log_says 'p11_site: messages are taken again refused=[0-9]'
	check "what was taken is there" all_taken_is_there
	kill "$pinger"
	end_broker
}

# Half of a second each: never a whole bound, but all the time.
is_slow_with_power()
{
	note "a slow disk"
	: >taken
	start_on_slow_disk "plugin_opt_durability power"
	check "messages are taken" publishes mqttv5 s1
	echo 500 >hangs
	for n in 1 2 3 4 5 6 7 8; do
		seq "$n"001 "$n"020 | timeout 60 mosquitto_pub -h 127.0.0.1 -p "$port" -i "many$n" \
			-u one -P secret -q 1 -V mqttv5 -t "/devices/many$n/events" -l \
			>"many$n.out" 2>&1 &
		pids="$pids $!"
	done
	check "some of many are refused" wait_for 30 log_says 'p11_site: messages are not taken'
	more_pings "others are answered"
	rm hangs
	check "when it is quick again they are taken" wait_for 30 publishes mqttv5 s2
	check "what was taken is there" all_taken_is_there
	kill "$pinger"
	end_broker
}

# Without a front in memory a thread writes, as with power.
hangs_without()
{
	note "durability = process, no front"
	: >taken
	start_on_slow_disk "plugin_opt_front none"
	check "messages are taken" publishes mqttv5 k1 k2
	: >hangs
	check "while the disk hangs a message is refused" not publishes mqttv5 k3
	more_pings "and the broker answers others"
	rm hangs
	check "when the disk is back messages are taken" wait_for 30 publishes mqttv5 k4
	check "what was taken is there" all_taken_is_there
	kill "$pinger"
	end_broker
}

# fills N: as many messages of 200,000 bytes at once; what was taken is in `filled`
fills()
{
	head -c 200000 /dev/zero | tr '\0' l >large
	: >filled
	for n in $(seq "$1"); do
		timeout 30 mosquitto_pub -h 127.0.0.1 -p "$port" -i "fill" -u one -P secret -q 1 \
			-V mqttv5 -t /devices/fill/events -f large >answer 2>&1 || return
		! grep -q 'Not authorized' answer || return
		echo "$n" >>filled
	done
}

# In memory there is room for 16 MB.
hangs_with_a_front()
{
	note "durability = process, with a front"
	: >taken
	start_on_slow_disk "plugin_opt_front $memory"
	check "it is said where they are first" log_says "messages go to $work/spool, first to memory in $memory,"
	check "messages are taken" publishes mqttv5 f1 f2
	: >hangs
	check "while the disk hangs they are taken too" publishes mqttv311 f3 f4
	check "and can be read" all_taken_is_there
	check "until there are many" not fills 100
	check "of which MQTT 5 hears" says 'Not authorized' answer
	check "as many as there is room for" test "$(wc -l <filled)" -gt 60
	more_pings "the broker answers others"
	rm hangs
	check "when the disk is back messages are taken" wait_for 30 publishes mqttv5 f5
	check "what was taken is there" all_taken_is_there
	kill "$pinger"
	end_broker
	check "nothing stays in memory" test -z "$(ls "$memory")"
	check "and all of it is on the disk" all_taken_is_there
}

main()
{
	python=/usr/bin/python3
	need mosquitto mosquitto_passwd "$python"
	begin_broker_test
	: >"$work/passwd"
	for name in one pinger; do
		mosquitto_passwd -b "$work/passwd" "$name" secret
	done
	printf 'pattern readwrite #\n' >"$work/acl"
	make_memory
	hangs_with_power
	is_slow_with_power
	hangs_without
	hangs_with_a_front
	end
}

main "$@"
