# shellcheck shell=sh
# lib: what every scenario needs: a private place, a token, a CA, a broker, and honest checks.
#
# Sourced by the scenarios. What is started here is stopped here, by its process id, however the
# scenario ends. A missing tool skips the scenario, or fails it when REQUIRE is set.

top=${top_srcdir:-$(pwd)}
build=${top_builddir:-$(pwd)}
project=test-project
region=us-central1
registry=myregistry
with_plugin=yes
# what the cloud's broker is to preload besides a sanitizer's runtime
preload=
broker_pid=
listener_pid=
swtpm_dir=
memory=
failures=0

die()
{
	echo "FAIL: $*"
	exit 1
}

note()
{
	echo "--- $*"
}

# need TOOL...: skip, or fail under REQUIRE, when one is missing
need()
{
	for tool in "$@"; do
		command -v "$tool" >/dev/null && continue
		[ -z "${REQUIRE:-}" ] || die "'$tool' is missing, and REQUIRE is set"
		echo "SKIP: '$tool' is missing"
		exit 77
	done
}

# left_out WHY...: said, or a failure under REQUIRE, where a part of a scenario cannot be
left_out()
{
	[ -z "${REQUIRE:-}" ] || die "left out, and REQUIRE is set: $*"
	note "left out: $*"
}

# begin: a private directory, which is left for reading when the scenario fails
begin()
{
	PATH=$build:/usr/sbin:/sbin:$PATH
	LC_ALL=C
	export PATH LC_ALL
	unset P11_GATEWAY_KEY P11_GATEWAY_URL P11_GATEWAY_CA_FILE P11_GATEWAY_SPOOL
	umask 077
	work=$(mktemp -d "${TMPDIR:-/tmp}/p11gw-test.XXXXXX")
	trap 'finish $?' EXIT
	trap 'exit 1' HUP INT TERM
	CA_DIR=$work/ca
	P11_REGISTRY_DB=$work/registry.db
	P11_REGISTRY_PROJECT=$project
	P11_REGISTRY_REGION=$region
	export CA_DIR P11_REGISTRY_DB P11_REGISTRY_PROJECT P11_REGISTRY_REGION
	cd "$work" || exit
	# A bare chroot knows no names.
	host=localhost
	getent hosts localhost >/dev/null || host=127.0.0.1
}

finish()
{
	status=$1
	trap - EXIT
	stop_listener
	if [ "$status" -ne 0 ] && [ "$status" -ne 77 ] && [ -s "$work/broker.log" ]; then
		note "the broker's log ends with"
		tail -n 40 "$work/broker.log"
	fi
	stop_broker
	[ -z "$swtpm_dir" ] || "$top/pkcs11-setup/swtpm" stop --dir "$swtpm_dir" >/dev/null 2>&1 || true
	cd /
	rm -rf "$work" ${memory:+"$memory"}
	exit "$status"
}

# end: fails when a check did
end()
{
	[ "$failures" -eq 0 ] || die "$failures checks failed"
	echo "all checks passed"
}

# make_memory: sets $memory to a directory in memory, for a spool's front
make_memory()
{
	[ -z "$memory" ] || return 0
	memory=$(mktemp -d /dev/shm/p11gw-test.XXXXXX)
	chmod 1777 "$memory"
}

# check WHAT COMMAND...: the command must succeed; the scenario goes on when it does not
check()
{
	what=$1
	shift
	if "$@" >"$work/check.out" 2>&1; then
		echo "ok: $what"
	else
		echo "not ok: $what: exit status $? of: $*"
		sed 's/^/	/' "$work/check.out"
		failures=$((failures + 1))
	fi
}

# refused STATUS PATTERN COMMAND...: it must end with this status, print nothing on standard output,
# and say why in one line that matches the extended pattern
refused()
{
	want=$1 pattern=$2
	shift 2
	got=0
	"$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
	lines=$(grep -vc '^ERROR: ' "$work/err" || true)
	if [ "$got" -eq "$want" ] && [ "$lines" -eq 1 ] && [ ! -s "$work/out" ] &&
		grep -Eq -- "$pattern" "$work/err"; then
		echo "ok: refused: $(cat "$work/err")"
		return
	fi
	echo "not ok: wanted exit status $want and one line like '$pattern' from: $*"
	echo "	exit status $got, and:"
	sed 's/^/	/' "$work/out" "$work/err"
	failures=$((failures + 1))
}

