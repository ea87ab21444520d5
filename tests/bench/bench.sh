#!/bin/sh
# What we cost, beside what one would take instead, in one run: prints a table of ratios and writes
# bench.json. Machines are noisy: only the ratios of one run mean something. `make bench` runs it.
set -eu

top=$(cd "${top_srcdir:-.}" && pwd)
build=$(cd "${top_builddir:-.}" && pwd)
rounds=${BENCH_ROUNDS:-5}
seconds=${BENCH_SECONDS:-2}
work=$(mktemp -d)
pids=
many=
few=

die()
{
	echo "bench: $*" >&2
	exit 1
}

# end_process PID
end_process()
{
	kill "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

finish()
{
	for pid in $pids; do
		end_process "$pid"
	done
	"$top/pkcs11-setup/swtpm" stop --dir "$work/swtpm" >/dev/null 2>&1 || true
	rm -rf "$work"
}

# row WHAT BESIDE OURS THEIRS RATIO TARGET
row()
{
	printf '%-44s %-26s %9s %9s %6s  %s\n' "$@"
	printf '  {"what": "%s", "beside": "%s", "ours": %s, "theirs": %s, "ratio": %s, "target": "%s"},\n' \
		"$@" >>"$work/rows"
}

# compare WHAT BESIDE OURS THEIRS TARGET: a row with the ratio of the two
compare()
{
	row "$1" "$2" "$3" "$4" "$(echo "$3 $4" | awk '{ printf "%.3f", $1 / $2 }')" "$5"
}

# The middle one of the lines of a file.
median()
{
	sort -n "$1" | awk '{ line[NR] = $1 } END { print line[int((NR + 1) / 2)] }'
}

# In an environment of its own: each token has one.
bench_jwt()
(
	name=$1
	type=$2
	# shellcheck source=/dev/null
	. "$work/$name/env"
	key="pkcs11:token=gw;object=bench-$(echo "$type" | tr -d :)"
	"$build/p11-gateway" keygen --key "$key" --type "$type" >/dev/null 2>&1
	"$build/tests/bench/bench-jwt" "$P11_GATEWAY_MODULE" "$key"
)

jwt_rows()
{
	for name in softhsm swtpm; do
		for type in rsa:2048 ec:p256; do
			result=$(bench_jwt $name $type)
			# shellcheck disable=SC2086
			set -- $result
			row "JWTs/s, $type, $name" "raw C_Sign, same process" "$1" "$2" "$3" ">= 0.95"
		done
	done
}

# start_broker NAME: its configuration is $work/NAME.conf without the listener; sets $port.
start_broker()
{
	tries=0
	while :; do
		port=$("$build/tests/integration/free-port")
		{
			echo "listener $port 127.0.0.1"
			cat "$work/$1.conf"
		} >"$work/$1.full.conf"
		mosquitto -c "$work/$1.full.conf" >"$work/$1.log" 2>&1 &
		pid=$!
		waited=0
		while kill -0 $pid 2>/dev/null && [ $waited -lt 100 ]; do
			if mosquitto_pub -h 127.0.0.1 -p "$port" -u bench -P bench -t ready -n \
				2>/dev/null; then
				pids="$pids $pid"
				return
			fi
			waited=$((waited + 1))
			sleep 0.05
		done
		kill $pid 2>/dev/null || true
		tries=$((tries + 1))
		[ $tries -lt 5 ] || die "the broker does not start: $(cat "$work/$1.log")"
	done
}

broker_conf()
{
	[ "$(id -u)" != 0 ] || echo "user root"
	echo "allow_anonymous false"
	echo "password_file $work/passwords"
	echo "max_inflight_messages 1000"
	echo "max_queued_messages 0"
	echo "set_tcp_nodelay true"
	echo "log_type error"
	echo "log_dest stderr"
}

make_passwords()
{
	: >"$work/passwords"
	chmod 600 "$work/passwords"
	mosquitto_passwd -b "$work/passwords" bench bench 2>/dev/null
	echo bench >"$work/password"
}

make_brokers()
{
	broker_conf >"$work/plain.conf"
	plugin_conf "$P11_REGISTRY_DB" >"$work/plugin.conf"
	{
		plugin_conf "$P11_REGISTRY_DB"
		echo "plugin_opt_attributes false"
	} >"$work/bare.conf"
	start_broker plain
	plain_port=$port
	start_broker bare
	bare_port=$port
	start_broker plugin
	full_port=$port
}

registry()
{
	"$build/p11-registry" "$@" >/dev/null 2>>"$work/registry.log" ||
		die "p11-registry $*: $(tail -n 1 "$work/registry.log")"
}

make_registry()
{
	export P11_REGISTRY_DB="$work/registry.db" P11_REGISTRY_PROJECT=bench
	export P11_REGISTRY_REGION=us-central1
	# shellcheck source=/dev/null
	. "$work/softhsm/env"
	key='pkcs11:token=gw;object=bench-rsa2048'
	wanted jwt || "$build/p11-gateway" keygen --key "$key" --type rsa:2048 >/dev/null 2>&1
	"$build/p11-gateway" pubkey --key "$key" -o "$work/key.pem"
	"$build/p11-gateway" jwt --key "$key" --aud bench >"$work/jwt"
	registry pubsub topics create events
	registry registries create bench --event-notification-config=topic=events
	for i in 0 1 2 3; do
		registry devices create "dev$i" --registry=bench \
			--public-key="path=$work/key.pem,type=rsa-pem"
	done
	device=projects/bench/locations/us-central1/registries/bench/devices/dev
}

# ours MODE ARGUMENT... / theirs MODE ARGUMENT...: one measurement
ours()
{
	mode=$1
	shift
	# shellcheck disable=SC2086 # $many is words
	"$build/tests/bench/bench-mqtt" "$mode" --port "$plugin_port" --client-id "$device" \
		--password-file "$work/jwt" --topic '/devices/dev%/events' --seconds "$seconds" $many "$@"
}

theirs()
{
	mode=$1
	shift
	# shellcheck disable=SC2086 # $few is words
	"$build/tests/bench/bench-mqtt" "$mode" --port "$plain_port" --client-id "$device" \
		--username bench --password-file "$work/password" --topic '/devices/dev%/events' \
		--seconds "$seconds" $few "$@"
}

# broker_row WHAT BESIDE TARGET MODE ARGUMENT...
broker_row()
{
	what=$1
	beside=$2
	target=$3
	shift 3
	rm -f "$work/ours" "$work/theirs" "$work/ratios"
	i=0
	while [ $i -lt "$rounds" ]; do
		a=$(ours "$@")
		b=$(theirs "$@")
		echo "$a" >>"$work/ours"
		echo "$b" >>"$work/theirs"
		echo "$a $b" | awk '{ printf "%.3f\n", $1 / $2 }' >>"$work/ratios"
		i=$((i + 1))
	done
	row "$what" "$beside" "$(median "$work/ours")" "$(median "$work/theirs")" \
		"$(median "$work/ratios")" "$target"
}

broker_rows()
{
	for qos in 0 1; do
		plugin_port=$full_port
		broker_row "broker with plugin, QoS $qos, 256 B, messages/s" \
			"the same broker without" ">= 0.95" publish --qos $qos
		plugin_port=$bare_port
		broker_row "the same, plugin_opt_attributes false" "the same broker without" \
			">= 0.95" publish --qos $qos
	done
	plugin_port=$full_port
	broker_row "CONNECTs/s with a JWT, RS256" "password_file" ">= 1.0" connect --threads 4
}

# register_many N: a registry's file with so many devices of one key, in $work/N.db
register_many()
{
	export P11_REGISTRY_DB="$work/$1.db"
	registry pubsub topics create events
	registry registries create bench --event-notification-config=topic=events
	jq -cn --rawfile pem "$work/key.pem" --argjson n "$1" 'range($n) | {id: "dev\(.)",
		credentials: [{publicKey: {format: "RSA_PEM", key: $pem}}]}' |
		"$build/p11-registry" import --registry=bench - >/dev/null 2>>"$work/registry.log" ||
		die "import: $(tail -n 1 "$work/registry.log")"
}

