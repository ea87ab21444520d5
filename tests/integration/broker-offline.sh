#!/bin/sh
# A device that asks the broker to keep its session (MQTT 5) is nobody once it is gone: a reload,
# which asks about each client once more, neither lets it in nor puts it out: mosquitto would expire it
# twice, the second time when it is freed.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

# leaves NAME: connects for a session that the broker keeps, and goes
leaves()
{
	mark
	check "$1 comes" client mosquitto_pub "$1" -V mqttv5 -x 5 -q 1 -t "/devices/$1/events" -m here
	check "and goes" logged "p11_registry: disconnected client=$base/$1"
}

reload()
{
	mark
	kill -HUP "$broker_pid"
	check "the broker reloads" logged 'Reloading config'
	check "and goes on" backend mosquitto_pub -q 1 -t x -m x
}

expires()
{
	check "the broker forgets $1" wait_for 20 log_says "Expiring client $base/$1 "
	check "and goes on" backend mosquitto_pub -q 1 -t x -m x
}

# Its token lets nobody in any more when the broker asks.
one_that_may_not_come_back_is_left_alone()
{
	leaves blocked
	p11-registry devices update blocked --registry=reg --blocked >>registry.out
	reload
	# Of the broker's own words: mosquitto 2.0.21 "disconnects" it there with per_listener_settings.
	check "$1: it is not refused" not since "p11_registry: .*client=$base/blocked"
	expires blocked
	check "$1: it is refused when it comes" \
		not client mosquitto_pub blocked -q 1 -t /devices/blocked/events -m x
}

# Its token is as good as before, and it has connected another way meanwhile.
one_that_could_come_back_is_not_let_in()
{
	leaves child
	check "the device comes through a gateway" attach_child
	reload
	check "$1: it is not let in for that" not since " connected client=$base/child"
	check "$1: the way it has now stays" not since 'came another way'
	mark
	p11-registry devices update child --registry=reg --blocked >>registry.out
	check "$1: blocked, that ends" logged 'p11_registry: detached client=[^ ]*/child .*block'
	check "$1: and nothing else" not since "closing client=$base/child"
	expires child
	exec 3>&-
	wait "$gateway" || true
	p11-registry devices update child --registry=reg --no-blocked >>registry.out
	check "$1: it comes again" \
		client mosquitto_pub child -q 1 -t /devices/child/events -m again
}

# A gateway that stays, with one device.
attach_child()
{
	rm -f lines
	mkfifo lines
	(in_place='exec' && client mosquitto_pub gateway -q 1 -t /devices/child/attach -l) \
		<lines >gateway.out 2>&1 &
	gateway=$!
	pids="$pids $gateway"
	exec 3>lines
	echo '{}' >&3
	logged 'p11_registry: attached client=[^ ]*/child gateway=gateway'
}

main()
{
	need mosquitto mosquitto_pub mosquitto_passwd openssl sqlite3
	begin_broker_test
	make_registry
	register blocked
	register child
	register_gateway gateway association-only
	p11-registry devices gateways bind --gateway=gateway --device=child \
		--gateway-registry=reg --device-registry=reg >>registry.out 2>&1
	# With the second the broker gives plugins no clock.
	for per_listener in false true; do
		start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB"
		one_that_may_not_come_back_is_left_alone "per_listener_settings $per_listener"
		p11-registry devices update blocked --registry=reg --no-blocked >>registry.out
		one_that_could_come_back_is_not_let_in "per_listener_settings $per_listener"
		end_broker
	done
	end
}

main "$@"
