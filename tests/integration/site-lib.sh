# shellcheck shell=sh disable=SC2119,SC2120 # most calls need no arguments
# site-lib: a site: its broker with p11_site.so on a plain port, local devices, and the gateway
# between it and the cloud's broker of lib.sh. Sourced by the gateway's tests, behind lib.sh.

helpers=$build/tests/integration
site_pid=
gateway_pid=
site_options=
pids=

# Most loads are faster than a broker and a gateway allow unless told otherwise.
cloud_rates='plugin_opt_max_messages_per_s 0
plugin_opt_max_bytes_per_s 0'
gateway_rates='device-rate = 0
device-byte-rate = 0'

# write_site_settings: mosquitto.conf of the site's broker on $site_port
write_site_settings()
{
	{
		[ "$(id -u)" -ne 0 ] || echo "user root"
		cat <<-CONF
			log_dest file $work/site.log
			log_type all
			log_timestamp_format %H:%M:%S
			listener $site_port 127.0.0.1
			allow_anonymous true
			max_inflight_messages 1000
			max_queued_messages 0
			plugin ${site_plugin:-$build/src/plugin/.libs/p11_site.so}
			plugin_opt_spool ${site_spool:-$work/spool}
			plugin_opt_socket ${site_socket:-$work/site.sock}
			plugin_opt_front ${site_front:-$memory}
		CONF
		[ -z "$site_options" ] || printf '%s\n' "$site_options"
	} >"$work/site.conf"
}

site_runs()
{
	alive "$site_pid" && grep -q 'mosquitto version .* running' "$work/site.log"
}

site_settled()
{
	site_runs || ! alive "$site_pid"
}

# start_site: the site's broker, on the port it had before when there was one
start_site()
{
	kept=${site_port:-}
	make_memory
	attempts=0
	while :; do
		[ -n "$kept" ] || site_port=$("$helpers/free-port")
		write_site_settings
		: >"$work/site.log"
		LD_PRELOAD=${ASAN_RUNTIME:-} ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-} \
			${site_as:-} mosquitto -c "$work/site.conf" >>"$work/site.out" 2>&1 &
		site_pid=$!
		wait_for 20 site_settled
		site_runs && return
		wait "$site_pid" || true
		site_pid=
		attempts=$((attempts + 1))
		if [ "$attempts" -ge 20 ] || ! grep -q 'Address already in use' "$work/site.log"; then
			cat "$work/site.out" "$work/site.log"
			die "the site's broker does not start"
		fi
	done
}

# stop_site [SIGNAL]
stop_site()
{
	[ -n "$site_pid" ] || return 0
	kill "-${1:-TERM}" "$site_pid" 2>/dev/null || true
	wait "$site_pid" 2>/dev/null || true
	site_pid=
}

# is_sanitized PID: its memory is then a sanitizer's more than ours, and tells nothing
is_sanitized()
{
	grep -Eaq '__[atm]san_init' "/proc/$1/exe"
}

