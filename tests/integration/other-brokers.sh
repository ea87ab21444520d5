#!/bin/sh
# Brokers that a gateway cannot use, or not as it is set: the log and the status say what is wrong and
# what to set. And a broker that accepts only QoS 0, when that was chosen.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

cloud_pid=

# start_cloud MODE
start_cloud()
{
	echo "$1" >mode
	: >served
	: >received
	cloud_port=$("$helpers/free-port")
	"$python" -B "$top/tests/integration/hostile-cloud.py" "$cloud_port" "$work" 2>cloud.err &
	cloud_pid=$!
	wait_for 20 says "^mode $1\$" served || { cat cloud.err; die "the cloud does not start"; }
}

stop_cloud()
{
	[ -n "$cloud_pid" ] || return 0
	kill "$cloud_pid" 2>/dev/null || true
	wait "$cloud_pid" 2>/dev/null || true
	cloud_pid=
}

# write_here URL [LINE...]: settings of the profile generic
write_here()
{
	url=$1
	shift
	: >gateway.log
	write_gateway_settings 'profile = generic' 'retry-max = 1s' 'timeout = 2s' "$@"
	sed "s#^url = .*#url = $url#; s#^ca-file = .*#ca-file = $work/some.crt#" gw.conf >gw.new
	mv gw.new gw.conf
}

# tells PATTERN: the log does, and the status when it is asked
tells()
{
	check "the log says: $1" wait_for 30 says "not connected: .*$1" gateway.log
	check "so does the status" wait_for 20 status ".uplink.last_error | test(\"$1\")"
}

refuses_maximum_qos_0()
{
	note "a broker that accepts only QoS 0"
	start_cloud qos0
	write_here "mqtt://127.0.0.1:$cloud_port"
	begin_gateway
	check "a message is taken at the site" sends thermo -t /devices/thermo/events -m kept
	tells 'accepts only QoS 0.*set max-qos = 0'
	check "it is not up, and nothing is dropped" status \
		'.uplink.connects == 0 and .uplink.refused == 0 and .spool.waiting == 1'
	check "no message was sent" not says '^publish' served
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
}

sends_qos_0()
{
	note "the same, with max-qos = 0"
	write_here "mqtt://127.0.0.1:$cloud_port" 'max-qos = 0'
	start_gateway
	seq -f 'n-%.0f' 1 500 | at_site mosquitto_pub thermo -q 1 -t /devices/thermo/events -l
	check "what waited arrives" wait_for 20 says '^kept$' received
	check "all else too" wait_for 20 has_all 500
	check "in its order" in_order 500
	check "nothing is refused, nothing waits" wait_for 20 status \
		'.uplink.refused == 0 and .spool.waiting == 0 and .uplink.connects == 1'
	stop_gateway TERM
	stop_cloud
}

has_all()
{
	[ "$(grep -c '^n-' received)" -eq "$1" ]
}

in_order()
{
	grep '^n-' received >got
	seq -f 'n-%.0f' 1 "$1" | cmp - got
}

# An older broker answers as it would to a newer one of its own, or closes the connection.
speaks_only_3()
{
	for how in connack close; do
		note "a broker of MQTT 3.1.1 that answers MQTT 5 by: $how"
		start_cloud "only-3.1.1:$how"
		write_here "mqtt://127.0.0.1:$cloud_port" 'mqtt-version = 5'
		begin_gateway
		tells 'set mqtt-version = 3.1.1'
		stop_gateway TERM
		write_here "mqtt://127.0.0.1:$cloud_port" 'mqtt-version = 3.1.1' 'username = gw1'
		start_gateway
		check "with that setting it is up" gateway_is up
		stop_gateway TERM
		stop_cloud
	done
}

refuses_subscriptions()
{
	note "a broker that refuses a subscription"
	for version_and_code in 3.1.1:0x80 5:0x87; do
		start_cloud "suback:${version_and_code#*:}"
		write_here "mqtt://127.0.0.1:$cloud_port" "mqtt-version = ${version_and_code%:*}" \
			'username = gw1' '[site]' 'in = alarms/# 1'
		start_gateway
		check "the status names it" wait_for 20 status '.uplink.subscriptions_refused == 1 and
			(.uplink.subscription_error | test("alarms/#: the broker refuses"))'
		p11-gateway status --socket "$work/gw.status" >status.text
		check "so does its text" says 'WARNING: the broker refused 1 subscriptions.*alarms/#' status.text
		check "and the log" says 'cannot subscribe filter=alarms/#: the broker refuses' gateway.log
		stop_gateway TERM
		stop_cloud
	done
}