# plugin_conf DB
plugin_conf()
{
	broker_conf
	echo "plugin $build/src/plugin/.libs/p11_registry.so"
	printf 'plugin_opt_db_file %s\nplugin_opt_max_messages_per_s 0\n' "$1"
	echo "plugin_opt_max_bytes_per_s 0"
}

# A million devices beside a thousand, each broker with the plugin.
million_rows()
{
	for n in 1000 1000000; do
		register_many $n
		plugin_conf "$work/$n.db" >"$work/$n.conf"
		start_broker $n
		[ $n = 1000 ] || plugin_port=$port
		[ $n != 1000 ] || plain_port=$port
	done
	cp "$work/jwt" "$work/password"
	few='--devices 1000' many='--devices 1000 --step 1000'
	broker_row "CONNECTs/s, 1,000 of 1,000,000 devices" "1,000 devices" ">= 0.9" \
		connect --threads 4
	many='--devices 1000000'
	broker_row "CONNECTs/s, 1,000,000 devices in turn" "1,000 devices in turn" "report" \
		connect --threads 4
	few='' many=''
	broker_row "QoS 0 messages/s, 1,000,000 devices" "1,000 devices" ">= 0.9" publish --qos 0
	broker_row "QoS 1 messages/s, 1,000,000 devices" "1,000 devices" ">= 0.9" publish --qos 1
}

