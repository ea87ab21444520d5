#!/bin/sh
# A token that fails on demand, under a gateway that runs: it says why, carries on for as long as it
# may, and is back when the token is; a PIN that is refused is offered once, whoever starts it again.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

sent=0

# fault RULE: how the token fails from its next use on; see tests/mock/faults.c
fault()
{
	echo "$1" >faults.new
	mv faults.new faults
}

# passes: whether a message comes to the cloud, the next one of its kind
passes()
{
	sent=$((sent + 1))
	sends thermo -t /devices/thermo/events -m "message $sent" && wait_for 20 has thermo "message $sent"
}

# connect_anew: a setting that changes makes the gateway sign, and connect, once more
connect_anew()
{
	keep_alive=$((${keep_alive:-30} + 1))
	write_gateway_settings "keep-alive = ${keep_alive}s"
	kill -HUP "$gateway_pid"
}

# recovers NAME RULE WORDS: from a token that fails so, which the gateway says
recovers()
{
	note "$1: $2"
	fault "$2"
	connect_anew
	check "it says what it waits for" wait_for 30 status ".uplink.last_error | test(\"$3\")"
	check "messages are taken meanwhile" sends lamp -t /devices/lamp/events -m "$1"
	fault ''
	check "when the token is well, so is the gateway" wait_for 30 gateway_is up
	check "what waited arrives" wait_for 30 has lamp "$1"
}

recovers_from_each()
{
	recovers removed 'C_OpenSession+C_SignInit+C_Sign=DEVICE_REMOVED' DEVICE_REMOVED
	recovers module 'C_Initialize=GENERAL_ERROR' 'does not start.*GENERAL_ERROR'
	recovers session 'C_SignInit=SESSION_HANDLE_INVALID' SESSION_HANDLE_INVALID
	recovers sign 'C_Sign=DEVICE_ERROR' DEVICE_ERROR
	recovers absent 'C_GetTokenInfo=TOKEN_NOT_PRESENT' 'token|TOKEN_NOT_PRESENT'
}

# What mends itself needs nobody: the token says no so many times, or until it is logged in to anew.
mends_itself()
{
	note "a token that mends itself"
	fault 'C_Sign=GENERAL_ERROR@1-5'
	failures_before=$(sign_failures)
	connect_anew
	check "after five signatures that failed it is back" \
		wait_for 60 status ".uplink.state == \"up\" and .token.sign_failures > $failures_before"
	fault 'C_Sign=GENERAL_ERROR@1-relogin'
	failures_before=$(sign_failures)
	connects=$(jq .uplink.connects status.json)
	connect_anew
	check "one that wants a new login gets it" wait_for 30 status ".uplink.connects > $connects"
	check "which is no failure" status ".token.sign_failures == $failures_before"
	fault ''
	check "messages pass" passes
}

sign_failures()
{
	status true >/dev/null
	jq .token.sign_failures status.json
}

# signing: the mock writes down what is done: C_SignInit is, C_Sign is not
signing()
{
	[ "$(tail -n 1 mock.log | cut -d ' ' -f 1)" = C_SignInit ]
}

# A slow TPM stalls nothing else: a renewal takes as long as it takes.
is_not_stalled()
{
	note "a signature that takes fifteen seconds"
	write_gateway_settings 'lifetime = 8s'
	kill -HUP "$gateway_pid"
	check "it goes on with short tokens" wait_for 30 status '.token.jwt_seconds_left <= 8 and
		.uplink.state == "up"'
	fault 'C_Sign:slow=15000'
	check "it signs" wait_for 30 signing
	check "messages pass meanwhile" passes
	check "status answers" gateway_is up
	check "more pass" passes
	check "all that while it signs" signing
	connects=$(jq .uplink.connects status.json)
	fault ''
	check "the new token is used when it is there" wait_for 60 status ".uplink.connects > $connects"
	check "messages pass" passes
}

# A module that never returns holds up neither the messages nor the end.
ends_without_it()
{
	note "a signature that does not end"
	fault 'C_Sign:slow=60000'
	check "it signs" wait_for 30 signing
	check "messages pass meanwhile" passes
	check "it is said that the token does not answer" wait_for 60 says \
		'the token has not answered for 30 s' gateway.log
	check "the status has it too" status '.token.last_error | test("has not answered")'
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	check "and it says what it did not wait for" says 'without waiting for the token' gateway.log
	fault ''
	start_gateway
}

logins()
{
	grep -c '^C_Login ' mock.log || true
}

# as_systemd_does [OPTION...]: starts it again as long as the unit says so, and not for ever
as_systemd_does()
{
	starts=0
	while [ "$starts" -lt 5 ]; do
		starts=$((starts + 1))
		begin_gateway "$@"
		ended=0
		wait "$gateway_pid" || ended=$?
		gateway_pid=
		for status in 0 $(sed -n 's/^RestartPreventExitStatus=//p' "$top/systemd/p11-gateway@.service.in"); do
			[ "$ended" -ne "$status" ] || return 0
		done
	done
}

# is_given_up STATUS LOGINS PATTERN [OPTION...]
is_given_up()
{
	want=$1 wanted=$2 pattern=$3
	shift 3
	: >mock.log
	: >gateway.log
	as_systemd_does "$@"
	check "it ends with status $want" same "$ended" "$want"
	check "systemd does not start it again" same "$starts" 1
	check "it says so" says "$pattern" gateway.log
	check "PINs that were offered: $wanted" same "$(logins)" "$wanted"
}

offers_a_pin_once()
{
	note "a PIN that is refused while it runs"
	fault 'C_Login=PIN_INCORRECT'
	: >mock.log
	connect_anew
	ended=0
	wait "$gateway_pid" || ended=$?
	gateway_pid=
	check "it ends with status 3" same "$ended" 3
	check "the PIN was offered once" same "$(logins)" 1
	note "a wrong PIN"
	fault ''
	echo 9999 >wrong.pin
	is_given_up 3 1 'PIN offered once and not again' --token.pin-source="file:$work/wrong.pin"
	note "a PIN that locks"
	fault 'C_Login=PIN_LOCKED'
	is_given_up 3 1 'PIN_LOCKED|locked'
	note "a PIN that would lock at the next wrong one, and one that is locked"
	fault ''
	MOCK_PKCS11_FLAGS=USER_PIN_FINAL_TRY
	export MOCK_PKCS11_FLAGS
	is_given_up 3 0 'locks at the next wrong PIN'
	MOCK_PKCS11_FLAGS=USER_PIN_LOCKED
	is_given_up 3 0 'is locked'
	unset MOCK_PKCS11_FLAGS
}

main()
{
	need mosquitto mosquitto_pub jq sqlite3
	begin_site_test mock
	start_site
	write_gateway_settings
	start_gateway
	check "messages pass" passes
	recovers_from_each
	mends_itself
	is_not_stalled
	ends_without_it
	offers_a_pin_once
	start_gateway
	check "with the right PIN all is well" passes
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	end
}

main "$@"
