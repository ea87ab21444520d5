#!/bin/sh
# What a gateway shows of itself: /metrics for Prometheus, `status` for people; and that nobody who
# asks for it costs a message.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

# start_seen [OPTION...]: a gateway with its metrics on a free port
start_seen()
{
	attempts=0
	while :; do
		metrics_port=$("$helpers/free-port")
		: >gateway.log
		begin_gateway --status.metrics-listen="$metrics_port" "$@"
		wait_for 30 seen_settled
		! scrape || return 0
		stop_gateway KILL
		attempts=$((attempts + 1))
		if [ "$attempts" -ge 20 ] || ! grep -q 'another process listens' gateway.log; then
			cat gateway.log
			die "the gateway does not start"
		fi
	done
}

seen_settled()
{
	scrape || ! alive "$gateway_pid" || grep -q 'another process listens' gateway.log
}

# scrape: what there is to see, into the file `metrics`
scrape()
{
	curl -sSf --max-time 5 -o metrics "http://127.0.0.1:$metrics_port/metrics"
}

# value NAME: of a metric with its labels, as it was scraped last
value()
{
	awk -v name="$1" 'index($0, name " ") == 1 { print $NF; found = 1 } END { exit !found }' metrics
}

# shows NAME CONDITION: whether a metric is there now and awk finds its value, v, to be so
shows()
{
	scrape && v=$(value "$1") && awk -v v="$v" "BEGIN { exit !($2) }"
}

# asks STATUS PATH OPTION...: whether curl gets this answer; its headers are in the file `headers`
asks()
{
	want=$1 path=$2
	shift 2
	same "$(curl -sS --max-time 5 -D headers -o body -w '%{http_code}' "$@" \
		"http://127.0.0.1:$metrics_port$path")" "$want"
}

speaks_http()
{
	note "HTTP"
	check "GET" asks 200 /metrics
	check "the type is that of the text format" \
		says '^Content-Type: text/plain; version=0.0.4; charset=utf-8.?$' headers
	check "HEAD" asks 200 /metrics --head
	check "it says how long the text is" says '^Content-Length: [1-9][0-9]{3,}.?$' headers
	check "a query is passed over" asks 200 '/metrics?name=x'
	check "another path is not there" asks 404 /
	check "nor what is below it" asks 404 /metrics/x
	check "POST is not allowed" asks 405 /metrics --data x=1
	check "and it is said what is" says '^Allow: GET, HEAD.?$' headers
	head -c 300000 /dev/zero >zeros
	check "nor with a body" asks 405 /metrics --header Expect: --data-binary @zeros
	check "DELETE is not either" asks 405 /metrics --request DELETE
	printf '\000\001\002garbage\r\n\r\n' | raw >answer
	check "garbage gets no metrics" not says p11_gateway answer
	{ printf 'GET /metrics HTTP/1.1\r\nHost: x\r\nX: ' && head -c 100000 /dev/zero | tr '\0' x; } |
		raw >answer
	check "a request without an end gets none" not says p11_gateway answer
	check "and all is as before" asks 200 /metrics
}

raw()
{
	python3 "$top/tests/integration/slow-http.py" "$metrics_port" -
}

# One who sends a byte now and then is cut off, however long that goes on.
begins_to_drip()
{
	python3 "$top/tests/integration/slow-http.py" "$metrics_port" drip >drip.out 2>&1 &
	drip_pid=$!
	pids="$pids $drip_pid"
}

was_cut_off()
{
	! alive "$drip_pid"
}

is_well_formed()
{
	scrape && awk -f "$top/tests/integration/exposition.awk" metrics
}

# unix_end FILE: when a certificate ends, Unix time
unix_end()
{
	date -d "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" +%s
}

command_thermo()
{
	p11-registry devices commands send --device=thermo --registry="$registry" \
		--command-data=blink >>registry.out
}

# One more each time: a busy machine may look later than the ten seconds that a rate looks back.
rises_at_a_rate()
{
	numbered thermo 51 51 && status '.rates | .up_10s > 0 and .up_10s <= 50 and .up_60s > 0'
}

falls_at_a_rate()
{
	command_thermo && status '.rates.down_10s > 0 and .rates.down_60s > 0'
}

