#!/bin/sh
# The registry's file fails under a running broker: it says so, serves whom it can, loses nothing,
# and goes on when the file is there again.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

event()
{
	client mosquitto_pub good -q 1 -t /devices/good/events -m "$1"
}

# tries TEXT: an event that is not to be acknowledged now
tries()
{
	(in_place='exec' && client mosquitto_pub good -q 1 -t /devices/good/events -m "$1") \
		>pub.out 2>&1 &
	publisher=$!
	pids="$pids $publisher"
}

stop_trying()
{
	kill "$publisher" 2>/dev/null || true
	wait "$publisher" 2>/dev/null || true
}

services_go_on()
{
	check "a service client is served meanwhile" backend mosquitto_pub -q 1 -t x -m x
}

# not_taken TEXT REASON: an event has no PUBACK, for a reason in the log
not_taken()
{
	mark
	tries "$1"
	check "an event is not taken" logged "p11_registry: .*reason=.*$2"
	check "nor acknowledged" not since "Sending PUBACK to $base/good"
	services_go_on
	stop_trying
}

# The file stands on a disk of its own, which only root can make.
a_full_disk()
{
	[ -n "$disk" ] || { left_out "only root can make a small disk"; return; }
	note "a full disk"
	head -c 100m /dev/zero >"$disk/filler" 2>/dev/null || true
	not_taken while-full 'the disk is full'
	rm "$disk/filler"
	check "with room again, it is" event with-room
	check "and kept" stored with-room
}

make_disk()
{
	disk=
	[ "$(id -u)" -eq 0 ] || return 0
	mkdir small
	mount -t tmpfs -o size=8m none small || return 0
	disk=$work/small
	export P11_REGISTRY_DB="$disk/registry.db"
}

overwritten()
{
	note "a damaged file"
	cp "$P11_REGISTRY_DB" copy.db
	listen good -t /devices/good/config
	mark
	sqlite3 "$P11_REGISTRY_DB" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
	# All but the first page: the file is a registry still, and its tables are not.
	dd if=/dev/urandom of="$P11_REGISTRY_DB" bs=4096 seek=1 count=40 conv=notrunc 2>/dev/null
	check "a device is not let in" not event during-damage
	services_go_on
	check "the log says what to do" logged 'p11_registry: .*damaged: restore a copy'
	check "the device that was there is not thrown out" kill -0 "$listener"
	kill "$listener" 2>/dev/null || true
	wait "$listener" 2>/dev/null || true
	stop_broker
	cp copy.db "$P11_REGISTRY_DB"
	rm -f "$P11_REGISTRY_DB-wal" "$P11_REGISTRY_DB-shm"
	start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB"
	check "with the copy it goes on" event after-damage
	check "and the message is kept" stored after-damage
}

main()
{
	need mosquitto mosquitto_passwd openssl sqlite3
	begin_broker_test
	make_disk
	trap 'status=$?; stop_others; [ -z "$disk" ] || umount -l "$disk"; finish "$status"' EXIT
	make_registry
	p11-registry pubsub subscriptions create pull --topic=events >>registry.out
	register good
	start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB"
	check "an event is kept" event before
	a_full_disk
	overwritten
	end_broker
	end
}

main "$@"
