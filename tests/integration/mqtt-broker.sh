#!/bin/sh
# mqtt-broker: the MQTT client against a broker: what arrives, and what is said when nothing can.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"

with_plugin=
client=$build/tests/integration/mqtt-client

# client_says PATTERN OPTION...: the client must fail, and say so
client_says()
{
	pattern=$1
	shift
	"$client" "$@" >"$work/said" 2>&1 && { cat "$work/said"; return 1; }
	says "$pattern" "$work/said"
}

delivers()
{
	"$client" "$@" --ca-file "$CA_DIR/root-ca.crt" >"$work/said" 2>&1 || { cat "$work/said"; return 1; }
	says '^ok$' "$work/said"
}

# delivers_none OPTION...: the connection is good, the message is refused
delivers_none()
{
	delivers "$@" && says '^delivered 0 failed 1$' "$work/said"
}

# seen N: the backend's client has this many messages
seen()
{
	[ "$(wc -l <"$work/seen")" -eq "$1" ]
}

arrives()
{
	note "what arrives"
	for version in 4 5; do
		for qos in 0 1; do
			start_listener "$work/seen"
			check "500 messages, version $version, QoS $qos" delivers --url "mqtts://$host:$port" \
				--version $version --qos $qos --count 500
			check "the backend has them" wait_for 20 seen 500
			seq -f '/devices/d/events %.0f' 500 >"$work/wanted"
			check "all, in order" diff "$work/wanted" "$work/seen"
			stop_listener
		done
	done
}

refusals()
{
	note "who is refused, or refuses"
	url=mqtts://$host:$port
	check "a wrong password" client_says '^auth 5 .*not authorised' --url "$url" \
		--ca-file "$CA_DIR/root-ca.crt" --password wrong
	check "a wrong password, MQTT 5" client_says '^auth 135 .*not authorised' --url "$url" \
		--ca-file "$CA_DIR/root-ca.crt" --password wrong --version 5
	check "a topic that is not ours, MQTT 5" delivers_none --url "$url" --version 5 --topic /devices/other/events
	check "a CA that is not the broker's" client_says '^net .*not trusted' --url "$url" \
		--ca-file "$work/other.crt"
	check "a CA file that is none" client_says '^config ' --url "$url" --ca-file "$work/broker.key"
	check "a CA file that is not there" client_says '^config .*nowhere' --url "$url" \
		--ca-file nowhere
	check "plain MQTT to a TLS port" client_says '^net ' --url "mqtt://$host:$port" --timeout 3
	check "a name that has no address" client_says '^net .*no address' --url mqtts://nope.invalid
	check "a URL that is none" client_says '^usage .*mqtts://HOST' --url "http://$host"
	check "nobody listens" client_says '^net .*no broker at .*refused' \
		--url "mqtts://$host:$(closed_port)"
}

# A port that nobody listens on: the broker's, after it has stopped.
closed_port()
{
	"$build/tests/integration/free-port"
}

wrong_host()
{
	note "a certificate for another host"
	stop_broker
	make_broker_certificate --san dns:other.example
	start_broker
	check "is refused" client_says '^net .*another host than' --url "mqtts://$host:$port" \
		--ca-file "$CA_DIR/root-ca.crt"
	check "and nobody was let in" sh -c "! grep -q 'New client connected' $work/broker.log"
}

# unread PORT: who listens there has bytes waiting that it has not read
unread()
{
	awk -v port="$(printf ':%04X$' "$1")" '$2 ~ port && $4 == "01" && $5 !~ /:00000000$/ { n++ }
		END { exit n == 0 }' /proc/net/tcp
}

# messages FILE COUNT: whether so many have arrived
messages()
{
	[ "$(wc -l <"$1")" -ge "$2" ]
}

# It is stopped first, so that some messages are surely not acknowledged; and after more messages than
# the client sends ahead, so that some surely are.
dying_broker()
{
	note "a broker that dies"
	start_listener "$work/dying"
	"$client" --url "mqtts://$host:$port" --ca-file "$CA_DIR/root-ca.crt" --count 10000000 \
		>"$work/said" 2>&1 &
	client_pid=$!
	wait_for 20 messages "$work/dying" 1000
	kill -STOP "$broker_pid"
	wait_for 20 unread "$port"
	kill -9 "$broker_pid"
	wait "$broker_pid" 2>/dev/null || true
	broker_pid=
	ended=0
	wait "$client_pid" || ended=$?
	check "ends the client" same "$ended" 1
	check "what was not acknowledged is told" says '^delivered [1-9][0-9]* failed [1-9]' "$work/said"
	check "and why" says '^net .*closed the connection' "$work/said"
	stop_listener
}

# hung_up_on COUNT URL: so many clients in turn; each must say why it ended, and not crash
hung_up_on()
{
	rounds=$1 url=$2
	while [ "$rounds" -gt 0 ]; do
		rounds=$((rounds - 1))
		ended=0
		"$client" --url "$url" --ca-file "$CA_DIR/root-ca.crt" --count 1000 \
			>"$work/said" 2>&1 || ended=$?
		if [ "$ended" -ne 1 ] || ! says '^net ' "$work/said" >/dev/null; then
			echo "exit status $ended"
			cat "$work/said"
			return 1
		fi
	done
}

# hanging_up SCHEME OPTION...
hanging_up()
{
	scheme=$1
	shift
	: >"$work/hang-up"
	python3 "$top/tests/integration/hang-up.py" "$@" >"$work/hang-up" 2>&1 &
	broker_pid=$!
	wait_for 20 test -s "$work/hang-up" || die "hang-up.py does not start"
	check "is told of, $scheme" hung_up_on 40 "$scheme://$host:$(cat "$work/hang-up")"
	stop_broker
}

cancelling()
{
	note "a user who stops it"
	check "is obeyed" client_says '^cancelled ' --url "mqtts://$host:$port" \
		--ca-file "$CA_DIR/root-ca.crt" --count 10000000 --cancel-after-ms 300
}

main()
{
	begin
	need openssl mosquitto mosquitto_sub mosquitto_passwd python3
	"$top/ca/ca" init >"$work/ca.log" 2>&1 || { cat "$work/ca.log"; die "ca init failed"; }
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null \
		-out "$work/other.crt" -subj /CN=other -days 2 2>/dev/null
	start_broker
	arrives
	refusals
	cancelling
	dying_broker
	note "a broker that hangs up in the middle of a message"
	hanging_up mqtt
	hanging_up mqtts "$work/broker.crt" "$work/broker.key"
	start_broker
	wrong_host
	end
}

main "$@"
