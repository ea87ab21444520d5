#!/bin/sh
# Several brokers for one cloud: the next one has its turn when one is not there, or does not answer;
# and a broker whose name nobody knows at first.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"
# shellcheck source=tests/integration/load-lib.sh
. "${top_srcdir:-.}/tests/integration/load-lib.sh"

# is_at PORT: whether `status` says that it is connected to this one
is_at()
{
	status ".uplink.state == \"up\" and .uplink.url == \"mqtts://$host:$1\""
}

# start_stalling PORT: takes connections and says nothing
start_stalling()
{
	"$python" -c '
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
taken = []
while True:
    taken.append(listener.accept())
    print("taken", flush=True)
' "$1" >stalling.out 2>&1 &
	stalling_pid=$!
	pids="$pids $stalling_pid"
	wait_for 20 says ready stalling.out || die "nothing can listen on port $1"
}

stop_stalling()
{
	kill "$stalling_pid"
	wait "$stalling_pid" 2>/dev/null || true
}

# move_cloud FROM TO: the cloud's broker goes, and comes back at another port
move_cloud()
{
	end_cloud KILL
	sed -i "s/^listener $1 /listener $2 /" mosquitto.conf
	begin_cloud
}

# with_names COMMAND...: where /etc/hosts and /etc/resolv.conf are the test's own
with_names()
{
	as_root=
	[ "$(id -u)" -eq 0 ] || as_root=--map-root-user
	# shellcheck disable=SC2016,SC2086 # read by the inner shell; nothing or one word
	exec unshare --mount $as_root sh -c 'mount --bind hosts /etc/hosts &&
		mount --bind resolv.conf /etc/resolv.conf && exec "$@"' sh "$@"
}

# Where mounts are not allowed, as in some containers, this cannot be seen.
learns_a_name()
{
	note "a name that nobody knows yet"
	echo 127.0.0.1 localhost >hosts
	# Nobody answers there, at once.
	printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >resolv.conf
	if ! (with_names true) 2>unshare.err; then
		left_out "$(cat unshare.err)"
		return
	fi
	make_broker_certificate --san dns:cloud.test
	restart_cloud
	write_gateway_settings
	sed -i "s|^url = .*|url = mqtts://cloud.test:$second|" gw.conf
	(with_names p11-gateway run -c "$work/gw.conf") >>gateway.log 2>&1 &
	gateway_pid=$!
	check "it says so" wait_for 60 status '.uplink.last_error | test("cloud.test")'
	check "messages are taken" sends pump -t /devices/pump/events -m named
	echo 127.0.0.1 cloud.test >>hosts
	check "once it is known the gateway is there" wait_for 60 gateway_is up
	check "and what waited" wait_for 30 has pump named
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
}

main()
{
	need mosquitto jq sqlite3
	need_load
	begin_site_test softhsm
	first=$("$helpers/free-port")
	second=$port
	start_site
	write_gateway_settings "url = mqtts://$host:$first" "url = mqtts://$host:$second" 'timeout = 3s'
	# The first url of the settings is the second's: left out, so that the order is ours.
	awk '!/^url/ || seen++' gw.conf >gw.new
	mv gw.new gw.conf
	note "nobody listens at the first"
	start_gateway
	check "it is at the second" is_at "$second"
	check "and goes there with one signature" status '.token.signatures == 1'
	start_load 200
	note "the second goes, the first is there"
	move_cloud "$second" "$first"
	check "it goes to the first" wait_for 60 is_at "$first"
	note "the first goes, the second is there"
	move_cloud "$first" "$second"
	check "it goes back" wait_for 60 is_at "$second"
	note "the first takes connections and does not answer"
	start_stalling "$first"
	restart_cloud
	check "the first has its turn" wait_for 60 says taken stalling.out
	check "but the second answers" wait_for 60 is_at "$second"
	stop_stalling
	end_load
	check "all by one token" status '.token.signatures == 1'
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	learns_a_name
	end
}

main "$@"