# says PATTERN FILE
says()
{
	grep -Eq -- "$1" "$2" || { cat "$2"; return 1; }
}

same()
{
	[ "$1" = "$2" ] || { printf 'wanted: %s\ngot:    %s\n' "$2" "$1"; return 1; }
}

not()
{
	! "$@"
}

# wait_for SECONDS COMMAND...: polls until the command succeeds
wait_for()
{
	tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

# start_token softhsm|swtpm|mock: by the script that a user runs; sets the environment the token
# needs. The mock fails as the file `faults` says.
start_token()
{
	case $1 in
	softhsm)
		need softhsm2-util pkcs11-tool
		"$top/pkcs11-setup/softhsm" --dir "$work/token" --label gw >"$work/setup.log" 2>&1 ||
			{ cat "$work/setup.log"; die "pkcs11-setup/softhsm failed"; }
		;;
	swtpm)
		need swtpm swtpm_setup tpm2_dictionarylockout pkcs11-tool
		see_through_libraries
		swtpm_dir=$work/token
		"$top/pkcs11-setup/swtpm" start --dir "$swtpm_dir" --label gw >"$work/setup.log" 2>&1 ||
			{ cat "$work/setup.log"; die "pkcs11-setup/swtpm failed"; }
		;;
	mock) make_mock_token >"$work/setup.log" ;;
	*) die "no such kind of token: $1" ;;
	esac
	# shellcheck disable=SC1091
	. "$work/token/env"
	PIN=$(head -n 1 "${P11_GATEWAY_PIN_SOURCE#file:}")
	export PIN
}

# What leaks in a library without frame pointers is told from our own by a slower look.
see_through_libraries()
{
	ASAN_OPTIONS=fast_unwind_on_malloc=0
	export ASAN_OPTIONS
}

make_mock_token()
{
	mkdir "$work/token"
	echo 1234 >"$work/token/pin"
	: >"$work/faults"
	cat >"$work/token/env" <<-ENV
		P11_GATEWAY_MODULE=$build/tests/mock/.libs/mock-pkcs11.so
		P11_GATEWAY_PIN_SOURCE=file:$work/token/pin
		MOCK_PKCS11_LABEL=gw
		MOCK_PKCS11_STORE=$work/token/store
		MOCK_PKCS11_LOG=$work/mock.log
		MOCK_PKCS11_FAULTS=@$work/faults
		export P11_GATEWAY_MODULE P11_GATEWAY_PIN_SOURCE MOCK_PKCS11_LABEL MOCK_PKCS11_STORE
		export MOCK_PKCS11_LOG MOCK_PKCS11_FAULTS
	ENV
}

# pkcs11 OPTION...: OpenSC's tool on the token, logged in
pkcs11()
{
	pkcs11-tool --module "$P11_GATEWAY_MODULE" --token-label gw --login --pin env:PIN "$@"
}

# make_broker_certificate --san NAME...: a new key and its certificate for the broker
make_broker_certificate()
{
	rm -f "$work/broker.crt"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=broker \
		-keyout "$work/broker.key" -out "$work/broker.csr" 2>/dev/null
	"$top/ca/ca" sign --profile server "$@" -o "$work/broker.crt" "$work/broker.csr" \
		>"$work/ca.log" 2>&1 || { cat "$work/ca.log"; die "ca sign failed for the broker"; }
}

