# shellcheck shell=sh
# broker-lib: a broker with p11_registry.so on a plain port of 127.0.0.1, and devices whose keys are
# files. Sourced by the broker's tests, behind lib.sh.
#
# A plugin built with AddressSanitizer needs its runtime in the broker from the start; the broker's
# own leaks are named in tests/lsan.supp.

plugin=$build/src/plugin/.libs/p11_registry.so
helpers=$build/tests/integration

# The sanitizer's runtime that the plugin was built for; nothing without one.
sanitizer_runtime()
{
	nm -D "$plugin" 2>/dev/null | grep -q ' U __asan_init' || return 0
	runtime=$(ldd "$plugin" | awk '$1 ~ /^libasan/ { print $3 }')
	if [ -z "$runtime" ]; then
		cc=$(sed -n 's/^CC = //p' "$build/Makefile")
		runtime=$($cc -print-file-name="libclang_rt.asan-$(uname -m).so")
		[ -e "$runtime" ] || runtime=$($cc -print-file-name=libclang_rt.asan.so)
	fi
	[ -e "$runtime" ] || die "the sanitizer's shared runtime is missing: $runtime"
	echo "$runtime"
}

# write_settings [LINE...]: mosquitto.conf for $port, with these lines more behind the plugin
write_settings()
{
	{
		[ "$(id -u)" -ne 0 ] || echo "user root"
		cat <<-CONF
			log_dest file $work/broker.log
			$(for kind in ${log_types:-all}; do echo "log_type $kind"; done)
			log_timestamp_format %H:%M:%S
			per_listener_settings ${per_listener:-false}
			listener $port 127.0.0.1
			allow_anonymous false
			max_qos 1
			password_file $work/passwd
			acl_file $work/acl
			plugin $plugin
		CONF
		printf '%s\n' "$@"
	} >"$work/mosquitto.conf"
}

# run_broker: starts it with the settings written, and with $preload loaded before it; 0 when it runs, else its log tells
run_broker()
{
	: >"$work/broker.log"
	LD_PRELOAD="$(sanitizer_runtime) ${preload:-}" \
		ASAN_OPTIONS=detect_leaks=1:verify_asan_link_order=0:exitcode=86 \
		LSAN_OPTIONS=suppressions=$top/tests/lsan.supp:print_suppressions=0 \
		mosquitto -c "$work/mosquitto.conf" >>"$work/broker.out" 2>&1 &
	broker_pid=$!
	wait_for 60 broker_settled
	broker_runs
}

# start_plain_broker [LINE...]: on a free port, with the plugin and these lines in its settings
start_plain_broker()
{
	[ -e "$work/passwd" ] || mosquitto_passwd -b -c "$work/passwd" backend backend
	[ -e "$work/acl" ] || printf 'user backend\ntopic readwrite #\n' >"$work/acl"
	attempts=0
	while :; do
		port=$("$helpers/free-port")
		write_settings "$@"
		run_broker && return
		wait "$broker_pid" || true
		broker_pid=
		attempts=$((attempts + 1))
		if [ "$attempts" -ge 20 ] || ! grep -q 'Address already in use' "$work/broker.log"; then
			cat "$work/broker.out" "$work/broker.log"
			die "the broker does not start"
		fi
	done
}

# end_broker: stops it; it must have lived until now, and end well: under a sanitizer without a
# finding
end_broker()
{
	check "the broker still runs" kill -0 "$broker_pid"
	kill "$broker_pid" 2>/dev/null || true
	ended=0
	wait "$broker_pid" || ended=$?
	broker_pid=
	[ "$ended" -eq 0 ] || cat "$work/broker.out"
	check "the broker ends well" same "$ended" 0
}

# make_key NAME ec|rsa: NAME.key and NAME.pub
make_key()
{
	case $2 in
	ec) openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" ;;
	rsa) openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key" ;;
	esac
	openssl pkey -in "$1.key" -pubout -out "$1.pub"
}

# log_says PATTERN
log_says()
{
	grep -Eq -- "$1" "$work/broker.log"
}

# What is done beside the broker ends with the test too.
pids=
begin_broker_test()
{
	begin
	base=projects/$project/locations/$region/registries/reg/devices
	trap 'ended=$?; stop_others; finish "$ended"' EXIT
}