# try_mosquitto VERSION: which demands a client certificate, in TLS of this version
try_mosquitto()
{
	cloud_port=$("$helpers/free-port")
	{
		[ "$(id -u)" -ne 0 ] || echo "user root"
		printf '%s\n' "listener $cloud_port 127.0.0.1" 'allow_anonymous true' \
			"certfile $work/some.crt" "keyfile $work/some.key" "cafile $work/some.crt" \
			'require_certificate true' "tls_version $1" "log_dest file $work/cloud.log"
	} >cloud.conf
	: >cloud.log
	mosquitto -c cloud.conf >cloud.out 2>&1 &
	cloud_pid=$!
	wait_for 20 cloud_settled
	alive "$cloud_pid"
}

cloud_settled()
{
	! alive "$cloud_pid" || grep -q 'mosquitto version .* running' cloud.log
}

demands_a_certificate()
{
	for tls in tlsv1.2 tlsv1.3; do
		note "a broker that demands a client certificate in $tls"
		attempts=0
		until try_mosquitto "$tls"; do
			attempts=$((attempts + 1))
			[ "$attempts" -lt 20 ] || die "the broker does not start: $(cat cloud.out)"
		done
		write_here "mqtts://127.0.0.1:$cloud_port"
		begin_gateway
		tells 'demands a TLS client certificate'
		stop_gateway TERM
		stop_cloud
	done
}

# MQTT 3.1.1 has no password without a user name.
wants_a_username()
{
	note "MQTT 3.1.1 without a user name"
	write_here mqtt://127.0.0.1:1 'mqtt-version = 3.1.1'
	refused 2 'uplink.username is missing: MQTT 3.1.1 sends no password' \
		p11-gateway run --check -c gw.conf
	refused 2 'uplink.username is missing: MQTT 3.1.1 sends no password' \
		p11-gateway run -c gw.conf
	check "with one it is right" p11-gateway run --check -c gw.conf --uplink.username=gw1
	check "so is MQTT 5" p11-gateway run --check -c gw.conf --uplink.mqtt-version=5
}

# A site's broker whose spool is full refuses its clients' messages: who asks the gateway sees it.
site_refuses()
{
	note "a site's broker whose spool is full"
	start_cloud no-puback
	write_here "mqtt://127.0.0.1:$cloud_port" 'mqtt-version = 5' 'timeout = 60s'
	start_gateway
	head -c 200000 /dev/zero | tr '\0' x >large
	n=0
	while sends thermo -t /devices/thermo/events -f large 2>/dev/null &&
		! status '.site.refusing != ""' && [ "$n" -lt 100 ]; do
		n=$((n + 1))
	done >/dev/null
	check "the status says so" wait_for 20 status '.site.refusing | test("full")'
	check "and since when" status '.site.refusing_s >= 0'
	p11-gateway status --socket "$work/gw.status" >status.text
	check "its text warns" says "WARNING: the site's broker accepts no messages: " status.text
	check "so does the log" says "the site's broker accepts no messages: .*full" gateway.log
	printf 'good\n' >mode
	check "when there is room again it is over" wait_for 60 accepts_again
	stop_gateway TERM
	stop_cloud
}

accepts_again()
{
	sends thermo -t /devices/thermo/events -m small && status '.site.refusing == ""'
}

main()
{
	python=/usr/bin/python3
	need mosquitto mosquitto_pub jq openssl "$python"
	begin
	trap 'ended=$?; stop_cloud; end_site_test "$ended"' EXIT
	start_token softhsm
	p11-gateway keygen --key 'pkcs11:token=gw;object=device' --type ec:p256 >uri
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=some \
		-addext subjectAltName=IP:127.0.0.1 -days 2 -keyout some.key -out some.crt 2>/dev/null
	port=1 # of the settings, which are of another broker
	site_options='plugin_opt_max_size 4M'
	start_site
	refuses_maximum_qos_0
	sends_qos_0
	speaks_only_3
	refuses_subscriptions
	demands_a_certificate
	wants_a_username
	site_refuses
	end
}

main "$@"
