#!/bin/sh
# One device's flood and the operator's large deletions, beside a well-behaved device: nothing of
# hers is lost, and the broker never closes her connection.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

# Messages of 256 KiB: those that wait for the operator to delete them, and those of the flood.
waiting=3000
flood=800
megabyte=1048576

# fill SUBSCRIPTION: so many messages wait in it
fill()
{
	sqlite3 "$P11_REGISTRY_DB" "PRAGMA secure_delete = OFF; BEGIN;
		CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS
			(VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < $waiting) SELECT i FROM n;
		INSERT INTO messages SELECT i, strftime('%s'), 1, '{}', zeroblob(262144) FROM n;
		INSERT INTO deliveries (subscription, number, message)
			SELECT s.id, i, i FROM subscriptions s, n WHERE s.name = '$1';
		COMMIT;" >/dev/null
}

# sum_of DEVICE: the bytes of its events that wait, in MiB
sum_of()
{
	sqlite3 "$P11_REGISTRY_DB" "SELECT sum(length(data)) / $megabyte FROM messages
		WHERE json_extract(attributes, '\$.deviceId') = '$1'"
}

left()
{
	sqlite3 "$P11_REGISTRY_DB" \
		"SELECT count(*) FROM deliveries WHERE subscription = 2" 2>/dev/null
}

some_are_left()
{
	n=$(left)
	[ -n "$n" ] && [ "$n" -gt 0 ] && [ "$n" -lt $((waiting - 200)) ]
}

# start_innocent: the well-behaved device; what the broker answers is timed in `latencies`
start_innocent()
{
	"$python" "$top/tests/integration/innocent.py" "$port" "$base/innocent" innocent latencies \
		"$("$helpers/make-token" innocent.key "$project" -10 3000)" >innocent.out 2>&1 &
	innocent=$!
	pids="$pids $innocent"
	wait_for 20 grep -q publish latencies || die "the innocent device is not answered"
}

# flood_as NAME COUNT BYTES
flood_as()
{
	"$python" "$top/tests/integration/flood.py" "$port" "$base/$1" "$1" "$2" "$3" \
		"$("$helpers/make-token" "$1.key" "$project" -10 3000)"
}

one_device_has_its_share()
{
	check "a flood of $((flood / 4)) MiB is taken" flood_as flood "$flood" 262144
	check "the flood has lost its own events" test "$(sum_of flood)" -le 36
	check "which are counted" test "$(p11-registry pubsub subscriptions list --format=json |
		jq '.[] | select(.id == "all").numDroppedMessages')" -ge $((flood - 36 * 4))
	check "its bytes are listed" test "$(p11-registry pubsub subscriptions list --format=json |
		jq '.[] | select(.id == "all").numUndeliveredBytes')" -ge $((28 * megabyte))
}

a_deletion_is_resumed()
{
	p11-registry pubsub subscriptions delete large >deleted.out 2>&1 &
	deleter=$!
	pids="$pids $deleter"
	check "a deletion takes a while" wait_for 30 some_are_left
	kill -KILL $deleter
	wait $deleter || true
	check "nothing is pulled from what is half deleted" \
		not p11-registry pubsub subscriptions pull large
	check "it is described as that" same "$(p11-registry pubsub subscriptions describe large --format=json |
		jq -r .state)" DELETING
	check "the deletion is resumed" p11-registry pubsub subscriptions delete large
	check "all is deleted" same "$(sqlite3 "$P11_REGISTRY_DB" \
		"SELECT count(*) FROM messages WHERE length(data) = 262144 AND attributes = '{}'")" 0
}

# slow_devices: what `export` would write, through a pipe that waits
slow_devices()
{
	jq -cn 'range(1000) | {id: "dev-a\(.)"}'
	sleep 2
	jq -cn 'range(1000) | {id: "dev-b\(.)"}'
}

import_of()
{
	"$1" | p11-registry import --registry=other -
}

the_rest_is_deleted()
{
	check "devices come through a slow pipe" import_of slow_devices
	check "events are acknowledged" pulls 500
	for name in dev-a0 dev-a1 dev-b0; do
		check "device $name is deleted" p11-registry devices delete "$name" --registry=other
	done
	check "a topic is deleted" p11-registry pubsub topics delete large
	sqlite3 "$P11_REGISTRY_DB" "PRAGMA busy_timeout = 5000;
		DELETE FROM devices WHERE registry = (SELECT id FROM registries WHERE name = 'other')" >/dev/null
	check "a registry is deleted" p11-registry registries delete other
}

# pulls N: what is pulled of `all` goes into `pulled`; her numbers must not be lost by it
pulls()
{
	p11-registry pubsub subscriptions pull all --limit="$1" --auto-ack --format=json |
		jq -r '.[].message | select(.attributes.deviceId == "innocent").data | @base64d' >>pulled
}

nothing_of_hers_is_lost()
{
	kill -TERM $innocent
	ended=0
	wait $innocent || ended=$?
	[ "$ended" -eq 0 ] || cat innocent.out
	check "the broker never closed the innocent device" same "$ended" 0
	sqlite3 "$P11_REGISTRY_DB" "SELECT CAST(data AS TEXT) FROM messages
		WHERE json_extract(attributes, '\$.deviceId') = 'innocent' ORDER BY id" >>pulled
	seq "$(tail -n 1 innocent.out)" >sent
	check "nothing of hers is lost" cmp pulled sent
	note "$(wc -l <sent) events of hers; milliseconds to an answer: $(awk '{ print $2 }' latencies |
		sort -n | awk '{ ms[NR] = $1 } END {
			printf "p50 %s, p99 %s, at most %s", ms[int((NR + 1) / 2)],
				ms[int((NR * 99 + 99) / 100)], ms[NR] }')"
}

# The file's write-ahead log: nobody reads for long.
log_is_bounded()
{
	[ "$(stat -c %s "$P11_REGISTRY_DB-wal")" -lt $((64 * megabyte)) ]
}

main()
{
	need mosquitto mosquitto_passwd openssl sqlite3 jq python3
	python=$(command -v python3)
	begin_broker_test
	{
		p11-registry pubsub topics create events
		p11-registry pubsub topics create large
		p11-registry pubsub subscriptions create all --topic=events
		p11-registry pubsub subscriptions create large --topic=large
		p11-registry registries create reg --event-notification-config=topic=events
		p11-registry registries create other
	} >registry.out 2>&1
	register innocent
	register flood
	fill large
	log_types="error warning notice information" start_plain_broker \
		"plugin_opt_db_file $P11_REGISTRY_DB" "plugin_opt_max_messages_per_s 0" \
		"plugin_opt_max_bytes_per_s 0" "plugin_opt_max_device_bytes 32M" \
		"plugin_opt_max_subscription_bytes 256M"
	start_innocent
	one_device_has_its_share
	a_deletion_is_resumed
	the_rest_is_deleted
	check "the write-ahead log is bounded" log_is_bounded
	nothing_of_hers_is_lost
	end_broker
	end
}

main "$@"