stop_others()
{
	for other in $pids; do
		kill -CONT "$other" 2>/dev/null || true
		kill "$other" 2>/dev/null || true
		wait "$other" 2>/dev/null || true
	done
}

# Creates the registry "reg", whose events go to the topic "events"; begins registry.out.
make_registry()
{
	p11-registry pubsub topics create events >registry.out
	p11-registry registries create reg --event-notification-config=topic=events >>registry.out
}

# register NAME [ec|rsa]: a device with a key of its own
register()
{
	make_key "$1" "${2:-ec}"
	case ${2:-ec} in
	ec) type=es256-pem ;;
	rsa) type=rsa-pem ;;
	esac
	p11-registry devices create "$1" --registry=reg --public-key="path=$1.pub,type=$type" \
		>>registry.out
}

# register_gateway NAME METHOD: a gateway with its own P-256 key and this authentication method
register_gateway()
{
	make_key "$1" ec
	p11-registry devices create "$1" --registry=reg --device-type=gateway --auth-method="$2" \
		--public-key="path=$1.pub,type=es256-pem" >>registry.out
}

in_place=

# client TOOL NAME OPTION...: mosquitto's tool as a device; $issued and $expires are times from now
client()
{
	tool=$1 name=$2
	shift 2
	# $in_place: a background job must be the tool itself, to be ended by its process id.
	${in_place:-} "$tool" -h 127.0.0.1 -p "$port" -V mqttv311 -i "$base/$name" -u unused \
		-P "$("$helpers/make-token" "$name.key" "$project" "${issued:--10}" \
			"${expires:-3000}")" "$@"
}

# backend TOOL OPTION...: mosquitto's tool as the service client
backend()
{
	tool=$1
	shift
	${in_place:-} "$tool" -h 127.0.0.1 -p "$port" \
		-i "backend-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')" -u backend -P backend "$@"
}

# listen NAME OPTION...: a device's mosquitto_sub in the background, in NAME.sub; sets $listener
listen()
{
	: >"$1.sub"
	mark
	(in_place='exec' && client mosquitto_sub "$@" -q 1) >"$1.sub" 2>&1 &
	listener=$!
	pids="$pids $listener"
	wait_for 20 since "Sending SUBACK to $base/$1\$" ||
		{ cat "$1.sub"; die "$1 cannot subscribe"; }
}

# a_hub_speaks: the gateway "hub", which publishes the lines written to descriptor 3; sets $hub
a_hub_speaks()
{
	rm -f said
	mkfifo said
	/usr/bin/python3 -B "$top/tests/integration/speak.py" "$port" "$base/hub" \
		"$("$helpers/make-token" hub.key "$project" -10 3000)" <said >hub.out 2>&1 &
	hub=$!
	pids="$pids $hub"
	exec 3>said
}

# mark, since PATTERN: what the broker logged since the mark
mark()
{
	marked=$(wc -l <"$work/broker.log")
}

since()
{
	tail -n "+$((marked + 1))" "$work/broker.log" | grep -Eq -- "$1"
}

# The check of a line that must come.
logged()
{
	wait_for 20 since "$1" || { tail -n "+$((marked + 1))" "$work/broker.log"; return 1; }
}

# stored TEXT, state_stored TEXT: whether it is in the registry's file, as seen by SQLite's shell
stored()
{
	[ "$(sqlite3 "$P11_REGISTRY_DB" \
		"SELECT count(*) FROM messages WHERE CAST(data AS TEXT) = '$1'")" -gt 0 ]
}

state_stored()
{
	[ "$(sqlite3 "$P11_REGISTRY_DB" \
		"SELECT count(*) FROM states WHERE CAST(data AS TEXT) = '$1'")" -gt 0 ]
}

# send_command NAME TEXT [SUBFOLDER], give_config NAME TEXT: from the operator to a device
send_command()
{
	p11-registry devices commands send --device="$1" --registry=reg --command-data="$2" \
		${3:+--subfolder="$3"} >>registry.out
}

give_config()
{
	p11-registry devices configs update --device="$1" --registry=reg --config-data="$2" \
		>>registry.out
}

# ends PID: waits for a process to end by itself
ends()
{
	wait_for 20 not kill -0 "$1"
}
