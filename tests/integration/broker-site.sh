#!/bin/sh
# The site's broker with p11_site.so: what devices send is in the spool before they are told so,
# each speaks only for itself, and what a gateway brings reaches them.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

plugin=$build/src/plugin/.libs/p11_site.so

# started_with LINE...: a broker with these options besides where everything is
started_with()
{
	[ -z "$broker_pid" ] || end_broker
	start_plain_broker "plugin_opt_spool $work/spool" "plugin_opt_socket $work/site.sock" "$@"
}

# device NAME TOOL OPTION...: mosquitto's tool as a local device; every one has the same password
device()
{
	name=$1 tool=$2
	shift 2
	# shellcheck disable=SC2031 # set where it is wanted
	${in_place:-} "$tool" -h 127.0.0.1 -p "$port" -i "$name" -u "${user:-$name}" -P secret "$@"
}

publishes()
{
	name=$1
	shift
	device "$name" mosquitto_pub -V "${version:-mqttv311}" -q 1 "$@"
}

# spooled LINE: whether the spool has this message: DEVICE QOS TOPIC LENGTH TEXT
spooled()
{
	"$helpers/door" read "$work/spool" >spooled
	grep -Fxq -- "$1" spooled
}

n_spooled()
{
	"$helpers/door" read "$work/spool" | wc -l
}

# subscribe NAME FILTER [OPTION...]: in the background, into NAME.sub, of a path its last part
subscribe()
{
	name=$1 filter=$2
	shift 2
	: >"${name##*/}.sub"
	mark
	(in_place='exec' && device "$name" mosquitto_sub -q 1 -t "$filter" -F '%t %r %p' "$@") \
		>"${name##*/}.sub" 2>&1 &
	subscriber=$!
	pids="$pids $subscriber"
	wait_for 20 since "Sending SUBACK to $name\$" || die "$name cannot subscribe"
}

# enter: a gateway at the socket; it says what it hears in `heard`, and delivers what is put there
enter()
{
	rm -f orders
	mkfifo orders
	: >heard
	"$helpers/door" "$work/site.sock" <orders >heard 2>&1 &
	door=$!
	pids="$pids $door"
	exec 3>orders
}

leave()
{
	kill "$door"
	wait "$door" || true
	exec 3>&-
}

heard()
{
	wait_for 20 says "$1" heard
}

takes()
{
	started_with
	check "an event is taken" publishes one -t /devices/one/events/in -m hello
	check "and is in the spool" spooled 'one 1 /devices/one/events/in 5 hello'
	check "a state too" publishes one -q 0 -t /devices/one/state -m warm
	check "with its QoS" wait_for 20 spooled 'one 0 /devices/one/state 4 warm'
	check "other topics are the broker's own affair" publishes one -t building/light -m on
	check "and not in the spool" not spooled 'one 1 building/light 2 on'
	head -c 262144 /dev/zero | tr '\0' x >largest
	check "the largest is taken" publishes one -t /devices/one/events -f largest
	check "whole" spooled 'one 1 /devices/one/events 262144 '
}

# Nothing that is refused looks as if it were taken: 3.1.1 has no other way to say so than the end.
speaks_for_itself()
{
	before=$(n_spooled)
	for topic in /devices/two/events /devices/two/state /devices/one/config /devices/two/attach \
		/devices/one/events/bad//folder "/devices/one/events/sp ace" /devices/one /devices//events; do
		mark
		check "'$topic' is refused" not publishes one -t "$topic" -m planted
		check "and said to be" logged 'p11_site: refused client=one topic='
		version=mqttv5
		publishes one -t "$topic" -m planted >answer 2>&1 || true
		unset version
		check "MQTT 5 hears so" says 'Not authorized' answer
	done
	check "QoS 2 is refused" not publishes one -q 2 -t /devices/one/events -m planted
	head -c 262145 /dev/zero | tr '\0' x >too-large
	check "an event too large is refused" not publishes one -t /devices/one/events -f too-large
	head -c 65537 largest >too-large
	check "a state too large is refused" not publishes one -t /devices/one/state -f too-large
	head -c 17409 largest >too-large
	check "an attach too large is refused" not publishes one -t /devices/one/attach -f too-large
	head -c 17408 largest >large
	check "the largest is taken" publishes one -t /devices/one/attach -f large
	check "nothing of it is in the spool" same "$(n_spooled)" "$before"
}

# However often: the log is for people to read, and on the same disk as the spool.
is_not_shouted_down()
{
	mark
	seq 2000 | device one mosquitto_pub -q 0 -t /devices/two/events -l
	check "what is refused again and again is counted" wait_for 20 is_counted
	tail -n "+$((marked + 1))" "$work/broker.log" | grep 'p11_site: refused client=one' >refused
	check "and does not fill the log" test "$(wc -l <refused)" -lt 300
}

