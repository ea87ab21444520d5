#!/bin/sh
# A password without a JSON Web Token in it: the gateway needs no token, opens none, and its
# connection is not renewed.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"

# write_settings PASSWORD: without [token]
write_settings()
{
	write_gateway_settings 'profile = generic' 'username = device' "password = $1" \
		'lifetime = 8s' '[site]' 'out = # 1 building/ /devices/d/'
	sed '/^\[token\]/d; /^key = /d' gw.conf >gw.other
	mv gw.other gw.conf
}

heard()
{
	grep -Fxq -- "/devices/d/lamp $1" listened
}

outlasts_a_lifetime()
{
	status '.uptime_s > 12 and .uplink.up_s > 10'
}

# In a token's place is a module that would be seen to be loaded.
main()
{
	need mosquitto mosquitto_pub mosquitto_sub jq
	begin
	trap 'ended=$?; end_site_test "$ended"' EXIT
	"$top/ca/ca" init >ca.log 2>&1 || { cat ca.log; die "ca init failed"; }
	make_mock_token
	# shellcheck disable=SC1091
	. "$work/token/env"
	unset P11_GATEWAY_PIN_SOURCE
	with_plugin=
	start_broker
	printf 'topic readwrite #\n' >site.acl
	site_options=$(printf '%s\n' 'plugin_opt_topic building/#' "acl_file $work/site.acl")
	start_site
	write_settings device
	start_listener listened
	start_gateway
	check "a message is taken" sends lamp -t building/lamp -m one
	check "it arrives" wait_for 20 heard one
	check "nothing was signed" status '.token.used == false and .token.signatures == 0 and
		.token.sign_failures == 0 and .token.last_error == ""'
	p11-gateway status --socket "$work/gw.status" >shown
	check "the status says so" says '^token     not used' shown
	check "a token's lifetime passes" wait_for 60 outlasts_a_lifetime
	check "and the connection is the same" status '.uplink.connects == 1'
	check "no module was loaded" test ! -s mock.log
	mosquitto_passwd -b "$work/passwd" device other
	stop_broker
	LD_PRELOAD=${ASAN_RUNTIME:-} mosquitto -c "$work/mosquitto.conf" >>"$work/broker.out" 2>&1 &
	broker_pid=$!
	check "a password that is refused is said" wait_for 30 status \
		'.uplink.last_error | test("refuse|not authori[sz]ed|bad user name")'
	write_settings other
	kill -HUP "$gateway_pid"
	check "with the right one it is back" wait_for 30 gateway_is up
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	end
}

main "$@"
