#!/bin/sh
# A site's spool on a disk that fails, and a spool whose files are deleted while both programs run:
# what was acknowledged and can be read arrives, in each device's order; what is lost is counted.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"
# shellcheck source=tests/integration/load-lib.sh
. "${top_srcdir:-.}/tests/integration/load-lib.sh"

# set_disk LINE...: the faults of the disk from now on; none without a line
set_disk()
{
	printf '%s\n' "$@" >disk.new
	mv disk.new disk
}

# sends_many NAME FROM TO: messages "N xxx..." of a kilobyte each
sends_many()
{
	seq "$2" "$3" | awk '{ printf "%d %01000d\n", $1, 0 }' >many
	timeout 60 mosquitto_pub -h 127.0.0.1 -p "$site_port" -i "$1" -q 1 -V mqttv311 \
		-t "/devices/$1/events" -l <many
}

# numbers_of DEVICE: of its messages that are in the cloud, once each, into `numbers`
numbers_of()
{
	pulled "$1"
	awk '!seen[$1]++ { print $1 }' pulled >numbers
}

has_number()
{
	numbers_of "$1"
	grep -qx "$2" numbers
}

segment()
{
	find "$work/spool" -maxdepth 1 -name '*.log' -size +1k | sort | sed -n "$1p"
}

scraped()
{
	p11-gateway status --socket "$work/gw.status" --json >status.out &&
		jq -e ".spool.lost == $1" status.out
}

# Of three full segments the second has a bad block, and something else is in the place of the third.
bad_sector()
{
	note "a bad sector, and a segment that is a directory"
	sends_many thermo 1 800
	check "there are several segments" test -n "$(segment 4)"
	bad=$(basename "$(segment 2)")
	other=$(basename "$(segment 3)")
	set_disk "read /$bad 40960 49152"
	mv "$work/spool/$other" "$work/$other"
	mkdir "$work/spool/$other"
	got=0
	"$bad_disk" p11-gateway spool export --spool "$work/spool" >export.json 2>export.err || got=$?
	check "an export says that some cannot be read" same "$got" 1
	check "and has the rest" test "$(wc -l <export.json)" -gt 500
	begin_gateway
	check "what is before it arrives" wait_for 60 has_number thermo 200
	check "it is said what cannot be read" wait_for 60 says \
		"cannot read the spool's segment $bad: Input/output error" gateway.log
	check "in the end the last one arrives" wait_for 180 has_number thermo 800
	check "in their order" sort -n -c numbers
	lost=$((800 - $(wc -l <numbers)))
	note "$lost messages are lost"
	check "an export had all of these" same "$(wc -l <export.json)" "$(wc -l <numbers)"
	check "it is counted how many are lost" wait_for 30 scraped "$lost"
	check "also for people" wait_for 30 shows_lost "$lost"
	check "the bad segment is kept" test -f "$work/spool/damaged/$bad"
	check "and what was in the other's place" test -d "$work/spool/damaged/$other"
	set_disk
}

shows_lost()
{
	p11-gateway spool show --spool "$work/spool" --json >show.json &&
		jq -e ".readers[0].lost == $1" show.json
}

# A disk that comes back within any time had nothing skipped: it took no write.
comes_back()
{
	note "a disk that is gone for a while"
	stop_gateway
	sends_many pump 1 300
	set_disk gone
	begin_gateway
	check "it is said" wait_for 60 says "cannot read the cursor 'gw': Input/output error" gateway.log
	set_disk
	check "all of it arrives" wait_for 60 has_number pump 300
	numbers_of pump
	check "each of them" same "$(wc -l <numbers)" 300
	check "in their order" sort -n -c numbers
}

# is_taken TEXT: whether the site's broker takes it as a message of the device `probe`
is_taken()
{
	version=mqttv5 sends probe -t /devices/probe/events -m "$1" >answer 2>&1 &&
		not says 'Not authorized' answer
}

# cannot_write ERRNO
cannot_write()
{
	note "a disk that takes nothing: error $1"
	set_disk "write $1"
	check "a message is refused" not is_taken "refused $1"
	check "of which MQTT 5 hears" says 'Not authorized' answer
	set_disk
	check "and then taken" sends probe -t /devices/probe/events -m "taken $1"
	check "which arrives" wait_for 60 has probe "taken $1"
	check "the other does not" not has probe "refused $1"
}

begin_bad_disk()
{
	preload=$build/tests/integration/.libs/bad-disk.so
	[ -e "$preload" ] || die "$preload is missing"
	BAD_DISK=$work/disk
	BAD_DISK_DIR=$work/spool
	export BAD_DISK BAD_DISK_DIR
	bad_disk=$work/on-bad-disk
	cat >"$bad_disk" <<-SCRIPT
		#!/bin/sh
		LD_PRELOAD="\${LD_PRELOAD:-} $preload" ASAN_OPTIONS=verify_asan_link_order=0:\${ASAN_OPTIONS:-}
		export LD_PRELOAD ASAN_OPTIONS
		exec "\$@"
	SCRIPT
	chmod +x "$bad_disk"
	set_disk
	preload=
}

# both_run: neither was started anew
both_run()
{
	alive "$site_pid" && alive "$gateway_pid"
}

# takes_away COMMAND: runs it while nothing is sent, and then has new messages arrive. The first one
# is sent alone: a client of load.py that is refused sends those that it has under way in any order.
takes_away()
{
	note "$1"
	check "what was sent before has arrived" wait_for 60 all_arrived
	eval "$1"
	check "a message is taken in the end" wait_for 30 is_taken "behind $loads"
	check "and arrives" wait_for 60 has probe "behind $loads"
	start_load 200
	wanted=200
	check "messages are taken" wait_for 60 more_taken
	end_load
	check "nothing was started again" both_run
}

# In memory, messages outlive the directory.
is_removed_under_load()
{
	note "the spool is removed under load"
	start_load 500
	wanted=500
	check "messages are taken" wait_for 60 more_taken
	rm -rf "$work/spool"
	wanted=$(($(n_taken) + 500))
	check "and go on to be" wait_for 60 more_taken
	end_load
	check "nothing was started again" both_run
	check "the gateway has said so" says 'the spool .* was removed' gateway.log
}

main()
{
	need mosquitto jq sqlite3
	need_load
	begin_site_test softhsm
	p11-registry devices create probe --registry="$registry"
	p11-registry devices gateways bind --gateway=gw1 --device=probe --gateway-registry="$registry" \
		--device-registry="$registry"
	begin_bad_disk
	note "a spool without a front"
	site_options='plugin_opt_max_size 4194304'
	site_front=none
	site_as=$bad_disk
	gateway_as=$bad_disk
	start_site
	write_gateway_settings
	bad_sector
	comes_back
	for error in 5 28 30 122; do
		cannot_write "$error"
	done
	stop_gateway
	stop_site
	site_as=
	gateway_as=
	rm -rf "$work/spool"
	start_site
	start_gateway
	# shellcheck disable=SC2016 # the test's shell expands it
	for command in 'rm -r "$work/spool"' 'mv "$work/spool" "$work/old" && mkdir "$work/spool"' \
		'rm "$work/spool"/*.log'; do
		takes_away "$command"
	done
	stop_gateway
	stop_site
	note "a spool with a front"
	site_front=
	start_site
	start_gateway
	is_removed_under_load
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	end
}

main "$@"