counts_what_passes()
{
	note "numbers"
	check "the text is well-formed" is_well_formed
	check "it is up" shows p11_gateway_uplink_up 'v == 1'
	check "that is its state" shows 'p11_gateway_uplink_state{state="up"}' 'v == 1'
	check "and no other" same "$(awk '/^p11_gateway_uplink_state/ { n += $NF } END { print n }' metrics)" 1
	check "it connected once" shows p11_gateway_connects_total 'v == 1'
	check "and not again" shows p11_gateway_reconnects_total 'v == 0'
	check "with one signature" shows p11_gateway_signatures_total 'v == 1'
	check "which is in the histogram" shows 'p11_gateway_sign_duration_seconds_count' 'v == 1'
	check "the certificate ends when openssl says" \
		same "$(value p11_gateway_certificate_expiry_timestamp_seconds)" "$(unix_end gw1.crt)"
	check "the status says so too, and in how many days" status \
		".token.certificate | .ends == $(unix_end gw1.crt) and
			.days_left == ((.ends - now) / 86400 | floor)"
	now=$(date +%s)
	check "the token within the hour" shows p11_gateway_jwt_expiry_timestamp_seconds \
		"v > $now && v <= $now + 3600"
	write_gateway_settings 'keep-alive = 30s'
	kill -HUP "$gateway_pid"
	check "a setting has it connect again" wait_for 20 shows p11_gateway_connects_total 'v == 2'
	check "which is counted" shows p11_gateway_reconnects_total 'v == 1'
	check "no message has gone up, at no rate" status '.rates | .up_10s == 0 and .up_60s == 0'
	check "fifty messages" numbered thermo 1 50
	check "arrive" wait_for 30 shows 'p11_gateway_messages_total{direction="up"}' 'v == 50'
	check "at a rate" wait_for 10 rises_at_a_rate
	check "and nothing waits" wait_for 20 shows p11_gateway_spool_messages 'v == 0'
	check "nor is old" shows p11_gateway_spool_oldest_age_seconds 'v == 0'
	check "one device is attached" shows p11_gateway_devices_attached 'v == 1'
	command_thermo
	check "a command passes down" wait_for 20 shows 'p11_gateway_messages_total{direction="down"}' 'v >= 1'
	check "at a rate too" wait_for 10 falls_at_a_rate
	check "the site is there" shows p11_gateway_site_connected 'v == 1'
	check "its memory is what the system says, about" shows process_resident_memory_bytes \
		"v > 0 && v < 2 * 1024 * $(awk '/^VmRSS/ { print $2 }' "/proc/$gateway_pid/status")"
	check "it has descriptors" shows process_open_fds 'v > 5 && v < 200'
	lost_at=$(date +%s)
	check "a device that is refused" sends stranger -t /devices/stranger/events -m lost
	check "is counted" wait_for 20 shows p11_gateway_devices_refused 'v == 1'
	check "and in the status" status '.devices.refused == 1 and
		([.devices.list[] | select(.refused and .refused_s != null)] | length) == 1'
}

# numbered NAME FROM TO: events with these numbers
numbered()
{
	seq "$2" "$3" | at_site mosquitto_pub "$1" -q 1 -t "/devices/$1/events" -l
}

# is_full: whether it has as many connections as it takes
is_full()
{
	[ "$(grep -c . slow.out)" -ge 32 ]
}

# Connections that never end, more than are let in, and no message waits for them.
bears_slow_clients()
{
	note "200 slow clients"
	python3 "$top/tests/integration/slow-http.py" "$metrics_port" 200 >slow.out 2>&1 &
	slow_pid=$!
	pids="$pids $slow_pid"
	check "fill it up" wait_for 30 is_full
	check "messages are taken" numbered pump 1 200
	check "and pass" wait_for 30 status '[.devices.list[] | select(.id == "pump")][0].sent == 200'
	check "with few descriptors" test "$(find "/proc/$gateway_pid/fd" -mindepth 1 | wc -l)" -lt 100
	kill "$slow_pid"
	check "when they are gone, all is as before" wait_for 30 shows p11_gateway_uplink_up 'v == 1'
}

