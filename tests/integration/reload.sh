#!/bin/sh
# Nothing but a refused PIN ends a gateway that runs: not a settings file that is wrong at SIGHUP,
# and not a file, a spool or a socket's folder that is missing for a while.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

sent=0

# passes: whether a message comes to the cloud, the next one of its kind
passes()
{
	sent=$((sent + 1))
	sends thermo -t /devices/thermo/events -m "message $sent" && wait_for 30 has thermo "message $sent"
}

refusals()
{
	grep -c 'the old settings stay' gateway.log || true
}

more_refusals()
{
	[ "$(refusals)" -gt "$before" ]
}

# keeps WHAT PATTERN: after SIGHUP the gateway says why the settings file is wrong, and stays as it is
keeps()
{
	before=$(refusals)
	kill -HUP "$gateway_pid" 2>/dev/null || true
	check "$1 is refused" wait_for 20 more_refusals
	grep 'the old settings stay' gateway.log | tail -n 1 >refusal
	check "for this reason" says "old settings stay: $2" refusal
	check "the status has it" status ".settings.last_error | test(\"$(echo "$2" | sed 's/\\/\\\\/g')\")"
	check "the connection stays" status '.uplink.state == "up" and .uplink.connects == 1'
}

# keeps_line PATTERN LINE...: the lines are the last ones of the file
keeps_line()
{
	pattern=$1
	shift
	write_gateway_settings "$@"
	keeps "'$*'" "$pattern"
}

keeps_the_old_settings()
{
	note "settings that are wrong at SIGHUP"
	conf=$work/gw.conf
	keeps_line "$conf:[0-9]+: .uplink. has no setting 'colour'" 'colour = red'
	keeps_line "$conf:[0-9]+: the line is neither" 'keep-alive'
	keeps_line "$conf:[0-9]+: uplink.keep-alive: 'never'" 'keep-alive = never'
	write_gateway_settings
	echo 'device = gw2' >>gw.conf
	keeps "a setting given twice" "$conf:[0-9]+: uplink.device: it is set in line [0-9]+ already"
	keeps_line "$conf:[0-9]+: uplink.url: " 'url = http://localhost'
	keeps_line "$conf:[0-9]+: uplink.client-id: .devise. is not" 'client-id = {devise}'
	keeps_line "$conf:[0-9]+: uplink.claim: 'iat'" 'claim = iat:=1'
	keeps_line "$conf:[0-9]+: uplink.header: 'alg'" 'header = alg=none'
	keeps_line "$conf:[0-9]+: site.in: 'a#'" '[site]' 'in = a#'
	keeps_line "$conf:[0-9]+: token.device-key: " '[token]' 'device-key = pkcs11:colour={device}'
	keeps_line "$conf:[0-9]+: token.module: cannot read" '[token]' 'module = /nowhere/module.so'
	keeps_line "$conf:[0-9]+: token.pin-source: no PIN: cannot open" '[token]' \
		"pin-source = file:$work/no.pin"
	: >empty.pin
	keeps_line "$conf:[0-9]+: token.pin-source: no PIN: the first line" '[token]' \
		"pin-source = file:$work/empty.pin"
	write_gateway_settings
	sed "s|^ca-file = .*|ca-file = $work/no.crt|" gw.conf >gw.other
	mv gw.other gw.conf
	keeps "a missing CA file" "$conf:[0-9]+: uplink.ca-file: cannot read"
	keeps_line '.*take a restart' 'name = other'
}

# A file that is there and cannot be read is a directory here: root may read any file.
keeps_them_without_a_file()
{
	note "a settings file that cannot be read at SIGHUP"
	rm gw.conf
	keeps "a missing file" "cannot open '$conf'"
	mkdir gw.conf
	keeps "a file that cannot be read" "cannot read '$conf'"
	rmdir gw.conf
	: >gw.conf
	keeps "an empty file" "$conf: token.key is missing"
	check "messages pass all the same" passes
	write_gateway_settings 'keep-alive = 33s'
	kill -HUP "$gateway_pid"
	check "the right file is taken" wait_for 30 status '.uplink.connects == 2'
	check "the status has no error any more" status '.settings.last_error == ""'
}

restart_broker()
{
	stop_broker
	: >"$work/broker.log"
	LD_PRELOAD=${ASAN_RUNTIME:-} mosquitto -c "$work/mosquitto.conf" >>"$work/broker.out" 2>&1 &
	broker_pid=$!
}

# count PATTERN: how often it was logged
count()
{
	grep -Ec "$1" gateway.log || true
}

again()
{
	[ "$(count "$1")" -ge 2 ]
}

# outlives_ca WHAT PATTERN: the connection ends while the CA file is as it is
outlives_ca()
{
	: >gateway.log
	restart_broker
	check "the gateway waits for a CA file that is $1" wait_for 30 status \
		".uplink.state == \"waiting\" and (.uplink.last_error | test(\"$2\"))"
	check "which it says with the line of the setting" wait_for 20 says \
		"not connected: $work/gw.conf:[0-9]+: uplink.ca-file: .*$2" gateway.log
	check "messages are taken meanwhile" sends lamp -t /devices/lamp/events -m "$1"
	check "it tries again" wait_for 30 again "not connected: .*$2"
	check "and warns once" same "$(count "warning: not connected: .*$2")" 1
	cp ca.saved "$CA_DIR/root-ca.crt"
	check "when it is back, so is the gateway" wait_for 30 gateway_is up
	check "what waited arrives" wait_for 30 has lamp "$1"
}

