#!/bin/sh
# A site behind one identity: what local devices send reaches the cloud, what the cloud sends
# reaches them, and nothing is lost when a part of it goes and comes back.
#
#   usage: gateway.sh softhsm|swtpm
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

passes_up()
{
	note "up"
	check "an event is taken" sends thermo -t /devices/thermo/events/in -m 21.5
	check "the cloud has it" wait_for 20 has thermo 21.5
	check "as the device's own, through the gateway" same "$(sqlite3 "$P11_REGISTRY_DB" \
		"SELECT json_extract(attributes, '\$.gatewayId', '\$.subFolder') FROM messages")" \
		'["gw1","in"]'
	check "another device's too" sends pump -q 0 -t /devices/pump/events -m started
	check "the cloud has it" wait_for 20 has pump started
	check "a state is taken" sends pump -t /devices/pump/state -m running
	check "the cloud has it" wait_for 20 has_state running
	check "the gateway's own event needs no attaching" sends gw1 -t /devices/gw1/events -m self
	check "the cloud has it" wait_for 20 has gw1 self
	check "two are attached" status '.devices.attached == 2'
	check "one token was signed" status '.token.signatures == 1'
}

# The largest that may be, of any bytes.
passes_the_largest()
{
	note "256 KiB"
	head -c 262144 /dev/urandom >largest
	subscribed=$(subscriptions)
	# Its own password for the test's broker: no secret.
	mosquitto_sub -h "$host" -p "$port" --cafile "$CA_DIR/root-ca.crt" -i backend \
		-u backend -P backend -t 'projects/+/topics/+/registries/+/devices/thermo/events/largest' \
		-q 1 -C 1 -N >heard.largest &
	pids="$pids $!"
	wait_for 20 more_subscriptions || die "the backend's client cannot subscribe"
	check "it is taken" sends thermo -t /devices/thermo/events/largest -f largest
	check "the cloud's subscriber hears it whole" wait_for 20 is_largest heard.largest
	sqlite3 "$P11_REGISTRY_DB" "SELECT writefile('kept.largest', data) FROM messages
		WHERE json_extract(attributes, '\$.subFolder') = 'largest'" >written
	check "the registry keeps it whole" is_largest kept.largest
}

is_largest()
{
	same "$(sha256sum <"$1")" "$(sha256sum <largest)"
}

has_state()
{
	[ "$(sqlite3 "$P11_REGISTRY_DB" \
		"SELECT count(*) FROM states WHERE CAST(data AS TEXT) = '$1'")" -gt 0 ]
}

# gives NAME TEXT, commands NAME TEXT: as the operator
gives()
{
	p11-registry devices configs update --device="$1" --registry="$registry" \
		--config-data="$2" >>registry.out
}

commands()
{
	p11-registry devices commands send --device="$1" --registry="$registry" \
		--command-data="$2" >>registry.out
}

passes_down()
{
	note "down"
	check "a command is sent to a device that is attached" commands thermo blink
	hears thermo '/devices/thermo/commands/#'
	check "another" commands thermo again
	check "the device hears it" wait_for 20 says '^/devices/thermo/commands again' thermo.heard
	check "a config is given" gives pump fast
	wait_for 20 status '.site.delivered >= 3' || true
	hears pump /devices/pump/config
	check "a device that comes later hears it" \
		wait_for 20 says '^/devices/pump/config fast' pump.heard
	check "a newer one, as soon as the registry takes it" wait_for 10 gives pump slow
	check "reaches it" wait_for 20 says '^/devices/pump/config slow' pump.heard
}

