#!/bin/sh
# Ten thousand local devices at once: each message that was taken is in the cloud. Each has an event
# of its own, and they are more than may be attached at once; with fewer EVENTS the others' messages are
# the gateway's.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

many=${MANY:-10000}
events=${EVENTS:-$many}
# A hundred a second give way to those who wait: with 1,000 at once the last would wait for 90 s.
attach_max=${ATTACH_MAX:-8000}

register_crowd()
{
	sqlite3 "$P11_REGISTRY_DB" <<-SQL
		BEGIN;
		WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $events - 1)
		INSERT INTO devices (registry, name, num_id, gateway, blocked, created)
			SELECT 1, 'crowd-' || i, 1000 + i, 0, 0, 1 FROM n;
		INSERT INTO bindings (gateway, device)
			SELECT g.id, d.id FROM devices g, devices d
			WHERE g.name = 'gw1' AND d.name LIKE 'crowd-%';
		COMMIT;
	SQL
}

rss_kb()
{
	awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}

arrived()
{
	sqlite3 "$P11_REGISTRY_DB" "SELECT count(DISTINCT CAST(data AS TEXT)) FROM messages
		WHERE CAST(data AS TEXT) = json_extract(attributes, '\$.deviceId')
		OR json_extract(attributes, '\$.deviceId') = 'gw1'"
}

# own: how many devices' own event is there
own()
{
	sqlite3 "$P11_REGISTRY_DB" "SELECT count(DISTINCT json_extract(attributes, '\$.deviceId'))
		FROM messages WHERE CAST(data AS TEXT) = json_extract(attributes, '\$.deviceId')"
}

# Also looks how many are attached meanwhile. What the cloud has is counted when all were sent.
all_arrived()
{
	status ".devices.attached <= $attach_max" >/dev/null || too_many=yes
	jq -e ".uplink.acknowledged >= $many" status.json && [ "$(arrived)" -eq "$many" ]
}

main()
{
	python=/usr/bin/python3
	need mosquitto mosquitto_passwd openssl jq sqlite3 "$python"
	# shellcheck disable=SC3045 # dash and bash have it
	ulimit -n "$(ulimit -H -n)"
	# shellcheck disable=SC3045
	files=$(ulimit -n)
	if [ "$files" != unlimited ] && [ "$files" -le $((many + 500)) ]; then
		many=$((files - 500))
		left_out "more than $many devices: only $files files may be open"
	fi
	[ "$events" -le "$many" ] || events=$many
	broker_options=$(printf '%s\n' "plugin_opt_max_attached $attach_max" \
		'max_inflight_messages 100')
	begin_site_test softhsm
	register_crowd
	echo 'topic write building/#' >site.acl
	site_options=$(printf '%s\n' 'plugin_opt_topic building/+' "acl_file $work/site.acl" \
		'plugin_opt_max_new_devices_per_min 0')
	start_site
	write_gateway_settings '[log]' 'level = info' '[site]' "attach-max = $attach_max" \
		'attach-rate = 10000' 'out = + 1 building/ /devices/gw1/events/'
	start_gateway
	mkfifo go
	"$python" -B "$top/tests/integration/site-crowd.py" "$site_port" "$many" "$events" \
		<go >crowd.out 2>&1 &
	crowd=$!
	pids="$pids $crowd"
	exec 3>go
	check "$many devices connect" wait_for 120 says connected crowd.out
	check "the message of each is taken" wait_for 120 says taken crowd.out
	too_many=no
	began=$(date +%s)
	check "all of them arrive" wait_for 200 all_arrived
	note "arrived: $(arrived), after $(($(date +%s) - began)) s"
	check "each is its device's own" same "$(own)" "$events"
	check "no more were attached than $attach_max" same "$too_many" no
	note "resident: gateway $(rss_kb "$gateway_pid") kB, site's broker $(rss_kb "$site_pid") kB"
	check "so many are attached" status ".devices.attached > $attach_max / 2"
	check "nothing waits" wait_for 20 status '.spool.waiting == 0'
	check "the site's broker lives" site_runs
	exec 3>&-
	check "the devices go" wait "$crowd"
	stop_gateway TERM
	check "the gateway ends well" same "$ended" 0
	end
}

main "$@"
