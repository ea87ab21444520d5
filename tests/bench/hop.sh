# shellcheck shell=sh disable=SC2154 # what bench.sh has set
# hop: from a site's broker to the cloud's, through our spool and gateway and by mosquitto's own
# bridge, over the same two kinds of brokers. Sourced by bench.sh.

hop=$build/tests/bench/bench-hop

make_tls()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=127.0.0.1 \
		-addext subjectAltName=IP:127.0.0.1 -days 2 -keyout "$work/up.key" \
		-out "$work/up.crt" 2>/dev/null
}

# hop_up_conf: the cloud's broker, on a second port with TLS
hop_up_conf()
{
	anyone_conf
	cat <<-CONF
		listener $tls_port 127.0.0.1
		certfile $work/up.crt
		keyfile $work/up.key
	CONF
}

# hop_bridge_conf tls|plain NAME PORT: a bridge to that port
hop_bridge_conf()
{
	anyone_conf
	printf 'connection %s\naddress 127.0.0.1:%s\ntopic # out 1\n' "$2" "$3"
	[ "$1" = plain ] || echo "bridge_cafile $work/up.crt"
}

# hop_site_conf SPOOL TOPIC: takes that topic into the spool, with a socket beside it
hop_site_conf()
{
	anyone_conf
	printf 'acl_file %s\nplugin %s\n' "$work/hop.acl" "$build/src/plugin/.libs/p11_site.so"
	printf 'plugin_opt_spool %s\nplugin_opt_socket %s\n' "$1" "$1.sock"
	printf 'plugin_opt_front /dev/shm\nplugin_opt_topic %s\n' "$2"
	echo 'plugin_opt_max_new_devices_per_min 0'
}

# as_unit PROGRAM [ARGUMENT...]: scheduled as the gateway's unit has it, where one may
as_unit()
{
	exec nice -n -5 chrt --batch 0 "$@"
}

# start_gateway URL
start_gateway()
{
	as_unit "$build/p11-gateway" run --token.key="$hop_key" --uplink.url="$1" \
		--uplink.ca-file="$work/up.crt" --uplink.profile=generic --uplink.device=bench \
		--site.socket="$spool.sock" --site.out='ours 1' --spool.path="$spool" \
		--status.socket="$work/status" >"$work/gateway.log" 2>&1 &
	gateway=$!
	pids="$pids $gateway"
	waited=0
	until grep -q 'connected url' "$work/gateway.log"; do
		if ! kill -0 "$gateway" 2>/dev/null || [ $waited -ge 200 ]; then
			die "the gateway does not connect: $(cat "$work/gateway.log")"
		fi
		waited=$((waited + 1))
		sleep 0.05
	done
}

stop_gateway()
{
	end_process "$gateway"
}

# column FILE N: the middle one of that column
column()
{
	awk -v n="$2" '{ print $n }' "$1" >"$work/column"
	median "$work/column"
}

# beside WHAT OURS BRIDGE COLUMN TARGET: the middle ones of two files
beside()
{
	compare "$1" "mosquitto's own bridge" "$(column "$work/$2" "$4")" "$(column "$work/$3" "$4")" "$5"
}

# start_site: the site's broker that has our plugin
start_site()
{
	hop_site_conf "$spool" ours >"$work/site.conf"
	start_broker site
	site_port=$port
	site_pid=$pid
}

# start_ways plain|tls: ours, the bridge, and the bridge with a process between that only passes
# bytes on
start_ways()
{
	cloud_port=$up_port scheme=mqtt
	[ "$1" = plain ] || cloud_port=$tls_port scheme=mqtts
	hop_bridge_conf "$1" up "$cloud_port" >"$work/bridge.conf"
	start_broker bridge
	bridge_port=$port
	bridge_pid=$pid
	relay_port=$("$build/tests/integration/free-port")
	"$hop" relay --from "$relay_port" --to "$cloud_port" &
	relay_pid=$!
	pids="$pids $relay_pid"
	hop_bridge_conf "$1" relayed "$relay_port" >"$work/relayed.conf"
	start_broker relayed
	relayed_port=$port
	relayed_pid=$pid
	start_site
	start_gateway "$scheme://127.0.0.1:$cloud_port"
}

end_ways()
{
	stop_gateway
	for process in "$site_pid" "$bridge_pid" "$relayed_pid" "$relay_pid"; do
		end_process "$process"
	done
}

# rate WAY PORT TOPIC
rate()
{
	"$hop" rate --from "$2" --to "$up_port" --topic "$3" --messages 50000 >>"$work/rate.$1"
}

# latency WAY PORT TOPIC: at 1,000 messages a second
latency()
{
	"$hop" latency --rate 1000 --messages 2000 --from "$2" --to "$up_port" --topic "$3" \
		>>"$work/latency.$1"
}

# turn: each way once after the other
turn()
{
	rate ours "$site_port" ours
	rate bridge "$bridge_port" theirs
	latency ours "$site_port" ours
	latency bridge "$bridge_port" theirs
	latency relayed "$relayed_port" relayed
	latency tailed "$tailed_port" least
}

