#!/bin/sh
# A broker that ends each connection with its token: the gateway is there before, with a newer token
# and one signature each, and nothing is lost; without a newer token it stays until the very end.
#
#   usage: expiry.sh     RENEWALS: how many (6), RATE: messages a second (500)
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"
# shellcheck source=tests/integration/load-lib.sh
. "${top_srcdir:-.}/tests/integration/load-lib.sh"

renewals=${RENEWALS:-6}
rate=${RATE:-500}

# gaps: milliseconds between two connections, one a line, as the gateway's log has them
gaps()
{
	sed -n 's/.*connected url=.* after_ms=\([0-9]*\)$/\1/p' gateway.log | tail -n +2
}

# ended_by_us: each connection of the gateway that the broker saw begin, but the last, ended by a
# DISCONNECT
ended_by_us()
{
	begun=$(grep -c 'Sending CONNACK to projects/.*/devices/gw1 (0, 0)' broker.log)
	told=$(grep -c 'Received DISCONNECT from projects/.*/devices/gw1$' broker.log)
	same "$told" $((begun - 1))
}

# hears_states: into the file `states`, what the gateway says to a service's manager of its connection
hears_states()
{
	"$python" "$top/tests/integration/notify.py" "$work/manager" >states 2>&1 &
	pids="$pids $!"
	wait_for 20 says listening states || die "nobody hears the gateway's states"
	gateway_as="env NOTIFY_SOCKET=$work/manager"
}

# renewals_by_state: what came between a connection and the next, one a line
renewals_by_state()
{
	sed -n 's/^[0-9]* STATUS=\([a-z]*\).*/\1/p' states | uniq |
		awk '$0 != "up" { way = way " " $0; next } n++ { print way } { way = "" }'
}

renews()
{
	note "$renewals renewals under load"
	start_load "$rate"
	check "the connection is renewed each time" wait_for $((renewals * 20)) \
		status ".uplink.connects > $renewals"
	end_load
	check "the broker ended none of them" not says "token's time is over" broker.log
	check "each ended by our own word" wait_for 10 ended_by_us
	check "no CONNECT was refused" not says 'p11_registry: refused' broker.log
	check "no attempt failed" not says 'not connected|disconnected:' gateway.log
	check "no token was signed without a connection, the newer one was at hand" \
		same "$(renewals_by_state | sort -u)" ' renewing waiting connecting'
	check "each took one signature" wait_for 10 status '.token.signatures == .uplink.connects'
	check "none failed" status '.token.sign_failures == 0'
	note "without a connection for, in ms: $(gaps | sort -n | awk '{ all[NR] = $1 }
		END { printf "%d times, median %d, most %d", NR, all[int((NR + 1) / 2)], all[NR] }')"
}

# The token's file is moved away: SoftHSM then has no token at all.
outlives_its_token()
{
	note "no token when the connection is to be renewed"
	start_load "$rate"
	mv token/tokens token/away
	check "it says that there is no newer one" wait_for 30 says 'no newer token yet: ' gateway.log
	check "and stays connected" gateway_is up
	check "until the broker ends it" wait_for 60 says "closing .*gw1.*token's time is over" broker.log
	check "then it says what it waits for" wait_for 30 says 'not connected: .*(token|slot)' gateway.log
	check "messages are taken meanwhile" wait_for 30 status '.spool.waiting > 100'
	mv token/away token/tokens
	check "when the token is back, so is the connection" wait_for 60 gateway_is up
	check "each reason was said once" same \
		"$(grep -c 'warning: \(no newer\|disconnected\|not connected\)' gateway.log)" 3
	end_load
}

main()
{
	need mosquitto jq sqlite3
	need_load
	broker_options='plugin_opt_clock_skew 0
max_inflight_messages 100'
	begin_site_test softhsm
	start_site
	# It is renewed six to nine seconds after it was signed.
	write_gateway_settings 'lifetime = 12s'
	hears_states
	start_gateway
	renews
	outlives_its_token
	stop_gateway TERM
	check "SIGTERM ends it with status 0" same "$ended" 0
	end
}

main "$@"
