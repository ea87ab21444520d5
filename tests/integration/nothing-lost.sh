#!/bin/sh
# Everything that a local device was told had arrived is in the cloud, in that device's order, whatever
# was killed meanwhile: the gateway, the site's broker, the cloud's, and all of them; the TPM too when
# there is one.
#
#   usage: nothing-lost.sh     ROUNDS: kills (10), RATE: messages a second (2000), TOKEN: softhsm|swtpm
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "${top_srcdir:-.}/tests/integration/site-lib.sh"
# shellcheck source=tests/integration/load-lib.sh
. "${top_srcdir:-.}/tests/integration/load-lib.sh"

rounds=${ROUNDS:-10}
rate=${RATE:-2000}
token=${TOKEN:-softhsm}
lifetime=1h

restart_gateway()
{
	stop_gateway KILL
	begin_gateway
}

restart_site()
{
	stop_site KILL
	start_site
}

# restart_tpm: as if its power had gone, which the TPM counts as a wrong PIN: that count is cleared
restart_tpm()
{
	tpm_pid=$(cat "$swtpm_dir/swtpm/pid")
	kill -KILL "$tpm_pid"
	wait_for 20 not alive "$tpm_pid"
	"$top/pkcs11-setup/swtpm" start --dir "$swtpm_dir" --label gw
	tpm2_dictionarylockout -T "swtpm:host=127.0.0.1,port=$(cat "$swtpm_dir/swtpm/port")" \
		--clear-lockout --auth="file:$swtpm_dir/lockout-auth"
}

# one_round N: waits until more is taken, and kills at whatever moment that is
one_round()
{
	wanted=$(($(n_taken) + rate / 4 + $(od -An -N1 -tu1 /dev/urandom)))
	wait_for 60 more_taken || { cat load.err; die "nothing is taken any more"; }
	kinds=4
	[ "$token" != swtpm ] || kinds=5
	case $(($1 % kinds)) in
	0) restart_gateway ;;
	1) restart_site ;;
	2) restart_cloud ;;
	3)
		restart_site
		restart_cloud
		[ "$token" != swtpm ] || restart_tpm
		restart_gateway
		;;
	4) restart_tpm ;;
	esac
}

main()
{
	need mosquitto jq sqlite3
	need_load
	broker_options='max_inflight_messages 100'
	# A TPM that is never asked to sign is not missed.
	[ "$token" != swtpm ] || lifetime=8s
	begin_site_test "$token"
	start_site
	write_gateway_settings "lifetime = $lifetime"
	start_gateway
	start_load "$rate"
	round=0
	while [ "$round" -lt "$rounds" ]; do
		one_round "$round" >round.out 2>&1 || { cat round.out load.err; die "round $round failed"; }
		round=$((round + 1))
	done
	note "$rounds kills"
	end_load
	end
}

main "$@"