# dropped_of DEVICE: as 'spool show' has it
dropped_of()
{
	p11-gateway spool show --spool "$work/spool" --json |
		jq --arg device "$1" '[.dropped[] | select(.device == $device).messages] | add // 0'
}

# all_are_counted N: whether so many of the lamp and the stranger wait, or were dropped, which is
# written down once a second
all_are_counted()
{
	scrape && same "$(($(value p11_gateway_spool_messages) + $(dropped_of lamp) +
		$(dropped_of stranger)))" "$1"
}

# What the site's broker drops is counted, and so is what waits.
counts_what_waits()
{
	note "the cloud is gone"
	check "what the stranger sent waits" wait_for 20 shows p11_gateway_spool_messages 'v == 1'
	stop_broker
	check "a connection that ended is counted" \
		wait_for 30 shows 'p11_gateway_disconnects_total{reason="net"}' 'v == 1'
	check "and attempts that failed" \
		wait_for 30 shows 'p11_gateway_connect_failures_total{reason="net"}' 'v >= 1'
	check "it is not up" shows p11_gateway_uplink_up 'v == 0'
	check "the status knows since when" status '.uplink.last_error != "" and .uplink.last_error_s >= 0'
	head -c 200000 /dev/zero | tr '\0' x >large
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
		sends lamp -t /devices/lamp/events -f large || die "message $i was not taken"
	done
	check "what waits is counted, what the stranger sent, and what there is no room for" \
		wait_for 20 all_are_counted 26
	dropped=$(dropped_of lamp)
	check "which is some" test "$dropped" -ge 4
	check "as 'spool show' has it" \
		wait_for 20 shows 'p11_gateway_spool_dropped_total{reason="full"}' "v == $dropped"
	check "the status too, of its device" status ".spool.dropped == $dropped and
		.spool.drops.full == $dropped"
	check "and grows old" wait_for 20 shows p11_gateway_spool_oldest_age_seconds 'v >= 1'
	check "as the status has it" status ".spool.oldest_s >= 1 and .spool.oldest_s <= now - $lost_at"
	check "in bytes" shows p11_gateway_spool_bytes 'v > 3000000 && v <= 4 * 1024 * 1024'
}

# has_dropped DEVICE COUNT: as many at least
has_dropped()
{
	[ "$(dropped_of "$1")" -ge "$2" ]
}

# shows_dropped DEVICE: whether the status has as many of it
shows_dropped()
{
	status "[.devices.list[] | select(.id == \"$1\").spool_dropped] == [$(dropped_of "$1")]"
}

# Whose messages made room is counted, device by device.
drops_the_oldest()
{
	note "the oldest are dropped"
	stop_site
	site_options=$(printf '%s\n' 'plugin_opt_max_size 4M' 'plugin_opt_when_full drop-oldest')
	start_site
	for i in 1 2 3 4 5 6 7 8 9 10; do
		sends lamp -t /devices/lamp/events -f large || die "message $i was not taken"
	done
	check "and counted" wait_for 20 all_are_counted 36
	check "the stranger's was" has_dropped stranger 1
	check "and some of another's" has_dropped lamp $((dropped + 5))
	check "and none of a third's" not has_dropped thermo 1
	for device in stranger lamp thermo; do
		check "the status has that of $device" wait_for 20 shows_dropped $device
	done
	check "and is what a person reads" a_person_reads "^  lamp .*, dropped $(dropped_of lamp)\$"
}

# a_person_reads PATTERN...: each is in what `status` prints
a_person_reads()
{
	p11-gateway status --socket "$work/gw.status" >seen || return 1
	for pattern; do
		says "$pattern" seen || return 1
	done
}

# watches NAME OPTION...: `status --watch` in the background, into the file NAME; sets $watch_pid
watches()
{
	seen=$1
	shift
	: >"$seen"
	p11-gateway status --socket "$work/gw.status" --watch "$@" >"$seen" 2>"$seen.err" &
	watch_pid=$!
	pids="$pids $watch_pid"
}

# sees TIMES PATTERN: whether lines of what is watched are so, so often at least
sees()
{
	[ "$(grep -Ec -- "$2" "$seen")" -ge "$1" ]
}