# One that the cloud does not know costs the others nothing, and hears why.
refuses_strangers()
{
	note "a device that the cloud refuses"
	hears stranger /devices/stranger/errors
	stop_others
	check "its message is taken at the site" sends stranger -t /devices/stranger/events -m lost
	check "the cloud refuses it" wait_for 20 status \
		'.devices.list[] | select(.id == "stranger") | .refused'
	check "others' pass" sends thermo -t /devices/thermo/events -m passes
	check "so they do" wait_for 20 has thermo passes
	check "a message waits" wait_for 20 status '.spool.waiting >= 1'
	p11-registry devices create stranger --registry="$registry" >>registry.out
	p11-registry devices gateways bind --gateway=gw1 --device=stranger \
		--gateway-registry="$registry" --device-registry="$registry" >>registry.out
	check "once it is known there, its message arrives" wait_for 60 has stranger lost
	check "nothing waits" wait_for 20 status '.spool.waiting == 0'
}

# numbered NAME FROM TO: events with these numbers
numbered()
{
	seq "$2" "$3" | at_site mosquitto_pub "$1" -q 1 -t "/devices/$1/events" -l
}

# complete NAME FROM TO: whether the cloud has them all, in their order, once duplicates are gone
complete()
{
	pulled "$1"
	awk -v from="$2" -v to="$3" '/^[0-9]+$/ && $1 >= from && $1 <= to && !seen[$1]++' pulled >got
	seq "$2" "$3" >wanted
	cmp -s wanted got || { diff wanted got | head -n 20; return 1; }
}

# used: hundredths of a second that the gateway had a processor for, and that have passed
used()
{
	awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$gateway_pid/stat"
	awk '{ printf "%d\n", $1 * 100 }' /proc/uptime
}

# a_while_passed: one and a half seconds, since `used` was noted
a_while_passed()
{
	[ "$(used | tail -n 1)" -ge $(($(tail -n 1 noted) + 150)) ]
}

# is_lazy: since `used` was noted it has slept for half of the time at least, as a loop that spins
# never does
is_lazy()
{
	used | paste - noted | awk 'NR == 1 { busy = $1 - $2 } NR == 2 { print busy, $1 - $2
		exit !(busy * 2 <= $1 - $2) }'
}

outlives_the_cloud()
{
	note "the cloud's broker is gone for a while"
	cloud_conf=$work/mosquitto.conf
	stop_broker
	used >noted
	check "messages are taken" numbered thermo 1 500
	check "and wait" wait_for 20 status '.spool.waiting >= 500'
	wait_for 20 a_while_passed
	check "for which the gateway sleeps" is_lazy
	: >"$work/broker.log"
	LD_PRELOAD=${ASAN_RUNTIME:-} mosquitto -c "$cloud_conf" >>"$work/broker.out" 2>&1 &
	broker_pid=$!
	check "when it is back, they arrive" wait_for 60 complete thermo 1 500
	check "with the token that was there" status '.token.signatures == 1'
}

outlives_the_site()
{
	note "the site's broker is killed"
	check "messages are taken" numbered pump 1 300
	stop_site KILL
	start_site
	check "more are" numbered pump 301 600
	check "all arrive" wait_for 60 complete pump 1 600
	check "and the gateway is back at it" wait_for 20 status .site.connected
	hears pump /devices/pump/config
	check "which asks the cloud for the configs that it forgot" \
		wait_for 20 says '^/devices/pump/config slow' pump.heard
	stop_others
}

outlives_itself()
{
	note "the gateway is killed"
	numbered thermo 501 800
	stop_gateway KILL
	check "messages are taken without it" numbered thermo 801 1000
	start_gateway
	check "all arrive" wait_for 60 complete thermo 501 1000
}

ends_in_order()
{
	note "its end"
	numbered lamp 1 200
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	start_gateway
	check "the rest arrives after it" wait_for 60 complete lamp 1 200
	kill -HUP "$gateway_pid"
	check "SIGHUP alone begins nothing anew" wait_for 20 says 'the connection stays' gateway.log
	write_gateway_settings 'keep-alive = 30s'
	kill -HUP "$gateway_pid"
	check "a setting that changed does" wait_for 20 status '.uplink.connects == 2'
	echo 'keep-alive = never' >>"$work/gw.conf"
	kill -HUP "$gateway_pid"
	check "one that is wrong is said, and the old ones stay" wait_for 20 says \
		"old settings stay: .*gw.conf:[0-9]+: .*keep-alive" gateway.log
	check "it goes on" gateway_is up
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
}