# write_gateway_settings [LINE...]: gw.conf for the cloud's broker on $port; the lines come last, from
# [uplink] on. Of a setting that is there more than once the last one counts, unless it is a list.
write_gateway_settings()
{
	base_settings >gw.whole
	[ $# -eq 0 ] || printf '%s\n' "$@" >>gw.whole
	awk '/^\[/ { section = $1 }
		NR == FNR && $2 == "=" { last[section " " $1] = FNR }
		NR == FNR { next }
		$2 != "=" || $1 ~ /^(url|claim|header|in|out)$/ || last[section " " $1] == FNR' \
		gw.whole gw.whole >"$work/gw.conf"
}

base_settings()
{
	cat <<-CONF
		[log]
		level = debug
		$(gateway_settings "mqtts://$host:$port" "$CA_DIR/root-ca.crt")
		retry-max = 2s
		timeout = 10s
		$gateway_rates
	CONF
}

# gateway_settings URL CA-FILE: what every gateway of a site has; ends in its [uplink]
gateway_settings()
{
	cat <<-CONF
		[token]
		key = pkcs11:token=gw;object=device
		[site]
		socket = $work/site.sock
		[spool]
		path = $work/spool
		[status]
		socket = $work/gw.status
		[uplink]
		url = $1
		ca-file = $2
		project = $project
		region = $region
		registry = $registry
		device = gw1
	CONF
}

# start_gateway [OPTION...]: and waits until it is connected
start_gateway()
{
	begin_gateway "$@"
	wait_for 30 gateway_is up || { cat "$work/gateway.log"; die "the gateway does not connect"; }
}

# begin_gateway [OPTION...]: and does not wait
begin_gateway()
{
	${gateway_as:-} p11-gateway run -c "$work/gw.conf" "$@" >>"$work/gateway.log" 2>&1 &
	gateway_pid=$!
}

# stop_gateway [SIGNAL]: sets $ended to its exit status
stop_gateway()
{
	ended=0
	[ -n "$gateway_pid" ] || return 0
	kill "-${1:-TERM}" "$gateway_pid" 2>/dev/null || true
	wait "$gateway_pid" || ended=$?
	gateway_pid=
}

# status EXPRESSION: whether jq finds what `p11-gateway status` says to be so
status()
{
	p11-gateway status --socket "$work/gw.status" --json >"$work/status.json" &&
		jq -e "$1" "$work/status.json"
}

gateway_is()
{
	status ".uplink.state == \"$1\""
}

# at_site TOOL NAME OPTION...: mosquitto's tool as a local device
at_site()
{
	tool=$1 name=$2
	shift 2
	${in_place:-} "$tool" -h 127.0.0.1 -p "$site_port" -V "${version:-mqttv311}" -i "$name" "$@"
}

# sends NAME OPTION...
sends()
{
	name=$1
	shift
	at_site mosquitto_pub "$name" -q 1 "$@"
}

# hears NAME FILTER: in the background, into NAME.heard, "TOPIC PAYLOAD" a line
hears()
{
	: >"$1.heard"
	(in_place='exec' && at_site mosquitto_sub "$1" -q 1 -t "$2" -F '%t %p') >"$1.heard" 2>&1 &
	pids="$pids $!"
	wait_for 20 grep -q "Sending SUBACK to $1\$" "$work/site.log" || die "$1 cannot subscribe"
}

stop_others()
{
	for other in $pids; do
		kill "$other" 2>/dev/null || true
		wait "$other" 2>/dev/null || true
	done
	pids=
}

# pulled DEVICE: what the cloud has of a device, in its order, into the file `pulled`
pulled()
{
	sqlite3 "$P11_REGISTRY_DB" "SELECT CAST(data AS TEXT) FROM messages
		WHERE json_extract(attributes, '\$.deviceId') = '$1' ORDER BY rowid" >pulled
}

# has DEVICE TEXT: whether the cloud has this message of it
has()
{
	pulled "$1"
	grep -Fxq -- "$2" pulled
}

# begin_site_test TOKEN: a key in a token, its certificate, a registry with gateway and devices,
# the cloud's broker
begin_site_test()
{
	begin
	trap 'ended=$?; end_site_test "$ended"' EXIT
	start_token "$1"
	"$top/ca/ca" init >ca.log 2>&1 || { cat ca.log; die "ca init failed"; }
	key='pkcs11:token=gw;object=device'
	p11-gateway keygen --key "$key" --type ec:p256 >uri
	p11-gateway csr --key "$key" --subject /CN=gw1 -o gw1.csr
	"$top/ca/ca" sign gw1.csr >ca.log 2>&1 || { cat ca.log; die "ca sign failed"; }
	{
		p11-registry pubsub topics create iotcore
		p11-registry pubsub subscriptions create iotpull --topic=iotcore
		p11-registry registries create "$registry" --event-notification-config=topic=iotcore \
			--public-key-path="$CA_DIR/iot-ca.crt"
		p11-registry devices create gw1 --registry="$registry" --device-type=gateway \
			--auth-method=association-only --public-key=path=gw1.crt,type=es256-x509-pem
		for device in thermo pump lamp; do
			p11-registry devices create "$device" --registry="$registry"
			p11-registry devices gateways bind --gateway=gw1 --device="$device" \
				--gateway-registry="$registry" --device-registry="$registry"
		done
	} >registry.out
	start_broker "${broker_options:-max_inflight_messages 100}" "$cloud_rates"
}

end_site_test()
{
	trap - EXIT
	if [ "$1" -ne 0 ] && [ "$1" -ne 77 ]; then
		for log in gateway.log site.log; do
			[ ! -s "$work/$log" ] || { note "$log ends with"; tail -n 30 "$work/$log"; }
		done
	fi
	stop_others
	stop_gateway KILL
	stop_site
	finish "$1"
}