outlives_the_ca_file()
{
	note "a CA file that is not there, or half-written, when the connection ends"
	cp "$CA_DIR/root-ca.crt" ca.saved
	rm "$CA_DIR/root-ca.crt"
	outlives_ca missing 'cannot read the CA file'
	head -c 200 ca.saved >"$CA_DIR/root-ca.crt"
	outlives_ca half-written 'has no CA'
}

outlives_the_pin_file()
{
	note "a PIN file, then a module, that is missing when the token is renewed"
	pin=${P11_GATEWAY_PIN_SOURCE#file:}
	ln -s "$P11_GATEWAY_MODULE" module.so
	write_gateway_settings 'lifetime = 8s' '[token]' "module = $work/module.so"
	kill -HUP "$gateway_pid"
	check "it goes on with short tokens" wait_for 30 status '.token.jwt_seconds_left <= 8 and
		.uplink.state == "up"'
	: >gateway.log
	mv "$pin" "$pin.away"
	check "the token's status says what is missing" wait_for 30 status \
		'.token.last_error | test("no PIN: cannot open")'
	check "its token ends" wait_for 30 status '.token.jwt_seconds_left == 0'
	check "it warns of that once" same "$(count 'warning: no newer token yet: .*no PIN')" 1
	restart_broker
	check "the connection cannot begin again" wait_for 60 status '.uplink.state != "up" and
		(.uplink.last_error | test("no PIN: cannot open"))'
	check "messages are taken meanwhile" sends lamp -t /devices/lamp/events -m pin
	check "it tries again" wait_for 30 again 'not connected: .*no PIN'
	check "and warns once" same "$(count 'warning: not connected: .*no PIN')" 1
	mv "$pin.away" "$pin"
	check "when it is back, so is the gateway" wait_for 60 status '.uplink.state == "up" and
		.token.renewal_failures == 0'
	check "what waited arrives" wait_for 30 has lamp pin
	# What is loaded stays loaded: an upgrade that replaces the module does not stop the renewals.
	rm module.so
	signatures=$(jq .token.signatures status.json)
	check "a module that is not there any more signs on" wait_for 60 status \
		".token.signatures >= $signatures + 2 and .uplink.state == \"up\""
	write_gateway_settings
	kill -HUP "$gateway_pid"
	check "long tokens again" wait_for 30 status '.token.jwt_seconds_left > 60 and
		.uplink.state == "up"'
}

# The site's broker makes the spool when it starts: in its old place, numbered from the beginning.
outlives_the_spool()
{
	note "a spool that is removed"
	check "messages pass" passes
	stop_site
	rm -rf spool
	check "it is said" wait_for 30 says 'the spool .* was removed' gateway.log
	check "the status has it" wait_for 30 status '.spool.last_error != ""'
	start_site
	check "with another one messages pass" passes
	check "more do" passes
	check "nothing waits" wait_for 30 status '.spool.waiting == 0 and .spool.last_error == ""'
}

# The gateway does not leave a spool before all that it has sent is acknowledged.
outlives_a_spool_that_moves()
{
	note "a spool that is moved away, and back before the gateway has left it"
	: >gateway.log
	kill -STOP "$broker_pid"
	check "a message is sent" sends thermo -t /devices/thermo/events -m moved
	check "and is not acknowledged" wait_for 20 status '.uplink.in_flight == 1'
	# The site's broker would make another one.
	kill -STOP "$site_pid"
	mv spool spool.away
	check "the gateway notices" wait_for 20 says 'the spool .* was replaced' gateway.log
	mv spool.away spool
	check "the log says that it is back" wait_for 20 says 'the spool is in its place again' gateway.log
	check "the status has no error any more" wait_for 20 status '.spool.last_error == ""'
	kill -CONT "$broker_pid" "$site_pid"
	check "the message arrives" wait_for 30 has thermo moved
	check "more do" passes
}

is_who_it_was()
{
	alive "$gateway_pid" && same "$gateway_pid" "$first_pid"
}

serves_later()
{
	note "a status socket whose folder is missing at the start"
	: >gateway.log
	begin_gateway --status.socket="$work/later/gw.status"
	check "the gateway runs" wait_for 30 says 'connected url=' gateway.log
	check "and says what it cannot do" says \
		'the status is not served, .*: --status.socket: cannot listen' gateway.log
	mkdir later
	check "it serves the status when it can" wait_for 30 test -S later/gw.status
	check "saying it" says 'the status is served now' gateway.log
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
}

main()
{
	need mosquitto mosquitto_pub jq sqlite3
	begin_site_test softhsm
	start_site
	write_gateway_settings
	start_gateway
	first_pid=$gateway_pid
	check "messages pass" passes
	keeps_the_old_settings
	keeps_them_without_a_file
	outlives_the_ca_file
	outlives_the_pin_file
	outlives_the_spool
	outlives_a_spool_that_moves
	check "it is the process that was started" is_who_it_was
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	serves_later
	end
}

main "$@"