is_counted()
{
	publishes one -t /devices/two/events -m planted 2>/dev/null || true
	since 'p11_site: refused client=one .* unrecorded=[0-9]'
}

# What no client library would send.
is_attacked()
{
	before=$(n_spooled)
	check "nothing is taken that must not be" \
		/usr/bin/python3 -B "$top/tests/integration/site-attack.py" "$port" secret
	check "too much to be kept for gateways is said once" \
		same "$(grep -c 'messages are not taken: all that devices ask' "$work/broker.log")" 1
	check "what was allowed is in the spool, and no more" same "$(n_spooled)" $((before + 5000))
	check "nothing of the rest" not says planted spooled
}

listens_to_itself()
{
	subscribe one '/devices/one/commands/#'
	subscribe two '#'
	listener=$subscriber
	device any mosquitto_sub -W 2 -t '/devices/one/config' >refused.sub 2>&1 || true
	check "another's config cannot be subscribed to" says 'All subscription requests were denied' \
		refused.sub
	subscribe bridge '#'
	check "an event is taken" publishes any -t /devices/any/events -m seen
	check "one who is trusted sees it" wait_for 20 says '^/devices/any/events 0 seen' bridge.sub
	enter
	echo '/devices/one/commands/go 1 pass now' >&3
	check "a command reaches its device" wait_for 20 says '^/devices/one/commands/go 0 now' one.sub
	echo '/devices/two/config 1 keep blue' >&3
	echo 'building/light 0 pass off' >&3
	check "any topic can be delivered to" wait_for 20 says '^building/light 0 off' two.sub
	check "and what is its own" says '^/devices/two/config 0 blue' two.sub
	check "nobody saw another's command, or event" not says 'devices/(one|any)' two.sub
	kill "$listener"
	subscribe two /devices/two/config
	check "a config is kept for who subscribes later" \
		wait_for 20 says '^/devices/two/config 1 blue' two.sub
	leave
}

# A device's program as it was written for Cloud IoT Core: its client id is a path, its user any.
speaks_as_in_the_cloud()
{
	path=projects/p/locations/l/registries/reg/devices user=unused
	check "it publishes as its device" \
		publishes "$path/pump" -t /devices/pump/events/in -m pumped
	check "which it is in the spool" spooled 'pump 1 /devices/pump/events/in 6 pumped'
	check "not as another" not publishes "$path/pump" -t /devices/one/events -m planted
	check "nor as what only looks so" \
		not publishes "$path/pump/" -t /devices/pump/events -m planted
	check "nor by the whole id" not publishes "$path/pump" -t "/devices/$path/pump/events" -m planted
	subscribe "$path/pump" /devices/pump/config -t '/devices/pump/commands/#'
	device "$path/pump2" mosquitto_sub -W 2 -t /devices/pump/config >refused.sub 2>&1 || true
	check "another's config cannot be subscribed to" says 'All subscription requests were denied' \
		refused.sub
	enter
	check "a gateway hears of it" heard '^present pump $'
	echo '/devices/pump/config 1 keep fast' >&3
	echo '/devices/pump/commands/go 1 pass now' >&3
	check "its config reaches it" wait_for 20 says '^/devices/pump/config 0 fast' pump.sub
	check "its commands too" wait_for 20 says '^/devices/pump/commands/go 0 now' pump.sub
	first=$subscriber
	unset user
	subscribe pump /devices/pump/config
	mark
	kill "$first"
	wait_for 20 since "Client $path/pump disconnected" || die "$path/pump stays"
	publishes one -t /devices/one/state -m on
	heard '^gone one '
	check "by two ids it is one device, there while one is" not says '^gone pump' heard
	kill "$subscriber"
	check "and gone with the other" heard '^gone pump '
	leave
}

# More than the broker takes in one of its turns, with nothing behind it that would wake it.
brings_many()
{
	subscribe two 'building/#'
	enter
	seq -f 'building/light 0 pass %g' 600 >&3
	check "all of many are delivered" wait_for 20 says '^building/light 0 600$' two.sub
	check "none of them twice" same "$(grep -c '^building/light' two.sub)" 600
	leave
}

# asks_for_nothing: a device that asks to be attached without a word, and stays
asks_for_nothing()
{
	(in_place='exec' && device any mosquitto_pub -q 1 -t /devices/any/attach -n --repeat 2 \
		--repeat-delay 120) >asks.out 2>&1 &
	pids="$pids $!"
}