# A TPM that is gone costs nothing while the connection lasts; then it is waited for.
outlives_the_tpm()
{
	note "the TPM is gone for a while"
	write_gateway_settings
	start_gateway
	"$top/pkcs11-setup/swtpm" stop --dir "$swtpm_dir" >/dev/null
	check "messages pass without it" numbered lamp 2001 2100
	check "so they do" wait_for 20 complete lamp 2001 2100
	write_gateway_settings 'lifetime = 30m'
	kill -HUP "$gateway_pid"
	check "a new token takes it" wait_for 20 status '.token.sign_failures >= 1'
	check "meanwhile messages are taken" numbered lamp 2101 2200
	"$top/pkcs11-setup/swtpm" start --dir "$swtpm_dir" --label gw >>setup.log 2>&1
	check "when it is back, so is the gateway" wait_for 30 gateway_is up
	check "and what waited arrives" wait_for 20 complete lamp 2101 2200
	stop_gateway TERM
}

# ends_with STATUS PATTERN OPTION...: a gateway that cannot go on says why, and ends so
ends_with()
{
	want=$1 pattern=$2
	shift 2
	: >gateway.log
	begin_gateway "$@"
	ended=0
	wait "$gateway_pid" || ended=$?
	gateway_pid=
	check "it ends with status $want" same "$ended" "$want"
	check "and says: $pattern" says "$pattern" gateway.log
}

# systemd starts it again for status 1 alone.
refuses_to_run()
{
	note "what only people can mend"
	write_gateway_settings
	echo 00000000 >wrong.pin
	ends_with 3 'PIN' --token.pin-source="file:$work/wrong.pin"
	check "a wrong PIN was offered once" same "$(grep -c 'PIN' gateway.log)" 1
	ends_with 2 'no readable PIN|cannot read|PIN' --token.pin-source="file:$work/no.pin"
	ends_with 2 'uplink.url' --uplink.url=http://localhost
	ends_with 2 'CA file' --uplink.ca-file="$work/no.crt"
	write_gateway_settings 'colour = red'
	ends_with 2 "gw.conf:[0-9]+: .*colour"
}

# uptime_cs: hundredths of a second that the machine is up
uptime_cs()
{
	awk '{ printf "%d\n", $1 * 100 }' /proc/uptime
}

# is_seen_up: when it is not, $began is when it was looked at
is_seen_up()
{
	looked=$(uptime_cs)
	gateway_is up && return
	began=$looked
	return 1
}

# What the drain rate leaves over waits: what comes behind the tenth of a second's messages that may
# go at once takes 4.9 s, or longer where the machine is slow.
keeps_to_its_rate()
{
	note "a drain rate"
	write_gateway_settings 'drain-rate = 40'
	check "messages wait" numbered lamp 1001 1200
	began=$(uptime_cs)
	begin_gateway
	wait_for 30 is_seen_up || { cat gateway.log; die "the gateway does not connect"; }
	check "all arrive" wait_for 60 complete lamp 1001 1200
	took=$(($(uptime_cs) - began))
	check "and not at once" test "$took" -ge 480
	stop_gateway TERM
}

main()
{
	need mosquitto mosquitto_pub mosquitto_sub jq sqlite3
	begin_site_test "$1"
	start_site
	write_gateway_settings
	start_gateway
	passes_up
	passes_the_largest
	passes_down
	stop_others
	refuses_strangers
	outlives_the_cloud
	outlives_the_site
	outlives_itself
	ends_in_order
	keeps_to_its_rate
	[ "$1" != swtpm ] || outlives_the_tpm
	refuses_to_run
	end
}

main "$@"