# is_newer: a status came after the last error
is_newer()
{
	grep -E '^(uplink |  "uplink": |no gateway |  "error": )' "$seen" | tail -n 1 | grep -q uplink
}

# watch_ends SIGNAL: with status 0, and no complaint
watch_ends()
{
	kill "-$1" "$watch_pid"
	ended=0
	wait "$watch_pid" || ended=$?
	same "$ended" 0 && same "$(cat "$seen.err")" ""
}

# asking: how many connections to the socket there are, and the socket itself
asking()
{
	grep -c " $work/gw.status\$" /proc/net/unix
}

# is_asked BEFORE: whether there is one more than before
is_asked()
{
	[ "$(asking)" -gt "$1" ]
}

# A status that is watched goes on while the gateway is started again.
is_watched()
{
	note "--watch"
	watches watched
	check "it is shown again and again" wait_for 20 sees 3 '^uplink '
	stop_gateway TERM
	check "when there is no gateway, that is" wait_for 20 sees 2 '^no gateway answers at .*gw.status: '
	start_seen
	check "when it is back, so is its status" wait_for 20 is_newer
	check "SIGINT ends it" watch_ends INT
	watches watched.json --json
	check "as JSON too" wait_for 20 sees 1 '^  "uplink": '
	stop_gateway TERM
	check "with the reason why there is none" wait_for 20 sees 2 '^  "error": "no gateway answers at '
	start_seen
	check "until there is one" wait_for 20 is_newer
	check "SIGTERM ends it" watch_ends TERM
	check "each is an object" jq -e . watched.json
	kill -STOP "$gateway_pid"
	# Who has gone may still be among them.
	before=$(asking)
	watches hung
	check "of one that hangs" wait_for 20 is_asked "$before"
	check "SIGINT ends it as well" watch_ends INT
	check "with nothing to show" same "$(cat hung)" ""
	# Both wait for it: the one who is gone, and the signal.
	kill -TERM "$gateway_pid"
	stop_gateway CONT
	check "who asked and is gone does not keep it from ending in order" same "$ended" 0
	start_seen
}

# What --check and the start say of an address.
refuses_bad_addresses()
{
	note "addresses"
	for bad in localhost:9464 0 70000 '[::1]' 127.0.0.1; do
		refused 2 'status.metrics-listen' p11-gateway run --check -c "$work/gw.conf" \
			--status.metrics-listen="$bad"
	done
	check "IPv6 is taken" p11-gateway run --check -c "$work/gw.conf" --status.metrics-listen='[::1]:9464'
}

other_shows()
{
	p11-gateway status --socket "$work/other.status" --json | jq -e "$1"
}

# Who looks at the metrics must not keep messages from passing: the other gateway runs without them.
waits_for_its_port()
{
	note "a port that another process has"
	p11-gateway run -c "$work/gw.conf" --status.socket="$work/other.status" --uplink.name=other \
		--uplink.url=mqtt://127.0.0.1:1 --status.metrics-listen="$metrics_port" >other.log 2>&1 &
	pids="$pids $!"
	check "a gateway runs without it" wait_for 30 other_shows '.uplink.last_error | test("no broker")'
	check "and names it" wait_for 30 says "the metrics are not served, .*: \
--status.metrics-listen: another process listens on $metrics_port" other.log
	check "the one that has it is as before" shows p11_gateway_uplink_up 'v == 0 || v == 1'
	stop_gateway TERM
	check "when it is free the other one has it" wait_for 30 scrape
	check "and says so" wait_for 30 says 'the metrics are served now' other.log
	check "it named the port once" same "$(grep -c 'another process listens' other.log)" 1
	stop_others
}