# Configs of a gateway, for as many devices as it names, are kept in the broker's memory.
keeps_no_more_than_it_may()
{
	started_with "plugin_opt_trusted bridge" 'plugin_opt_max_retained_size 1M'
	subscribe two /devices/two/config
	enter
	seq -f "/devices/d%g/config 1 keep $(head -c 60000 /dev/zero | tr '\0' x)" 40 >&3
	echo '/devices/two/commands/after 1 pass this' >&3
	echo '/devices/two/config 1 keep no room' >&3
	check "it is said that there is no more room" wait_for 20 log_says \
		'p11_site: messages of a gateway are not delivered: .*plugin_opt_max_retained_size'
	seq -f '/devices/d%g/config 1 keep small' 10 >&3
	echo '/devices/two/config 1 keep small' >&3
	check "what takes the place of others is delivered" \
		wait_for 20 says '^/devices/two/config 0 small$' two.sub
	(in_place='exec' && device bridge mosquitto_sub -W 3 -t '/devices/+/config' -F '%t') >kept.sub || true
	check "and no more is kept than may be" test "$(wc -l <kept.sub)" -ge 10 -a "$(wc -l <kept.sub)" -lt 20
	leave
}

tells_who_is_there()
{
	subscribe one '/devices/one/commands/#'
	enter
	check "a gateway hears who is there" heard '^present one '
	check "an attach is taken" publishes two -t /devices/two/attach -m '{"authorization":"secret"}'
	check "the gateway hears it" heard '^attach two {"authorization":"secret"}'
	check "and that it has gone" heard '^gone two '
	check "it is not in the spool" not says attach spooled
	subscribe two '/devices/two/config'
	check "and there again" heard '^present two '
	leave
	enter
	check "one that comes later hears the same" heard '^present one '
	asks_for_nothing
	check "an attach without a body is heard" heard '^attach any $'
	leave
	enter
	check "and by one that comes later" heard '^attach any $'
	leave
}

# A gateway that reads nothing for a while keeps its connection, whatever one device asks for.
is_not_flooded_with_attaches()
{
	enter
	check "a gateway hears who is there" heard '^present one '
	kill -STOP "$door"
	seq -f "%g $(head -c 17000 /dev/zero | tr '\0' x)" 1000 |
		device two mosquitto_pub -l -q 0 -t /devices/two/attach
	check "most of what one device asks for is refused" wait_for 20 log_says \
		'p11_site: refused client=two topic=/devices/two/attach reason=.* once a second'
	kill -CONT "$door"
	check "the first is heard" heard '^attach two 1 x'
	check "and the gateway is still connected" heard '^gone two '
	check "others may ask" publishes one -t /devices/one/attach -m asks
	check "and are heard" heard '^attach one asks'
	leave
}

bridges()
{
	check "one who is trusted speaks for others" \
		publishes bridge -t /devices/far/events -m bridged
	check "by their names" spooled 'far 1 /devices/far/events 7 bridged'
	started_with "plugin_opt_topic building/+/temperature" "plugin_opt_identity username" \
		"plugin_opt_trusted bridge"
	check "a topic of the map is taken" publishes one -t building/1/temperature -m 21
	check "for who published it" spooled 'one 1 building/1/temperature 2 21'
	check "another is not" publishes one -t building/1/light -m on
	check "so it is" not spooled 'one 1 building/1/light 2 on'
	user=two
	check "a user name may say who a client is" publishes any -t /devices/two/events -m two
	check "and its id does not" not publishes any -t /devices/any/events -m any
	unset user
}

# The least a spool may have is four segments; each message a quarter of a megabyte.
full()
{
	rm -rf "$work/spool"
	started_with "plugin_opt_max_size 4M"
	n=0
	while [ "$n" -lt 40 ] && publishes one -t /devices/one/events -f largest 2>>full.err; do
		n=$((n + 1))
	done
	check "a full spool takes no more" test "$n" -ge 4 -a "$n" -lt 17
	check "which is said" log_says 'p11_site: messages are not taken: .*full'
	version=mqttv5
	publishes one -t /devices/one/events -f largest >answer 2>&1 || true
	unset version
	check "MQTT 5 hears so" says 'Not authorized' answer
	check "what was taken is there" same "$(n_spooled)" "$n"
	end_broker
	start_plain_broker "plugin_opt_spool $work/spool" "plugin_opt_socket $work/site.sock" \
		"plugin_opt_max_size 4M" "plugin_opt_when_full drop-oldest"
	check "with another policy there is room" publishes one -t /devices/one/events -f largest
}

# refuses_to_start PATTERN LINE...: with these options
refuses_to_start()
{
	pattern=$1
	shift
	write_settings "$@"
	run_broker && die "it starts with '$*'"
	wait "$broker_pid" || true
	broker_pid=
	check "it does not start with '$*'" log_says "p11_site: .*$pattern"
}

