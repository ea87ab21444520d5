#!/bin/sh
# Memory does not grow under a steady load, and everything that was taken is in the cloud.
#
#   usage: steady.sh     LOAD_S: seconds at least (20), RATE: messages a second (2000)
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"
# shellcheck source=tests/integration/load-lib.sh
. "${top_srcdir:-.}/tests/integration/load-lib.sh"

long_s=${LOAD_S:-20}
rate=${RATE:-2000}

# What each may grow by from a quarter of the load on. In the short form 30,000 messages come behind
# that: 18 bytes lost with each of them are more.
room_kb=512

# pulled DEVICE: as the cloud's subscriber heard it, for the registry keeps a million messages only
pulled()
{
	sed -n "s|^projects/.*/devices/$1/events ||p" heard >pulled
}

# subscriptions: as a log without each message tells of them
subscriptions()
{
	grep -c ' backend 1 ' broker.log || true
}

rss_kb()
{
	awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}

# sample: "SECONDS MESSAGES GATEWAY SITE" to `samples`, the last two in kB
sample()
{
	echo "$(($(date +%s) - began)) $(n_taken) $(rss_kb "$gateway_pid") $(rss_kb "$site_pid")" \
		>>samples
}

# sample_all: each second, until both the time has passed and the messages were taken; a machine that
# is too slow for the rate takes longer
sample_all()
{
	: >samples
	began=$(date +%s)
	while [ "$(n_taken)" -lt $((long_s * rate)) ] || [ "$(($(date +%s) - began))" -lt "$long_s" ]; do
		wanted=$(($(n_taken) + 1))
		wait_for 60 more_taken || { cat load.err; die "nothing is taken any more"; }
		sleep 1
		sample
	done
}

# within COLUMN KB: what of `samples` is in this column has grown by no more from a quarter on
within()
{
	awk -v of="$1" -v room="$2" -v quarter=$((long_s * rate / 4)) '
		$2 < quarter { next }
		!first { first = $of }
		$of > most { most = $of }
		END {
			printf "kB at a quarter %d, at the end %d, most %d\n", first, $of, most
			exit !(first && most - first <= room)
		}' samples
}

# The last message of all tells that the subscriber has heard all before it.
hears_the_end()
{
	sends gw1 -t /devices/gw1/events -m end
	wait_for 120 grep -q '/devices/gw1/events end$' heard
}

main()
{
	need mosquitto mosquitto_pub mosquitto_sub jq sqlite3
	need_load
	# An hour's logs of each message would fill a disk.
	site_options=$(printf 'log_type %s\n' none error warning notice information subscribe)
	broker_options=$(printf '%s\n' "$site_options" 'max_inflight_messages 100' \
		'max_queued_messages 0')
	begin_site_test softhsm
	start_listener heard
	start_site
	write_gateway_settings '[log]' 'level = info'
	start_gateway
	start_load "$rate"
	sample_all
	stop_load
	note "gateway: $(within 3 0 || true)"
	note "site's broker: $(within 4 0 || true)"
	if is_sanitized "$gateway_pid"; then
		note "under a sanitizer memory tells nothing"
	else
		check "the gateway does not grow" within 3 $room_kb
		check "the site's broker does not grow" within 4 $room_kb
	fi
	check "the cloud's subscriber has heard the last one" hears_the_end
	judge_all
	end
}

main "$@"
