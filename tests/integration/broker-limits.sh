#!/bin/sh
# Each limit bites, says so, and costs nobody else anything; topics that are none are refused.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

# started_with OPTION...: a broker with these options
started_with()
{
	[ -z "$broker_pid" ] || end_broker
	start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB" "$@"
}

publishes()
{
	client mosquitto_pub good -q 1 "$@"
}

# bitten REASON OPTION...: a message that is over a limit closes the connection
bitten()
{
	reason=$1
	shift
	mark
	client mosquitto_pub good -q 0 "$@" || true
	check "it is closed: $reason" logged "p11_registry: closed client=$base/good reason=$reason"
}

sizes()
{
	started_with "plugin_opt_max_event_bytes 100" "plugin_opt_max_state_bytes 50"
	head -c 100 /dev/zero | tr '\0' x >hundred
	head -c 101 /dev/zero | tr '\0' x >too-much
	check "an event of the limit's size is taken" publishes -t /devices/good/events -f hundred
	bitten 'a payload of 101 bytes is over the limit of 100' -t /devices/good/events -f too-much
	bitten 'a payload of 100 bytes is over the limit of 50' -t /devices/good/state -f hundred
}

# Rates are averages over five seconds.
rates()
{
	started_with "plugin_opt_max_messages_per_s 2"
	seq 200 >lines
	bitten 'more than 2 messages in a second' -t /devices/good/events -l <lines
	check "a device that stays below is not closed" \
		wait_for 20 publishes -t /devices/good/events -m below
	started_with "plugin_opt_max_bytes_per_s 20"
	bitten 'more than 20 bytes in a second' -t /devices/good/events -l <lines
	listen good -t '/devices/good/commands/#'
	check "a command is sent" send_command good "$(cat hundred)"
	check "one more is too much, and who sends it is told" \
		refused_command 'FAILED_PRECONDITION: .*more than 20 bytes in a second'
	kill "$listener"
	started_with "plugin_opt_max_states_per_s 1"
	bitten 'more than 1 states in a second' -t /devices/good/state -l <lines
	started_with "plugin_opt_max_states_per_s 0"
	check "without a limit there is none" client mosquitto_pub good -q 1 -t /devices/good/state -l <lines
}

refused_command()
{
	! send_command good "$(cat hundred)" 2>said || return 1
	says "$1" said
}

# The raw client tells of each device whether it was attached; it detaches each again.
attached()
{
	started_with "plugin_opt_max_attached 2"
	check "two attach, and a third does not" "$helpers/topics" "$port" "$work" attached
	check "the log says why" logged 'attach refused .*device=three reason=2 devices are attached'
}

# wrongs EVENT TOPIC: what a gateway does wrong 200 times is told to the operator now and then
wrongs()
{
	told="p11_registry: $1 client=$base/gateway"
	started_with
	rm -f into
	mkfifo into
	mark
	(in_place='exec' && client mosquitto_pub gateway -q 1 -t "$2" -l) <into >pub.out 2>&1 &
	publisher=$!
	pids="$pids $publisher"
	exec 3>into
	cat lines >&3
	check "a gateway does wrong 200 times: $1" logged "Sending PUBACK to $base/gateway .m200, "
	check "some of them are logged" since "$told device="
	check "and not all" test "$(grep -c "$told" "$work/broker.log")" -lt 100
	check "how many were not is said later" wait_for 20 told_later
	cat lines >&3
	exec 3>&-
	check "and at the end" logged "p11_registry: disconnected client=$base/gateway unrecorded=[0-9]+ "
	wait "$publisher" || true
}

told_later()
{
	echo once-more >&3
	since "$told unrecorded=[0-9]+ device="
}

# seen_with FORMAT: what a service client sees of the next event, in `seen`
seen_with()
{
	rm -f seen
	mark
	(in_place='exec' && backend mosquitto_sub -V mqttv5 -t 'projects/+/topics/#' -C 1 -F "$1") \
		>seen 2>&1 &
	pids="$pids $!"
	check "a service client subscribes" wait_for 20 since 'Sending SUBACK to backend'
	check "an event is taken" publishes -V mqttv5 -t /devices/good/events/in -m here \
		-D publish user-property deviceId other
	check "the service client sees it" wait_for 20 says 'devices/good/events/in here' seen
}

attributes()
{
	started_with
	seen_with '%t %p %P'
	check "an event has its attributes" says 'deviceId:good.*subFolder:in' seen
	started_with "plugin_opt_attributes false"
	seen_with '%t %p %P'
	check "without them it has none, not even the device's own" not says deviceId seen
}

bad_topics()
{
	started_with
	check "what is no topic of a device is refused" "$helpers/topics" "$port" "$work" topics
	cat "$work/check.out"
	check "and nothing of it is kept" not stored planted
}

# A connection whose keep-alive is longer than that may be silent for so long and no longer.
idle()
{
	started_with "plugin_opt_idle_s 1"
	mark
	(in_place='exec' && client mosquitto_sub good -k 100 -q 1 -t /devices/good/config) \
		>idle.out 2>&1 &
	pids="$pids $!"
	check "a silent connection is closed" \
		logged "p11_registry: closing client=$base/good reason=nothing was heard of it"
}

options_are_checked()
{
	for line in 'plugin_opt_max_event_bytes 0' 'plugin_opt_max_attached many' \
		'plugin_opt_idle_s -1' 'plugin_opt_max_states_per_s 1x' 'plugin_opt_attributes perhaps' \
		'plugin_opt_unknown 1'; do
		write_settings "plugin_opt_db_file $P11_REGISTRY_DB" "$line"
		run_broker && die "it starts with '$line'"
		wait "$broker_pid" || true
		broker_pid=
		name=$(echo "$line" | sed 's/plugin_opt_\([a-z_]*\) .*/\1/' | tr _ .)
		check "'$line' is refused" log_says "p11_registry: .*$name"
	done
}

main()
{
	need mosquitto mosquitto_passwd openssl sqlite3
	begin_broker_test
	make_registry
	register good
	register_gateway gateway association-only
	for name in one two three; do
		p11-registry devices create "$name" --registry=reg
		p11-registry devices gateways bind --gateway=gateway --device="$name" \
			--gateway-registry=reg --device-registry=reg
	done >>registry.out 2>&1
	sizes
	rates
	idle
	attached
	wrongs 'not attached' /devices/three/events
	wrongs 'attach refused' /devices/nobody/attach
	attributes
	bad_topics
	end_broker
	options_are_checked
	end
}

main "$@"
