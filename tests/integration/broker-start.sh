#!/bin/sh
# What stops the plugin from loading stops the broker, and its log says why in one line.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

# does_not_start PATTERN LINE...
does_not_start()
{
	pattern=$1
	shift
	port=$("$helpers/free-port")
	write_settings "$@"
	if run_broker; then
		stop_broker
		echo "it runs"
		return 1
	fi
	wait "$broker_pid" || true
	broker_pid=
	log_says "p11_registry: .*$pattern"
}

main()
{
	need mosquitto mosquitto_passwd sqlite3
	begin
	mosquitto_passwd -b -c "$work/passwd" backend backend
	: >"$work/acl"
	sqlite3 foreign.db 'CREATE TABLE t (a)'
	echo text >text.db
	p11-registry pubsub topics create events >registry.out 2>&1
	cp "$P11_REGISTRY_DB" newer.db
	sqlite3 newer.db 'PRAGMA user_version = 1000'
	check "without its option" does_not_start 'plugin_opt_db_file is missing'
	check "with an option it does not know" does_not_start 'unknown option plugin_opt_file' \
		"plugin_opt_db_file $P11_REGISTRY_DB" "plugin_opt_file x"
	check "with clocks further apart than is allowed" does_not_start 'clock-skew' \
		"plugin_opt_db_file $P11_REGISTRY_DB" "plugin_opt_clock_skew 601"
	check "with a folder that is not there" does_not_start 'nowhere' \
		"plugin_opt_db_file $work/nowhere/registry.db"
	check "with another program's database" does_not_start "another program's database" \
		"plugin_opt_db_file $work/foreign.db"
	check "with a file that is no database" does_not_start 'no registry' \
		"plugin_opt_db_file $work/text.db"
	check "with a newer program's registry" does_not_start 'newer version' \
		"plugin_opt_db_file $work/newer.db"
	start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB"
	check "with its registry it starts" log_says 'p11_registry: serving the registries of'
	end_broker
	end
}

main "$@"
