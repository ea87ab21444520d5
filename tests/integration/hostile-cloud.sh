#!/bin/sh
# A gateway whose cloud refuses, stalls, talks nonsense, never acknowledges, or says too much: it
# lives, says why once, does not come back too often, and delivers everything when all is well again.
#
#   usage: hostile-cloud.sh 3.1.1|5      the protocol's version
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

n=0

# behaves MODE: the cloud from now on; connections begin anew with it
behaves()
{
	: >served
	: >gateway.log
	printf '%s\n' "$1" >mode.new
	mv mode.new mode
	wait_for 20 says "^mode $1\$" served || die "the cloud does not change"
}

# start_here SCHEME VERSION: a gateway for the cloud on $cloud_port
start_here()
{
	cat >gw.conf <<-CONF
		[token]
		key = pkcs11:token=gw;object=device
		[site]
		socket = $work/site.sock
		[spool]
		path = $work/spool
		[status]
		socket = $work/gw.status
		[uplink]
		url = $1://127.0.0.1:$cloud_port
		ca-file = $work/some.crt
		project = $project
		region = $region
		registry = $registry
		device = gw1
		mqtt-version = $2
		retry-max = 1s
		timeout = 1s
	CONF
	begin_gateway
}

# came N: whether the gateway has connected so often
came()
{
	[ "$(grep -c '^connection ' served)" -ge "$1" ]
}

# said PATTERN: that it was, in a warning
said()
{
	grep -Eq "warning: .*$1" gateway.log
}

takes_messages()
{
	n=$((n + 1))
	sends gw1 -t /devices/gw1/events -m "own-$n" &&
		sends thermo -t /devices/thermo/events -m "device-$n"
}

arrived()
{
	grep -Fxq "$1" received
}

# is_well_again: a good cloud gets what waited, and the gateway answers
is_well_again()
{
	check "it lives" alive "$gateway_pid"
	check "and answers" status '.uplink.state != ""'
	behaves good
	check "what waited arrives" wait_for 30 arrived "own-$n"
	check "a device's too" wait_for 30 arrived "device-$n"
	wait_for 20 gateway_is up || die "the gateway is not up"
}

# A cloud that lets nobody in.
refuses()
{
	mode=$1 pattern=$2
	note "$mode"
	behaves "$mode"
	check "messages are taken" takes_messages
	check "it is said: $pattern" wait_for 30 said "not connected: .*$pattern"
	[ "$mode" = refuse ] || check "it is tried again" wait_for 30 came 2
	check "which is not said again" \
		same "$(grep -Ec "not connected: .*$pattern" gateway.log)" 1
	is_well_again
}