# hop_rows plain|tls: each round with new processes, for where they come to lie in memory and on the
# processors decides more than what is compared; their first messages, which touch all for the first
# time, are not counted. The relay is the least that a gateway costs that is not part of the broker;
# so is, in the clear, one that only takes messages from a spool to the cloud.
hop_rows()
{
	rm -f "$work"/rate.* "$work"/latency.* "$work"/rss.*
	i=0
	while [ $i -lt "$rounds" ]; do
		start_ways "$1"
		rate cold "$site_port" ours
		rate cold "$bridge_port" theirs
		turn
		turn
		rss "$gateway" >>"$work/rss.ours"
		rss "$bridge_pid" >>"$work/rss.bridge"
		end_ways
		i=$((i + 1))
	done
	beside "site to cloud, $1, QoS 1, 256 B, messages/s" rate.ours rate.bridge 1 ">= 1.0"
	for n in 1 2; do
		half=p50 target='<= 1.2'
		[ $n = 1 ] || half=p99 target='<= 1.5'
		beside "the same way at 1,000/s, $1, us, $half" latency.ours latency.bridge $n "$target"
		beside "the bridge through a bare relay, us, $half" latency.relayed latency.bridge $n report
		beside "a bare reader of the spool, plain, us, $half" latency.tailed latency.bridge $n report
	done
	beside "KiB of memory of p11-gateway run, $1" rss.ours rss.bridge 1 report
}

# drain N URL: a backlog of so many, to that broker; sets $drained to messages a second, $peak to KiB at most
drain()
{
	"$hop" fill --from "$site_port" --topic ours --messages "$1"
	"$hop" drain --to "$up_port" --topic ours --messages "$1" >"$work/drained" &
	drain=$!
	until grep -q ready "$work/drained"; do
		kill -0 $drain || die "nobody takes the backlog"
		sleep 0.05
	done
	start_gateway "$2"
	wait $drain || die "the backlog does not arrive"
	drained=$(tail -n 1 "$work/drained")
	peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$gateway/status")
	stop_gateway
}

# backlog_rows plain|tls URL
backlog_rows()
{
	drain 10000 "$2"
	few=$drained few_peak=$peak
	drain 1000000 "$2"
	compare "backlog of 1,000,000, $1, messages/s" "of 10,000" "$drained" "$few" ">= 0.9"
	compare "KiB of memory at most meanwhile" "of 10,000" "$peak" "$few_peak" "+ 2048 KiB"
}

# crowd_row: a gateway for a thousand devices, each of which has published
crowd_row()
{
	export P11_REGISTRY_DB="$work/site.db" P11_REGISTRY_PROJECT=bench
	export P11_REGISTRY_REGION=us-central1
	"$build/p11-gateway" pubkey --key "$hop_key" -o "$work/hop.pem"
	registry pubsub topics create events
	registry registries create bench --event-notification-config=topic=events
	jq -cn --rawfile pem "$work/hop.pem" 'range(1000) | {id: "dev\(.)"}, (select(. == 999) |
		{id: "gw1", gatewayConfig: {gatewayType: "GATEWAY",
			gatewayAuthMethod: "ASSOCIATION_ONLY"}, boundDevices: [range(1000) | "dev\(.)"],
		credentials: [{publicKey: {format: "ES256_PEM", key: $pem}}]})' |
		"$build/p11-registry" import --registry=bench - >/dev/null 2>>"$work/registry.log" ||
		die "import: $(tail -n 1 "$work/registry.log")"
	[ -e "$work/passwords" ] || make_passwords
	plugin_conf "$P11_REGISTRY_DB" >"$work/crowd.conf"
	start_broker crowd
	"$build/p11-gateway" run --token.key="$hop_key" --uplink.url="mqtt://127.0.0.1:$port" \
		--uplink.project=bench --uplink.region=us-central1 --uplink.registry=bench \
		--uplink.device=gw1 --site.attach-rate=1000 --site.socket="$spool.sock" \
		--spool.path="$spool" --status.socket="$work/status" >"$work/gateway.log" 2>&1 &
	gateway=$!
	pids="$pids $gateway"
	attached 0
	idle=$(rss "$gateway")
	seq 0 999 | while read -r i; do
		mosquitto_pub -h 127.0.0.1 -p "$site_port" -i "dev$i" -q 1 -t "/devices/dev$i/events" -m x ||
			die "a device cannot publish"
	done
	attached 1000
	compare "KiB of memory with 1,000 devices attached" "the same without any" "$(rss "$gateway")" \
		"$idle" "< 20480 KiB"
	stop_gateway
}

# attached N: waits until so many are
attached()
{
	waited=0
	until [ "$("$build/p11-gateway" status --socket "$work/status" --json 2>/dev/null |
		jq 'if .uplink.state == "up" then .devices.attached else -1 end')" = "$1" ]; do
		waited=$((waited + 1))
		[ $waited -lt 300 ] || die "not $1 attached: $(tail -n 5 "$work/gateway.log")"
		sleep 0.1
	done
}

hop_part()
{
	spool=$work/spool
	tls_port=$("$build/tests/integration/free-port")
	make_tls
	hop_up_conf >"$work/up.conf"
	start_broker up
	up_port=$port
	printf 'pattern readwrite #\n' >"$work/hop.acl"
	hop_site_conf "$work/least" least >"$work/tailed.conf"
	start_broker tailed
	tailed_port=$port
	as_unit "$hop" tail --spool "$work/least" --to "$up_port" &
	pids="$pids $!"
	# shellcheck source=/dev/null
	. "$work/softhsm/env"
	hop_key='pkcs11:token=gw;object=bench-hop'
	"$build/p11-gateway" keygen --key "$hop_key" --type ec:p256 >/dev/null 2>&1
	hop_rows plain
	hop_rows tls
	start_site
	backlog_rows plain "mqtt://127.0.0.1:$up_port"
	backlog_rows tls "mqtts://127.0.0.1:$tls_port"
	crowd_row
}
