#!/bin/sh
# Many devices at once: they connect, publish and are taken over while the broker reloads, the
# registry changes and devices are blocked; a gateway with a thousand devices.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

many=10000
attached=1000

# As many devices as there are connections; each has the one key.
make_crowd()
{
	make_key crowd ec
	make_registry
	p11-registry devices create crowd-gw --registry=reg --device-type=gateway \
		--auth-method=association-only --public-key=path=crowd.pub,type=es256-pem >>registry.out
	sqlite3 "$P11_REGISTRY_DB" <<-SQL
		BEGIN;
		WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $many - 1)
		INSERT INTO devices (registry, name, num_id, gateway, blocked, created)
			SELECT 1, 'crowd-' || i, 1000 + i, 0, 0, 1 FROM n;
		INSERT INTO credentials (device, format, pem, expires)
			SELECT d.id, c.format, c.pem, 0 FROM devices d, credentials c
			WHERE d.name <> 'crowd-gw';
		INSERT INTO bindings (gateway, device)
			SELECT g.id, d.id FROM devices g, devices d WHERE g.name = 'crowd-gw'
			AND d.num_id < 1000 + $attached;
		COMMIT;
	SQL
}

crowd()
{
	"$helpers/crowd" "$port" crowd.key "$@"
}

# What an operator does meanwhile.
disturb()
{
	for n in 1 2 3; do
		kill -HUP "$broker_pid"
		p11-registry devices update crowd-gw --registry=reg --blocked
		p11-registry devices update crowd-gw --registry=reg --no-blocked
		p11-registry devices create "new-$n" --registry=reg
	done >>registry.out 2>&1
}

connections()
{
	[ "$(log_count ': connected client=')" -ge "$1" ]
}

log_count()
{
	grep -c -- "$1" "$work/broker.log" || true
}

all_at_once()
{
	crowd devices "$many" 3 >crowd.out 2>&1 &
	crowd=$!
	pids="$pids $crowd"
	check "$many devices connect" wait_for 120 says connected crowd.out
	disturb
	ended=0
	wait "$crowd" || ended=$?
	check "each of their messages is answered, through reloads and changes" same "$ended" 0
	check "nobody was put out" same "$(log_count 'p11_registry: closing client=.*crowd-[0-9]')" 0
	cat crowd.out
	check "the registry knows of each" wait_for 30 noted "$many"
}

noted()
{
	[ "$(sqlite3 "$P11_REGISTRY_DB" "SELECT count(*) FROM activity WHERE event > 0")" -eq "$1" ]
}

one_gateway()
{
	mark
	check "a gateway attaches $attached devices and speaks for each" crowd gateway "$attached" 5
	check "no more attach than may" not since 'p11_registry: attach refused'
	check "each of them" same "$(log_count ': attached client=')" "$attached"
}

takeovers()
{
	check "of 300 connections of one device one is left" crowd takeover 300
}

# Blocked while messages and commands are on their way to them.
put_out_while_busy()
{
	: >crowd.out # what an earlier crowd said must not be taken for this one's
	crowd devices 500 2000 >crowd.out 2>&1 &
	crowd=$!
	pids="$pids $crowd"
	check "500 devices connect" wait_for 60 says connected crowd.out
	mark
	sqlite3 "$P11_REGISTRY_DB" "UPDATE devices SET blocked = 1 WHERE num_id BETWEEN 1000 AND 1499"
	check "all are put out" wait_for 60 put_out 500
	wait "$crowd" || true
}

put_out()
{
	[ "$(tail -n "+$((marked + 1))" "$work/broker.log" |
		grep -c 'p11_registry: closing client=.*reason=the device is blocked')" -ge "$1" ]
}

main()
{
	need mosquitto mosquitto_passwd openssl sqlite3
	project=crowd
	begin_broker_test
	export P11_REGISTRY_PROJECT=crowd
	# shellcheck disable=SC3045 # dash and bash have it
	ulimit -n "$(ulimit -H -n)"
	# shellcheck disable=SC3045
	files=$(ulimit -n)
	[ "$files" = unlimited ] || [ "$files" -gt $((many + 500)) ] || many=$((files - 500))
	make_crowd
	log_types="error warning notice information" start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB"
	all_at_once
	one_gateway
	takeovers
	put_out_while_busy
	end_broker
	end
}

main "$@"
