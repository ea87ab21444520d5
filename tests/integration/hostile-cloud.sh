#!/bin/sh
# A gateway whose cloud refuses, stalls, talks nonsense, never acknowledges, or says too much: it
# lives, says why once, does not come back too often, and delivers everything when all is well again.
#
#   usage: hostile-cloud.sh 3.1.1|5|tls      the protocol's version; tls: MQTT 5 over TLS
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
		$(gateway_settings "$1://127.0.0.1:$cloud_port" "$work/some.crt")
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
	check "and answers" wait_for 20 status '.uplink.state != ""'
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
	case $mode in
	refuse) ;;
	connack:*) check "it is tried again and again" wait_for 30 came 3 ;;
	*) check "it is tried again" wait_for 30 came 2 ;;
	esac
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

# within KB: whether the gateway has no more in memory
within()
{
	! is_sanitized "$gateway_pid" || return 0
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
	ends_in "what is not acknowledged" '^publish /devices/gw1/events'
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

# big_ones N: messages that no system's buffers take all of
big_ones()
{
	awk -v n="$1" 'BEGIN {
		for (x = "x"; length(x) < 100000;) x = x x
		for (i = 1; i <= n; i++) print "big" i, x
	}' | at_site mosquitto_pub gw1 -q 1 -t /devices/gw1/events -l
}

all_big_ones()
{
	[ "$(grep -x 'big[0-9]*' received | sort -u | wc -l)" -eq "$1" ]
}

# A cloud that takes a few messages and reads no more.
reads_no_more()
{
	note "stops-reading"
	behaves stops-reading
	check "sixty messages of 128 KiB are taken" big_ones 60
	check "it reads some, and no more" wait_for 30 says '^reads no more' served
	check "it answers meanwhile" status '.uplink.state != ""'
	check "it is said: acknowledged nothing" wait_for 30 said \
		'disconnected: the broker acknowledged nothing within 1 s'
	check "it is tried again" wait_for 30 came 2
	check "its memory is small" within "$((memory_kb + 30000))"
	ends_in "what is not read" '^reads no more'
	check "messages are taken" takes_messages
	is_well_again
	check "nothing is missing" wait_for 30 all_big_ones 60
}

# ends_in WHAT PATTERN: while it waits for that, of which the cloud says the pattern; twelve seconds
# are what the manual says
ends_in()
{
	: >served
	check "something is on its way again" wait_for 30 says "$2" served
	kill -TERM "$gateway_pid"
	check "it ends in spite of $1" wait_for 12 not alive "$gateway_pid"
	stop_gateway KILL
	check "and well" same "$ended" 0
	begin_gateway
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
	check "nor what is for no attached device, or is too large" not says planted heard
	check "what is for the gateway was" says '^/devices/gw1/config its own$' heard
	check "what is for a device that is attached too" \
		wait_for 20 says '^/devices/thermo/config for thermo$' heard
	check "and its commands" wait_for 20 says '^/devices/thermo/commands/do this$' heard
	check "what was not is counted" status '.site.undelivered >= 11'
}

# evil_is_shown: what the cloud said of thermo, so that a terminal obeys nothing in it
evil_is_shown()
{
	p11-gateway status --socket "$work/gw.status" >status.txt &&
		grep -Fq 'a\x1b[2J\x1b]0;title\x07\x9b1m\x7f\u202ez' status.txt
}

is_fit()
{
	! grep -aq "$(printf '[\001-\010\013-\037\177]\\|\302[\200-\237]\\|\342\200[\250-\256]')" "$1" ||
		{ cat -v "$1"; return 1; }
}

# A cloud's words go to the terminal of whoever asks, and to the log.
says_what_a_terminal_obeys()
{
	note "escapes"
	behaves escapes
	check "messages are taken" takes_messages
	check "the cloud says it" wait_for 30 says '^said evil' served
	check "an operator sees it spelled out" wait_for 30 evil_is_shown
	check "in text that is fit to print" is_fit status.txt
	check "the log has it too" wait_for 20 grep -Fq 'device=thermo: a\x1b[2J' gateway.log
	check "and is fit to print" is_fit gateway.log
	is_well_again
}