# The dashboard and the alerts ask for nothing that is not there.
names_what_is_there()
{
	note "dashboard and alerts"
	check "the dashboard is JSON" jq -e '.panels | length > 5' "$top/examples/grafana/p11-gateway.json"
	wait_for 30 scrape
	sed -n 's/^# TYPE \([^ ]*\) histogram$/\1_bucket\n\1_sum\n\1_count/p; s/^# TYPE \([^ ]*\) .*/\1/p' \
		metrics | sort -u >there
	{
		jq -r '.. | .expr? // .query?.query? // empty | strings' "$top/examples/grafana/p11-gateway.json"
		grep -h 'expr:' "$top/examples/prometheus/p11-gateway.rules.yml"
	} | grep -Eo '(p11_gateway|process)_[a-z_]+' | sort -u >asked
	check "something is asked for" test "$(wc -l <asked)" -gt 15
	check "all of it is there" same "$(comm -23 asked there)" ""
	sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' metrics | sort >families
	grep '^\.It Li' "$top/man/p11-gateway.conf.5" | grep -Eo '(p11_gateway|process)_[a-z_]+' |
		sort >documented
	check "the man page has all that is there, and no other" same "$(comm -3 families documented)" ""
}

# What a token that fails on demand shows: certificates, and signatures that fail.
tells_of_the_token()
{
	note "the token"
	mock=$build/tests/mock/.libs/mock-pkcs11.so
	[ -f "$mock" ] || die "$mock is missing"
	MOCK_PKCS11_STORE=$work/mock.store P11_GATEWAY_PIN_SOURCE=env:MOCK_PIN MOCK_PIN=1234
	export MOCK_PKCS11_STORE P11_GATEWAY_PIN_SOURCE MOCK_PIN
	unset P11_GATEWAY_MODULE
	key='pkcs11:token=mock;object=device'
	p11-gateway keygen --module "$mock" --key "$key" --type ec:p256 >uri
	start_seen --token.module="$mock" --token.key="$key"
	check "a key without a certificate" wait_for 30 a_person_reads 'no certificate seen beside the key'
	wait_for 30 scrape
	check "has no end of it" not value p11_gateway_certificate_expiry_timestamp_seconds
	stop_gateway TERM
	p11-gateway selfsign --module "$mock" --key "$key" --subject /CN=gw1 --days 5 -o short.crt
	p11-gateway cert import --module "$mock" --key "$key" short.crt >>uri
	start_seen --token.module="$mock" --token.key="$key"
	check "a person is warned of a certificate that ends soon" \
		wait_for 30 a_person_reads 'WARNING: certificate ends in [45] days'
	check "it ends when openssl says" shows p11_gateway_certificate_expiry_timestamp_seconds \
		"v == $(unix_end short.crt)"
	stop_gateway TERM
	MOCK_PKCS11_FAULTS=C_Sign=DEVICE_ERROR
	export MOCK_PKCS11_FAULTS
	start_seen --token.module="$mock" --token.key="$key"
	check "one that cannot sign" wait_for 30 shows \
		'p11_gateway_sign_errors_total{ckr="CKR_DEVICE_ERROR",fault="token"}' 'v >= 1'
	check "is no signature" shows p11_gateway_sign_duration_seconds_count 'v == 0'
	check "no token is there" not value p11_gateway_jwt_expiry_timestamp_seconds
	check "the failures in a row are" shows p11_gateway_jwt_renewal_failures 'v >= 1'
	check "a person is warned" a_person_reads 'WARNING: no newer one can be signed' \
		'last error, [0-9]+ s ago: .*CKR_DEVICE_ERROR'
	stop_gateway TERM
}

main()
{
	need mosquitto mosquitto_pub curl jq sqlite3 python3 openssl
	begin_site_test softhsm
	p11-gateway cert import --key "$key" gw1.crt >>uri
	site_options=$(printf '%s\n' 'plugin_opt_max_size 4M' 'plugin_opt_when_full drop-newest')
	start_site
	write_gateway_settings
	start_seen
	wait_for 30 gateway_is up || die "the gateway does not connect"
	begins_to_drip
	speaks_http
	counts_what_passes
	check "a person reads it" a_person_reads '^uplink .* up for [0-9]+ s, ' \
		'certificate ends in [0-9]+ days, on 20' 'messages/s' 'refused for [0-9]+ s: '
	bears_slow_clients
	names_what_is_there
	counts_what_waits
	drops_the_oldest
	refuses_bad_addresses
	check "a client that takes for ever was cut off" wait_for 100 was_cut_off
	is_watched
	stop_gateway TERM
	check "it ends in order" same "$ended" 0
	check "and its port is free" not scrape
	start_seen
	waits_for_its_port
	tells_of_the_token
	end
}

main "$@"
