#!/bin/sh
# Nobody can push the operator's lines, or another device's, out of the audit: not a device that
# floods, not a gateway, not strangers. A well-behaved device beside them loses nothing.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

python=/usr/bin/python3

# More than the audit keeps of all devices.
filters=105000
connects=1000
attaches=2000
strangers=5000

token_of()
{
	"$helpers/make-token" "$1.key" "$project" -10 3000
}

# attack KIND NAME N [DEVICE]: by hand, as that device; what was answered is in attack.out
attack()
{
	attack_kind=$1 attack_name=$2
	shift 2
	"$python" -B "$top/tests/integration/broker-audit.py" "$attack_kind" "$port" \
		"$base/$attack_name" "${password:-$(token_of "$attack_name")}" "$@" >attack.out 2>&1 ||
		{ cat attack.out; return 1; }
}

# answers N: what the last attack printed
answers()
{
	same "$(cat attack.out)" "$1"
}

# logs DEVICE EVENT [OPTION...]: how many of the lines that `p11-registry logs` shows
logs()
{
	logs_device=$1 logs_event=$2
	shift 2
	p11-registry logs --registry=reg --device="$logs_device" --limit=1000000 --format=json "$@" |
		jq --arg event "$logs_event" '[.[] | select(.event == $event)] | length'
}

# kept CONDITION: how many lines the file has, as SQLite's shell sees it
kept()
{
	sqlite3 "$P11_REGISTRY_DB" "SELECT count(*) FROM audit WHERE $1"
}

# left_out CONDITION: how many the lines say were left out
left_out()
{
	sqlite3 "$P11_REGISTRY_DB" "SELECT total(CAST(substr(detail, 12) AS INTEGER)) FROM audit
		WHERE detail LIKE 'unrecorded=%' AND $1" | cut -d. -f1
}

# logged_lines PATTERN: how many the broker's log has
logged_lines()
{
	grep -c -- "$1" "$work/broker.log" || true
}

begin_innocent()
{
	"$python" -B "$top/tests/integration/innocent.py" "$port" "$base/innocent" innocent \
		"$work/innocent.times" "$(token_of innocent)" >innocent.out 2>&1 &
	innocent=$!
	pids="$pids $innocent"
	check "a well-behaved device publishes" wait_for 20 says publish innocent.times
}

end_innocent()
{
	kill "$innocent"
	ended=0
	wait "$innocent" || ended=$?
	check "the well-behaved device was never closed" same "$ended" 0
	[ "$ended" -eq 0 ] || cat innocent.out
	events=$(sqlite3 "$P11_REGISTRY_DB" "SELECT count(DISTINCT CAST(data AS TEXT)) FROM messages
		WHERE json_extract(attributes, '\$.deviceId') = 'innocent'")
	check "each of its $events events is in the file" same "$events" "$(cat innocent.out)"
}

a_device_floods()
{
	check "a device subscribes $filters times" attack subscribe loud "$filters" loud
	check "each is answered" answers "$filters"
	check "it unsubscribes as often" attack unsubscribe loud "$filters" loud
	check "each is answered" answers "$filters"
	check "it connects $connects times" attack reconnect loud "$connects"
	check "each is answered" answers "$connects"
	check "and speaks for others" not client mosquitto_pub loud -q 1 -t /devices/quiet/events -m x
	check "most of its lines were left out of the log" \
		test "$(logged_lines ": config client=$base/loud ")" -lt $((filters / 10))
	check "a new connection gave it no new lines" \
		test "$(logged_lines ": connected client=$base/loud ")" -lt "$connects"
}

a_gateway_floods()
{
	check "a gateway attaches and detaches $attaches times" attack attach loud-gw "$attaches" child
	check "each is answered" answers "$attaches"
	check "some of its lines were left out" wait_for 60 gateway_left_out
	check "no more of its lines are kept than of any device" \
		test "$(kept "causer = (SELECT id FROM devices WHERE name = 'loud-gw')")" -le 5000
}

gateway_left_out()
{
	[ "$(left_out "device IN ('loud-gw', 'child')")" -gt 0 ]
}

# Without a password, and as a device that is there.
strangers_knock()
{
	password=wrong
	check "strangers connect $strangers times" attack refused quiet "$strangers"
	password=''
	check "each is refused" answers "$strangers"
	check "most of their lines were left out of the log" \
		test "$(logged_lines ": refused client=")" -lt "$strangers"
	check "how many is said" wait_for 60 strangers_left_out
}

strangers_left_out()
{
	[ $(($(kept "class = 'stranger' AND event = 'refused'") + $(left_out "class = 'stranger'"))) \
		-eq "$strangers" ]
}

nothing_was_pushed_out()
{
	check "the operator's lines are there" same "$(logs quiet created)" 1
	check "and of what was made first" same "$(kept "event = 'registry created'")" 1
	check "another device's are" same "$(logs quiet connected)" 1
	check "and its end" same "$(logs quiet disconnected)" 1
	check "all of the operator's lines are shown alone" \
		same "$(logs quiet created --class=operator)" 1
	check "without those of devices" same "$(logs quiet connected --class=operator)" 0
	check "and strangers' alone" test "$(logs quiet refused --class=stranger)" -gt 50
	check "what the loud device did is known too" test "$(logs loud config)" -gt 50
	check "how much was left out is said" wait_for 60 loud_left_out
	check "the numbers of lines are counted well" same "$(kept "1")" \
		"$(sqlite3 "$P11_REGISTRY_DB" 'SELECT sum(lines) FROM audit_rings')"
}

loud_left_out()
{
	[ "$(left_out "device = 'loud'")" -gt $((filters / 2)) ]
}

# Subscriptions count against what a connection may send.
too_many_filters_close_the_connection()
{
	start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB" 'plugin_opt_max_messages_per_s 100'
	for kind in subscribe unsubscribe; do
		mark
		check "a device asks for too much: $kind" attack "$kind" loud 100000 loud
		check "its connection is closed" test "$(cat attack.out)" -lt 100000
		check "the log says why" logged \
			"p11_registry: closed client=$base/loud .*reason=more than 100 messages in a second"
	done
}

main()
{
	need mosquitto mosquitto_passwd openssl sqlite3 jq "$python"
	begin_broker_test
	make_registry
	p11-registry pubsub subscriptions create pull --topic=events >>registry.out
	for name in quiet loud innocent child; do
		register "$name"
	done
	register_gateway loud-gw association-only
	p11-registry devices gateways bind --gateway=loud-gw --device=child --gateway-registry=reg \
		--device-registry=reg >>registry.out
	log_types="error warning notice information" start_plain_broker \
		"plugin_opt_db_file $P11_REGISTRY_DB" 'plugin_opt_max_messages_per_s 0' \
		'plugin_opt_max_bytes_per_s 0'
	check "another device publishes" client mosquitto_pub quiet -q 1 -t /devices/quiet/events -m one
	begin_innocent
	a_device_floods
	a_gateway_floods
	strangers_knock
	end_innocent
	nothing_was_pushed_out
	end_broker
	too_many_filters_close_the_connection
	end_broker
	end
}

main "$@"
