#!/bin/sh
# Messages that the cloud's broker refuses, by closing the connection or by a PUBACK: they hold up
# their own device, in its order, and nobody else; status, metrics and the device's errors topic name
# them. A broker that is gone for a while refuses nothing.
#
#   usage: poison.sh 3.1.1|5      the protocol's version
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

innocent=200

# start_cloud MODE: hostile-cloud.py, on the port it had before when there was one
start_cloud()
{
	echo "$1" >mode
	: >served
	"$python" -B "$top/tests/integration/hostile-cloud.py" "$cloud_port" "$work" 2>cloud.err &
	cloud_pid=$!
	wait_for 20 says "^mode $1\$" served || { cat cloud.err; die "the cloud does not start"; }
}

stop_cloud()
{
	kill "-${1:-TERM}" "$cloud_pid" 2>/dev/null || true
	kill -CONT "$cloud_pid" 2>/dev/null || true
	wait "$cloud_pid" 2>/dev/null || true
}

behaves()
{
	: >served
	printf '%s\n' "$1" >mode.new
	mv mode.new mode
	wait_for 20 says "^mode $1\$" served || die "the cloud does not change"
}

# start_here [LINE...]: a gateway of the profile generic; the lines belong to [site]
start_here()
{
	: >gateway.log
	write_gateway_settings 'profile = generic' "mqtt-version = $protocol" 'username = gw1' \
		'retry-max = 1s' 'timeout = 1s' '[site]' "$@"
	sed "s#^url = .*#url = mqtt://127.0.0.1:$cloud_port#; /^ca-file/d" gw.conf >gw.new
	mv gw.new gw.conf
	start_gateway --status.metrics-listen="$metrics_port"
}

# numbered NAME TOPIC FROM TO: events NAME-N
numbered()
{
	seq -f "$1-%.0f" "$3" "$4" | at_site mosquitto_pub "$1" -q 1 -t "/devices/$1/events/$2" -l
}

arrived()
{
	grep -Fxq "$1" received
}

# complete NAME FROM TO: whether all of them arrived, in their order, once duplicates are gone
complete()
{
	grep "^$1-" received | awk '!seen[$1]++' >got
	seq -f "$1-%.0f" "$2" "$3" >wanted
	cmp -s wanted got || { diff wanted got | head -n 20; return 1; }
}

# complete_of_each_topic: the same for the two topics of device bad apart: what was in flight beside
# a message that a PUBACK refuses has arrived when that one is sent again
complete_of_each_topic()
{
	for forbidden in 1 0; do
		grep '^bad-' received | awk -F- -v forbidden=$forbidden '
			!seen[$0]++ && int(($2 - 1) / 10) % 2 != forbidden' >got
		seq -f 'bad-%.0f' 1 100 | awk -F- -v forbidden=$forbidden '
			int(($2 - 1) / 10) % 2 != forbidden' >wanted
		cmp -s wanted got || { diff wanted got | head -n 20; return 1; }
	done
}

# attempts N: whether the gateway has begun to connect so often since the log was emptied
attempts()
{
	[ "$(grep -c ': connecting url=' gateway.log)" -ge "$1" ]
}

# hears_errors: what the gateway reports at the site, in the background, into errors.heard; a device
# that publishes by its own id would end its own connection
hears_errors()
{
	mosquitto_sub -h 127.0.0.1 -p "$site_port" -i reader -u bridge -q 1 -t '/devices/+/errors' \
		-F '%t %p' >errors.heard 2>&1 &
	pids="$pids $!"
	wait_for 20 grep -q 'Sending SUBACK to reader$' site.log || die "the reader cannot subscribe"
}

# A cloud that stops while nothing was acknowledged, is gone, and comes back: the only message in flight
# is not to blame.
blameless()
{
	note "a cloud that stops with one message in flight"
	start_cloud good
	start_here
	kill -STOP "$cloud_pid"
	check "one is taken" numbered thermo x 1 1
	check "it is sent" wait_for 20 status '.uplink.in_flight == 1'
	: >gateway.log
	check "connections are tried in vain" wait_for 60 attempts 6
	stop_cloud KILL
	: >gateway.log
	check "and again, at nothing" wait_for 60 attempts 6
	check "more are taken" numbered thermo x 2 20
	check "others' too" numbered pump x 1 20
	start_cloud good
	check "when it is back all of them arrive, in their order" wait_for 20 complete thermo 1 20
	check "others' too" wait_for 20 complete pump 1 20
	check "nothing is blocked" status '.blocked.topics == 0 and .spool.waiting == 0'
	stop_gateway TERM
	stop_cloud
}

blocks()
{
	status '.blocked.list[] | select(.device == "bad" and
		.topic == "/devices/bad/events/forbidden" and (.reason | test("'"$1"'")))'
}

counted()
{
	curl -sSf --max-time 5 -o metrics "http://127.0.0.1:$metrics_port/metrics" &&
		grep -Eq '^p11_gateway_blocked_topic\{device="bad",topic="/devices/bad/events/forbidden",reason=".*'"$1"'.*"\} 1$' metrics &&
		grep -q '^p11_gateway_blocked_topics 1$' metrics
}

# at_most N: how often the gateway connected
at_most()
{
	times=$(grep -c '^connection ' served)
	echo "$times connections"
	[ "$times" -le "$1" ]
}