# rss PID: in KiB
rss()
{
	awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}

# memory_of BROKER: bytes that a connected device costs; for a subshell, which ends its broker
memory_of()
{
	start_broker "$1"
	trap 'end_process "$pid"' EXIT
	before=$(rss "$pid")
	"$build/tests/integration/crowd" "$port" "$work/crowd.key" devices 5000 20 >"$work/crowd.out" &
	crowd=$!
	while ! grep -q connected "$work/crowd.out"; do
		kill -0 $crowd 2>/dev/null || die "the crowd does not connect"
		sleep 0.05
	done
	echo $((($(rss "$pid") - before) * 1024 / 5000))
	wait $crowd || die "the crowd is not answered"
}

memory_row()
{
	export P11_REGISTRY_DB="$work/crowd.db" P11_REGISTRY_PROJECT=crowd
	openssl ecparam -name prime256v1 -genkey -noout -out "$work/crowd.key"
	openssl pkey -in "$work/crowd.key" -pubout -out "$work/crowd.pub"
	registry pubsub topics create events
	registry registries create reg --event-notification-config=topic=events
	jq -cn --rawfile pem "$work/crowd.pub" 'range(5000) | {id: "crowd-\(.)", credentials:
		[{publicKey: {format: "ES256_PEM", key: $pem}}]}' |
		"$build/p11-registry" import --registry=reg - >/dev/null 2>>"$work/registry.log"
	plugin_conf "$work/crowd.db" >"$work/crowded.conf"
	anyone_conf >"$work/anyone.conf"
	ours=$(memory_of crowded)
	theirs=$(memory_of anyone)
	compare "bytes of memory a connected device" "the same broker without" "$ours" "$theirs" report
	export P11_REGISTRY_PROJECT=bench
}

# anyone_conf: a broker that takes everyone
anyone_conf()
{
	broker_conf | sed '/password_file/d; s/allow_anonymous false/allow_anonymous true/'
}

# shellcheck source=tests/bench/hop.sh
. "$top/tests/bench/hop.sh"
# shellcheck source=tests/bench/start.sh
. "$top/tests/bench/start.sh"
# shellcheck source=tests/bench/attack.sh
. "$top/tests/bench/attack.sh"

# wanted PART: whether BENCH_PARTS, empty for all of them, names it
wanted()
{
	case " ${BENCH_PARTS:-$1} " in
	*" $1 "*) return 0 ;;
	esac
	return 1
}

main()
{
	trap finish EXIT
	trap 'exit 1' HUP INT PIPE TERM
	: >"$work/rows"
	"$top/pkcs11-setup/softhsm" --dir "$work/softhsm" >/dev/null 2>"$work/log" ||
		die "$(cat "$work/log")"
	{ ! wanted jwt && ! wanted start; } ||
		"$top/pkcs11-setup/swtpm" start --dir "$work/swtpm" >/dev/null 2>"$work/log" ||
		die "$(cat "$work/log")"
	printf '%-44s %-26s %9s %9s %6s  %s\n' what beside ours theirs ratio target
	if wanted jwt; then
		jwt_rows
	fi
	if wanted broker || wanted million; then
		make_passwords
		make_registry
	fi
	if wanted broker; then
		make_brokers
		broker_rows
		memory_row
	fi
	if wanted million; then
		million_rows
	fi
	if wanted hop; then
		hop_part
	fi
	if wanted start; then
		start_part
	fi
	if wanted attack; then
		attack_part
	fi
	{
		echo '['
		sed '$ s/,$//' "$work/rows"
		echo ']'
	} >bench.json
	echo "written to $(pwd)/bench.json"
}

main "$@"