options_are_checked()
{
	where="plugin_opt_spool $work/spool"
	refuses_to_start 'plugin_opt_max_size' "$where" 'plugin_opt_max_size 1M'
	refuses_to_start 'plugin_opt_when_full' "$where" 'plugin_opt_when_full wait'
	refuses_to_start 'durability' "$where" 'plugin_opt_durability none'
	refuses_to_start 'identity' "$where" 'plugin_opt_identity name'
	refuses_to_start 'is no filter' "$where" 'plugin_opt_topic a/#/b'
	refuses_to_start 'are taken anyway' "$where" 'plugin_opt_topic /devices/#'
	refuses_to_start 'unknown option' "$where" 'plugin_opt_unknown 1'
	refuses_to_start 'not a tmpfs' "$where" 'plugin_opt_front /proc'
	refuses_to_start 'no/such' "$where" 'plugin_opt_front /no/such/folder'
	refuses_to_start 'no/such' "plugin_opt_spool $work/no/such/spool"
	refuses_to_start 'socket' "$where" "plugin_opt_socket $work/no/such/socket"
}

# A user name says who a client is only where the broker checks it.
needs_user_names_that_are_checked()
{
	where="plugin_opt_spool $work/spool"
	refuses_to_start "identity username needs 'allow_anonymous false'.*set it to false" "$where" \
		'plugin_opt_identity username' 'allow_anonymous true'
	mkdir more
	echo 'allow_anonymous true' >more/site.conf
	refuses_to_start "identity username needs 'allow_anonymous false'" "$where" \
		'plugin_opt_identity username' "include_dir $work/more"
	per_listener=true
	refuses_to_start "identity username needs 'allow_anonymous false'" "$where" \
		'plugin_opt_identity username' 'allow_anonymous true'
	unset per_listener
	start_plain_broker "$where" "plugin_opt_socket $work/site.sock" 'plugin_opt_identity username'
	check "one who gives a password is a device" publishes one -t /devices/one/events -m proven
	echo 'allow_anonymous true' >>mosquitto.conf
	kill -HUP "$broker_pid"
	check "a change while it runs is noticed" wait_for 20 log_says \
		"p11_site: no client is accepted as a device: .*'allow_anonymous false'"
	check "and nobody is a device" not publishes one -t /devices/one/events -m planted
	sed -i '$ d' mosquitto.conf
	kill -HUP "$broker_pid"
	check "until it is taken back" wait_for 20 publishes one -t /devices/one/events -m again
	end_broker
	start_plain_broker "$where" "plugin_opt_socket $work/site.sock" \
		'plugin_opt_identity client-id' 'allow_anonymous true'
	check "a client id needs no password" \
		mosquitto_pub -h 127.0.0.1 -p "$port" -i one -q 1 -t /devices/one/events -m free
	end_broker
}

# has_in_spool TEXT: whether a message with it is in the other spool
has_in_spool()
{
	"$helpers/door" read "$work/other" | grep -q -- " $1\$"
}

# first_in PATTERN LINE...: what a broker with these options says of where messages are first
first_in()
{
	pattern=$1
	shift
	start_plain_broker "plugin_opt_spool $work/other" "$@"
	check "with '$*'" log_says "p11_site: messages go to $work/other$pattern"
	first=$((${first:-0} + 1))
	check "a message is taken" publishes one -t /devices/one/events -m "first$first"
	check "and is there" has_in_spool "first$first"
	end_broker
}

chooses_where_messages_are_first()
{
	make_memory
	mkdir "$memory/told"
	first_in ", first to memory in $memory, gate" "plugin_opt_socket $memory/site.sock"
	first_in ", first to memory in $memory/told, gate" "plugin_opt_socket $memory/site.sock" \
		"plugin_opt_front $memory/told"
	first_in ', gate' "plugin_opt_socket $memory/site.sock" 'plugin_opt_front none'
	first_in ', gate' "plugin_opt_socket $memory/site.sock" 'plugin_opt_durability power'
}

main()
{
	need mosquitto mosquitto_passwd /usr/bin/python3
	begin_broker_test
	: >"$work/passwd"
	for name in one two any bridge pump unused; do
		mosquitto_passwd -b "$work/passwd" "$name" secret
	done
	printf 'pattern readwrite #\n' >"$work/acl"
	started_with "plugin_opt_trusted bridge"
	end_broker
	takes
	started_with "plugin_opt_trusted bridge"
	speaks_for_itself
	is_not_shouted_down
	is_attacked
	listens_to_itself
	speaks_as_in_the_cloud
	brings_many
	keeps_no_more_than_it_may
	tells_who_is_there
	is_not_flooded_with_attaches
	bridges
	full
	end_broker
	chooses_where_messages_are_first
	options_are_checked
	needs_user_names_that_are_checked
	end
}

main "$@"
