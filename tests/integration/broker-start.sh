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

# Devices do without an acl_file, services do not.
denies_services()
{
	write_settings "plugin_opt_db_file $P11_REGISTRY_DB"
	sed -i '/^acl_file/d' "$work/mosquitto.conf"
	run_broker || return 1
	log_says 'p11_registry: mosquitto.conf has no acl_file' || return 1
	backend mosquitto_sub -t projects/x -W 20 >denied 2>&1 || true
	says 'denied' denied
}

# What every mosquitto 2.0 gives a plugin: later ones keep the rest of theirs to themselves.
given="broker_publish broker_publish_copy callback_register callback_unregister calloc client_address
	client_certificate client_clean_session client_id client_keepalive client_protocol
	client_protocol_version client_sub_count client_username free kick_client_by_clientid
	kick_client_by_username log_printf malloc property_add_binary property_add_byte
	property_add_int16 property_add_int32 property_add_string property_add_string_pair
	property_add_varint property_free_all pub_topic_check realloc set_username strdup
	sub_topic_check topic_matches_sub validate_utf8"

# asks_too_much PLUGIN: what it cannot be loaded without, and may not be given
asks_too_much()
{
	nm -D --undefined-only "$build/src/plugin/.libs/$1" | sed -n 's/.* U mosquitto_//p' |
		sort >asked
	[ -s asked ] || { echo "$1 asks for nothing"; return; }
	echo "$given" | tr -s '[:space:]' '\n' | sort >allowed
	comm -23 asked allowed
}

main()
{
	need mosquitto mosquitto_passwd mosquitto_sub sqlite3 nm
	begin
	mosquitto_passwd -b -c "$work/passwd" backend backend
	: >"$work/acl"
	sqlite3 foreign.db 'CREATE TABLE t (a)'
	echo text >text.db
	p11-registry pubsub topics create events >registry.out 2>&1
	cp "$P11_REGISTRY_DB" newer.db
	sqlite3 newer.db 'PRAGMA user_version = 1000'
	for file in p11_registry.so p11_site.so; do
		check "$file needs only what any broker has" same "$(asks_too_much $file)" ""
	done
	check "without its option" does_not_start 'plugin_opt_db_file is missing'
	check "with an option that is there twice" does_not_start \
		'plugin_opt_db_file: it is given twice' "plugin_opt_db_file $P11_REGISTRY_DB" \
		"plugin_opt_db_file $work/other.db"
	check "with an option it does not know" does_not_start 'unknown option plugin_opt_file' \
		"plugin_opt_db_file $P11_REGISTRY_DB" "plugin_opt_file x"
	check "with clocks further apart than is allowed" does_not_start 'clock_skew' \
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
	check "it finds the acl_file" not log_says 'acl_file'
	end_broker
	check "without an acl_file it logs that services are denied every topic" denies_services
	end_broker
	end
}

main "$@"