# refuses_with CODE MEANING...: CONNACK's codes, each told in words
refuses_with()
{
	note "refusals"
	check "messages are taken" takes_messages
	while [ $# -gt 0 ]; do
		behaves "connack:$1"
		check "$1: $2" wait_for 30 said "refuses the connection \(code $(($1))\): $2"
		shift 2
	done
	is_well_again
}

# A cloud that lets us in, and is of no use.
lets_down()
{
	mode=$1 pattern=$2
	note "$mode"
	behaves "$mode"
	check "messages are taken" takes_messages
	check "it is said: $pattern" wait_for 30 said "disconnected: .*$pattern"
	check "it is tried again" wait_for 30 came 2
	is_well_again
}

# Whatever the cloud does, the connection stays, or comes again by itself.
bears()
{
	mode=$1
	note "$mode"
	behaves "$mode"
	check "messages are taken" takes_messages
	check "it comes" wait_for 30 came 1
	check "and subscribes" wait_for 30 says '^subscribed' served
	shift
	[ $# -eq 0 ] || check "until: $*" wait_for 30 "$@"
	is_well_again
}

rss_kb()
{
	awk '/^VmRSS/ { print $2 }' "/proc/$gateway_pid/status"
}

# within KB WHAT: what the gateway has in memory
within()
{
	echo "resident: $(rss_kb) kB"
	[ "$(rss_kb)" -le "$1" ]
}

# As many as come in five seconds; without back-off it would be thousands.
does_not_spin()
{
	note "close-at-once"
	behaves close-at-once
	check "messages are taken" takes_messages
	check "it is let in" wait_for 30 came 1
	began=$(date +%s)
	while came 1 && [ $(($(date +%s) - began)) -lt 5 ]; do
		wait_for 1 false || true
	done
	times=$(grep -c '^connection ' served)
	check "it came $times times in 5 seconds, and not more" test "$times" -le 30
	is_well_again
}

# in_flight_is_bounded: many more messages wait than are sent to a cloud that acknowledges none
never_acknowledges()
{
	note "no-puback, many messages"
	behaves no-puback
	check "a thousand messages are taken" numbered 1000
	check "the first are sent" wait_for 30 says '^publish /devices/gw1/events' served
	check "it is said: acknowledged nothing" wait_for 30 said \
		'disconnected: the broker acknowledged nothing within 1 s'
	check "it is tried again" wait_for 30 came 2
	check "no more are in flight than may be" window_is_kept
	check "its memory is small" within "$memory_kb"
	check "messages are taken" takes_messages
	is_well_again
	check "nothing is missing" wait_for 30 all_numbers 1000
	check "and all in their order" in_order
}

numbered()
{
	seq -f 'n%.0f' 1 "$1" | at_site mosquitto_pub gw1 -q 1 -t /devices/gw1/events -l
}

# At most 100 between two connections.
window_is_kept()
{
	awk '/^connection/ { n = 0 } /^publish/ && ++n > 100 { exit 1 }' served
}

all_numbers()
{
	[ "$(grep -x 'n[0-9]*' received | sort -u | wc -l)" -eq "$1" ]
}

in_order()
{
	grep -x 'n[0-9]*' received | awk '!seen[$1]++' >got
	seq -f 'n%.0f' 1 1000 | cmp - got
}

flooded()
{
	said 'is dropped: ' || says '^flooded' served
}

last_command()
{
	grep -q '^/devices/gw1/commands/last the last' heard
}

# What is no topic, or another's, must not reach a device, nor end anything.
sends_nonsense()
{
	mosquitto_sub -h 127.0.0.1 -p "$site_port" -i reader -u bridge -q 1 -t '#' -t "\$SYS/x" \
		-F '%t %p' >heard 2>&1 &
	pids="$pids $!"
	wait_for 20 grep -q 'Sending SUBACK to reader$' site.log || die "the reader cannot subscribe"
	bears topics last_command
	check "the site's broker lives" site_runs
	cut -d ' ' -f 1 <heard >topics
	check "what is no topic was not delivered" not grep -Eaq '[#+]|^$|SYS|config/more' topics
	check "nor what is not UTF-8" iconv -f UTF-8 -t UTF-8 topics
}

old_protocol()
{
	start_here mqtt 3.1.1
	wait_for 20 gateway_is up || die "the gateway does not connect"
	memory_kb=$(($(rss_kb) + ${more_kb:-20000}))
	refuses refuse 'Connection refused'
	refuses silent 'not as an MQTT broker'
	refuses close-first 'not as an MQTT broker'
	refuses garbage-first 'not as an MQTT broker'
	refuses connack-long 'not as an MQTT broker'
	refuses_with 1 'it does not speak MQTT 3.1.1' 2 'it does not take this client id' \
		3 'it is not available now' 4 'bad user name or password' 5 'not authorised'
	refuses connack:9 'not as an MQTT broker'
	lets_down half-close 'closed the connection'
	lets_down garbage-after 'closed the connection'
	lets_down too-long 'closed the connection'
	lets_down never-ends 'acknowledged nothing within 1 s'
	lets_down too-large 'a packet of more than 16777216 bytes'
	lets_down no-suback 'acknowledged nothing within 1 s'
	does_not_spin
	never_acknowledges
	bears suback-fails said 'refuses the subscription \(code 128\)'
	bears strange-acks
	bears flood flooded
	check "its memory is bound" within $((memory_kb + 90000))
	sends_nonsense
	stop_gateway TERM
	check "it ends well" same "$ended" 0
}

newer_protocol()
{
	start_here mqtt 5
	wait_for 20 gateway_is up || die "the gateway does not connect"
	refuses_with 0x80 'an error it does not name' 0x85 'it does not take this client id' \
		0x86 'bad user name or password' 0x87 'not authorised' 0x89 'it is busy' \
		0x97 'a quota is exceeded' 0x9d 'the server has moved' 0x9f 'too many connections'
	lets_down goodbye:0x8e 'code 142\): another client came with our client id'
	lets_down goodbye:0x8b 'code 139\): it shuts down'
	bears puback:0x97 said 'messages wait: .*code 151.*a quota is exceeded'
	bears suback-fails said 'refuses the subscription \(code 128\)'
	bears strange-acks
	is_asked_while_it_hangs
	stop_gateway TERM
	check "it ends well" same "$ended" 0
	handshakes
}

is_asked_while_it_hangs()
{
	kill -STOP "$gateway_pid"
	refused 1 'does not answer within' p11-gateway status --socket "$work/gw.status"
	kill -CONT "$gateway_pid"
	check "when it goes on it answers" status '.uplink.state != ""'
}

# Before it is known who it is.
handshakes()
{
	note "handshakes"
	start_here mqtts 5
	for mode in half-tls silent garbage-first; do
		behaves "$mode"
		check "$mode: it is tried again" wait_for 30 came 3
		[ "$mode" = silent ] || check "$mode: it is said" wait_for 30 said 'not connected: .*TLS'
		check "it answers" status '.uplink.connects == 0'
	done
	stop_gateway TERM
	check "it ends well" same "$ended" 0
}

main()
{
	python=/usr/bin/python3
	need mosquitto mosquitto_pub mosquitto_sub jq iconv openssl "$python"
	begin
	trap 'ended=$?; end_site_test "$ended"' EXIT
	start_token softhsm
	p11-gateway keygen --key 'pkcs11:token=gw;object=device' --type ec:p256 >uri
	printf '%s\n' 'user bridge' 'topic read #' "topic read \$SYS/#" >site.acl
	# One CA: to read all of the system's takes its time with sanitizers.
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=some \
		-days 2 -keyout some.key -out some.crt 2>/dev/null
	site_options=$(printf '%s\n' 'plugin_opt_trusted bridge' "acl_file $work/site.acl")
	start_site
	cloud_port=$("$helpers/free-port")
	echo good >mode
	: >served
	: >received
	"$python" -B "$top/tests/integration/hostile-cloud.py" "$cloud_port" "$work" 2>cloud.err &
	cloud_pid=$!
	pids=" $cloud_pid"
	case $1 in
	3.1.1) old_protocol ;;
	5) newer_protocol ;;
	esac
	[ ! -s cloud.err ] || cat cloud.err
	end
}

main "$@"