# malformed WHAT HEX...: each sent to who has subscribed, and said
malformed()
{
	note "malformed packets"
	check "messages are taken" takes_messages
	while [ $# -gt 0 ]; do
		behaves "sends:$2"
		check "$2 is $1" wait_for 30 said "disconnected: the broker sends $1"
		shift 2
	done
	is_well_again
}

# connack_is WHAT HEX...: the same for what answers the CONNECT
connack_is()
{
	note "a CONNACK that is none"
	check "messages are taken" takes_messages
	while [ $# -gt 0 ]; do
		behaves "connack-is:$2"
		check "$2 is $1" wait_for 30 said "not connected: the broker sends $1"
		shift 2
	done
	is_well_again
}

# begin_here SCHEME VERSION
begin_here()
{
	start_here "$1" "$2"
	wait_for 20 gateway_is up || die "the gateway does not connect"
	memory_kb=$(($(rss_kb) + ${more_kb:-20000}))
}

end_here()
{
	stop_gateway TERM
	check "it ends well" same "$ended" 0
}

# What no broker may do, over TLS or not.
worst_ones()
{
	lets_down half-close 'closed the connection'
	lets_down garbage-after "$1"
	lets_down cut 'closed the connection'
	lets_down no-suback 'acknowledged nothing within 1 s'
	lets_down suback-few 'a SUBACK with more or fewer codes'
	never_acknowledges
	reads_no_more
}

# The same in all versions; $1 is what garbage is taken for
any_protocol()
{
	refuses refuse 'Connection refused'
	refuses silent 'not as an MQTT broker'
	refuses close-first 'not as an MQTT broker'
	refuses garbage-first 'not as an MQTT broker'
	refuses connack-long 'not as an MQTT broker'
	worst_ones "$1"
	lets_down too-long 'closed the connection'
	lets_down never-ends 'acknowledged nothing within 1 s'
	lets_down too-large 'a packet of more than 16777216 bytes'
	lets_down suback-many 'a SUBACK with more or fewer codes'
	lets_down suback-none 'a SUBACK that is malformed'
	does_not_spin
	bears suback-fails said 'refuses the subscription \(code 128\)'
	bears strange-acks
	bears flood flooded
	check "its memory is bound" within $((memory_kb + 90000))
	sends_nonsense
	says_what_a_terminal_obeys
}

old_protocol()
{
	begin_here mqtt 3.1.1
	any_protocol 'closed the connection'
	refuses_with 1 'it does not speak MQTT 3.1.1' 2 'it does not take this client id' \
		3 'it is not available now' 4 'bad user name or password'
	refuses connack:5 'refuses the connection \(code 5\): not authorised'
	refuses connack:9 'not as an MQTT broker'
	malformed 'a PUBLISH that is' 300300ff61 'a PUBLISH that is' 36050001610001 \
		'a PUBACK that is' 400100 'a SUBACK that is' 9003000105
	connack_is 'a CONNACK that is' 2003000000
	end_here
}

newer_protocol()
{
	begin_here mqtt 5
	any_protocol 'closed the connection'
	refuses_with 0x85 'it does not take this client id' \
		0x86 'bad user name or password' 0x89 'it is busy' \
		0x97 'a quota is exceeded' 0x9f 'too many connections'
	refuses connack:0x87 'refuses the connection \(code 135\): not authorised'
	lets_down goodbye:0x8e 'code 142\): another client came with our client id'
	lets_down goodbye:0x8b 'code 139\): it shuts down'
	bears puback:0x97 said 'messages wait: .*code 151.*a quota is exceeded'
	is_asked_while_it_hangs
	# Properties: longer than the packet, unknown, twice, cut off; and no codes.
	malformed 'a PUBLISH that is' 3005000161ff01 'a PUBLISH that is' 3006000161027f00 \
		'a PUBLISH that is' 300a00016106030000030000 'a PUBLISH that is' 300700016103020000 \
		'an UNSUBACK that is' b003000100
	connack_is 'a CONNACK that is' 20050000ff0100 'a CONNACK of MQTT 3.1.1' 20020001
	end_here
}

tls()
{
	handshakes
	begin_here mqtts 5
	worst_ones 'closed the connection'
	end_here
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
	end_here
	behaves good
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
		-addext subjectAltName=IP:127.0.0.1 -days 2 -keyout some.key -out some.crt 2>/dev/null
	site_options=$(printf '%s\n' 'plugin_opt_trusted bridge' "acl_file $work/site.acl")
	start_site
	cloud_port=$("$helpers/free-port")
	echo good >mode
	: >served
	: >received
	protocol=$1
	if [ "$protocol" = tls ]; then
		set -- some.crt some.key
	else
		set --
	fi
	"$python" -B "$top/tests/integration/hostile-cloud.py" "$cloud_port" "$work" "$@" \
		2>cloud.err &
	cloud_pid=$!
	pids=" $cloud_pid"
	case $protocol in
	3.1.1) old_protocol ;;
	5) newer_protocol ;;
	tls) tls ;;
	esac
	[ ! -s cloud.err ] || cat cloud.err
	end
}

main "$@"