# refuses HOW REASON: a device that may not publish to one of its topics
refuses()
{
	how=$1 reason=$2
	note "a cloud that forbids a topic: $how"
	: >received
	start_cloud "forbids:$how"
	start_here 'refused-hold = 1h'
	hears_errors
	for i in 0 2 4 6 8; do
		numbered bad forbidden $((i * 10 + 1)) $((i * 10 + 10))
		numbered bad fine $((i * 10 + 11)) $((i * 10 + 20))
		numbered thermo x $((i * innocent / 10 + 1)) $(((i + 2) * innocent / 10))
		numbered pump x $((i * innocent / 10 + 1)) $(((i + 2) * innocent / 10))
	done
	check "others' messages arrive, in their order" wait_for 60 complete thermo 1 $innocent
	check "all of them" wait_for 60 complete pump 1 $innocent
	check "status names device, topic and reason" wait_for 60 blocks "$reason"
	status_text
	check "so does the text" says 'device bad, topic /devices/bad/events/forbidden' status.text
	check "metrics do" counted "$reason"
	check "the log does, once" same "$(grep -Ec ": the cloud refuses a topic: .*$reason.* device=bad topic=/devices/bad/events/forbidden" gateway.log)" 1
	check "the device's errors topic does" wait_for 20 says \
		'PUBLISH_REFUSED.*"device_id":"bad".*"topic":"/devices/bad/events/forbidden"' errors.heard
	check "few connections were spent on it" at_most 10
	case $how in
	puback*) in_order=complete_of_each_topic ;;
	*) in_order='complete bad 1 100' ;;
	esac
	[ "$in_order" = complete_of_each_topic ] ||
		check "none of its messages overtook another" not arrived bad-11
	behaves good
	# shellcheck disable=SC2086 # a command and its operands
	check "once it is allowed all of them arrive, in their order" wait_for 60 $in_order
	check "nothing is blocked" wait_for 20 status '.blocked.topics == 0 and .spool.waiting == 0'
	check "none was dropped" status '.uplink.held_out == 0 and .uplink.refused == 0'
	stop_others
	stop_gateway TERM
	stop_cloud
}

# The same with a hold that ends: what is forbidden is dropped, the rest goes on in its order.
gives_up()
{
	note "a cloud that forbids a topic for good: $1"
	: >received
	start_cloud "forbids:$1"
	start_here 'refused-hold = 3s'
	numbered bad forbidden 1001 1010
	numbered bad fine 1 20
	numbered bad forbidden 1011 1020
	numbered bad fine 21 40
	numbered thermo x 1 100
	check "others' messages arrive, in their order" wait_for 60 complete thermo 1 100
	check "what the device may send arrives, in its order" wait_for 60 complete bad 1 40
	check "the rest is dropped and counted" wait_for 60 status \
		'.uplink.held_out == 20 and .spool.waiting == 0'
	check "status says how many" status '.blocked.list[0].dropped == 20'
	check "the device goes on" numbered bad fine 41 60
	check "all of it arrives" wait_for 60 complete bad 1 60
	stop_gateway TERM
	stop_cloud
}

# Of QoS 0 no answer says what was accepted.
without_qos()
{
	note "a forbidden topic with QoS 0"
	: >received
	start_cloud forbids:close
	start_here 'refused-hold = 1h'
	tries=0
	until status '.blocked.topics == 1'; do
		at_site mosquitto_pub bad -q 0 -t /devices/bad/events/forbidden -m never
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || break
		wait_for 1 status '.blocked.topics == 1' || true
	done
	check "it is found out" blocks closes
	check "others' messages arrive" numbered thermo x 1 100
	check "so they do" wait_for 30 complete thermo 1 100
	stop_gateway TERM
	stop_cloud
}

# Nothing comes back to the messages of a spool that is removed: what waits in it holds nothing up.
# The last part: what the broker has in memory comes into the new spool, and is sent once more.
leaves_a_spool()
{
	note "a spool that is removed while a quota is exceeded"
	: >received
	start_cloud puback:0x97
	start_here
	check "messages are taken" numbered thermo x 1 5
	check "they wait" wait_for 20 says 'messages wait: ' gateway.log
	# The gateway has seen the end of the spool, and looks there again each second.
	sleep 2
	rm -rf spool
	check "the gateway notices" wait_for 20 says 'the spool .* was removed' gateway.log
	check "it reads the one that the site's broker has made" wait_for 30 says \
		'the spool is there' gateway.log
	behaves good
	check "more are taken" wait_for 20 numbered thermo x 6 10
	check "and arrive" wait_for 30 arrived thermo-10
	stop_gateway TERM
	stop_cloud
}

status_text()
{
	p11-gateway status --socket "$work/gw.status" >status.text
}

main()
{
	python=/usr/bin/python3
	need mosquitto mosquitto_pub mosquitto_sub jq curl "$python"
	begin
	trap 'ended=$?; stop_cloud KILL; end_site_test "$ended"' EXIT
	start_token softhsm
	p11-gateway keygen --key 'pkcs11:token=gw;object=device' --type ec:p256 >uri
	protocol=$1
	cloud_pid=
	port=1 # of the settings, which are of another broker
	: >received
	printf '%s\n' 'user bridge' 'topic read #' >site.acl
	site_options=$(printf '%s\n' 'plugin_opt_trusted bridge' "acl_file $work/site.acl")
	start_site
	cloud_port=$("$helpers/free-port")
	metrics_port=$("$helpers/free-port")
	blameless
	refuses close 'closes the connection'
	[ "$protocol" != 5 ] || {
		refuses goodbye=0x87 'no longer authorised'
		refuses goodbye=0x90 'does not take a topic'
		refuses puback=0x87 'not authorised'
		refuses puback=0x83 'its own reason'
		gives_up puback=0x80
	}
	gives_up close
	without_qos
	[ "$protocol" != 5 ] || leaves_a_spool
	end
}

main "$@"