# shellcheck disable=SC2120 # most brokers need no lines more
# start_broker [LINE...]: a broker with the plugin over TLS on a free port of 127.0.0.1, with
# these lines more in its settings; sets $port. Without the plugin, user device may publish.
start_broker()
{
	need mosquitto mosquitto_passwd openssl
	[ -e "$work/broker.crt" ] || make_broker_certificate --san dns:localhost --san ip:127.0.0.1
	# A test's password for its own broker: no secret.
	mosquitto_passwd -b -c "$work/passwd" backend backend
	printf 'user backend\ntopic read /devices/#\ntopic read projects/#\n' >"$work/acl"
	if [ -z "$with_plugin" ]; then
		mosquitto_passwd -b "$work/passwd" device device
		printf 'user device\ntopic write /devices/d/#\ntopic readwrite /devices/e/#\n' >>"$work/acl"
	fi
	attempts=0
	until try_broker "$@"; do
		attempts=$((attempts + 1))
		if [ "$attempts" -ge 20 ] || ! grep -q 'Address already in use' "$work/broker.log"; then
			die "the broker does not start"
		fi
	done
}

try_broker()
{
	port=$(free_port)
	: >"$work/broker.log"
	{
		[ "$(id -u)" -ne 0 ] || echo "user root"
		cat <<-CONF
			log_dest file $work/broker.log
			log_type all
			allow_anonymous false
			password_file $work/passwd
			acl_file $work/acl
			listener $port 127.0.0.1
			certfile $work/broker.crt
			keyfile $work/broker.key
		CONF
		[ -z "$with_plugin" ] || printf '%s\n' "plugin $build/src/plugin/.libs/p11_registry.so" \
			"plugin_opt_db_file $P11_REGISTRY_DB"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$work/mosquitto.conf"
	LD_PRELOAD="${ASAN_RUNTIME:-} $preload" ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-} \
		mosquitto -c "$work/mosquitto.conf" >>"$work/broker.out" 2>&1 &
	broker_pid=$!
	wait_for 20 broker_settled
	broker_runs && return
	wait "$broker_pid" || true
	broker_pid=
	cat "$work/broker.out"
	return 1
}

# alive PID: and no zombie. (Its command line would be empty, too, for a moment of its exec.)
alive()
{
	[ -n "$1" ] || return 1
	{ read -r about <"/proc/$1/stat"; } 2>/dev/null || return 1
	case ${about##*) } in
	Z* | X*) return 1 ;;
	esac
}

broker_runs()
{
	alive "$broker_pid" && grep -q 'mosquitto version .* running' "$work/broker.log"
}

broker_settled()
{
	broker_runs || ! alive "$broker_pid"
}

stop_broker()
{
	[ -n "$broker_pid" ] || return 0
	kill "$broker_pid" 2>/dev/null || true
	wait "$broker_pid" 2>/dev/null || true
	broker_pid=
}

# free_port: a guess; who binds it says whether it was right
free_port()
{
	number=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
	echo $((20000 + number % 12000))
}

# subscriptions: how often the broker has said yes to the backend's client
subscriptions()
{
	grep -c 'Sending SUBACK to backend' "$work/broker.log" || true
}

more_subscriptions()
{
	[ "$(subscriptions)" -gt "$subscribed" ]
}

# start_listener FILE: writes what the backend's own client sees, "TOPIC PAYLOAD" a line, to FILE
start_listener()
{
	need mosquitto_sub
	: >"$1"
	subscribed=$(subscriptions)
	# Its own password for the test's broker: no secret.
	mosquitto_sub -h "$host" -p "$port" --cafile "$CA_DIR/root-ca.crt" -i backend \
		-u backend -P backend -t '/devices/#' -t 'projects/#' -q 1 -F '%t %p' >"$1" 2>"$1.err" &
	listener_pid=$!
	wait_for 20 more_subscriptions ||
		{ cat "$1.err"; die "the backend's client cannot subscribe"; }
}

stop_listener()
{
	[ -n "$listener_pid" ] || return 0
	kill "$listener_pid" 2>/dev/null || true
	wait "$listener_pid" 2>/dev/null || true
	listener_pid=
}

# publish OPTION...: as gw1, with the key of the test
publish()
{
	${publish_as:-} p11-gateway publish --url "mqtts://$host:$port" --ca-file "$CA_DIR/root-ca.crt" \
		--project "$project" --region "$region" --registry "$registry" "$@"
}
