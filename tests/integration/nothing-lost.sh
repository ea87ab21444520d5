#!/bin/sh
# Everything that a local device was told had arrived is in the cloud, in that device's order, whatever
# was killed meanwhile: the gateway, the site's broker, the cloud's, and all of them; the TPM too when
# there is one. With a TPM the spool has no front in memory.
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
[ "$token" != swtpm ] || site_front=none

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

kill_tpm()
{
	tpm_pid=$(cat "$swtpm_dir/swtpm/pid")
	kill -KILL "$tpm_pid"
	wait_for 20 not alive "$tpm_pid"
}

# begin_tpm: its power had gone, which the TPM counts as a wrong PIN: that count is cleared
begin_tpm()
{
	"$top/pkcs11-setup/swtpm" start --dir "$swtpm_dir" --label gw
	tpm2_dictionarylockout -T "swtpm:host=127.0.0.1,port=$(cat "$swtpm_dir/swtpm/port")" \
		--clear-lockout --auth="file:$swtpm_dir/lockout-auth"
}

# restart_all: none is there while another is down
restart_all()
{
	stop_site KILL
	end_cloud KILL
	[ "$token" != swtpm ] || kill_tpm
	stop_gateway KILL
	[ "$token" != swtpm ] || begin_tpm
	begin_cloud
	start_site
	begin_gateway
}

# now_cs: hundredths of a second
now_cs()
{
	awk '{ printf "%d\n", $1 * 100 }' /proc/uptime
}

# load_flows: whether it has done so for long enough, and brought as much as $wanted says
load_flows()
{
	[ "$(now_cs)" -ge "$until_cs" ] && more_taken
}

# await_load: waits until more is taken, then for half a second of load and whatever more chance says
await_load()
{
	wanted=$(($(n_taken) + 1))
	wait_for 60 more_taken || return 1
	chance=$(od -An -N1 -tu1 /dev/urandom)
	from=$(n_taken)
	from_cs=$(now_cs)
	wanted=$((from + rate / 2 + rate * chance / 512))
	until_cs=$((from_cs + 50))
	wait_for 60 load_flows || return 1
	flowed=$((flowed + $(n_taken) - from))
	flowed_cs=$((flowed_cs + $(now_cs) - from_cs))
}

# one_round N: kills at whatever moment of the load that is
one_round()
{
	await_load || { cat load.err; die "nothing is taken any more"; }
	! gateway_is up || found_up=$((found_up + 1))
	kinds=4
	[ "$token" != swtpm ] || kinds=5
	case $(($1 % kinds)) in
	0) restart_gateway ;;
	1) restart_site ;;
	2) restart_cloud ;;
	3) restart_all ;;
	4)
		# One that has not logged in yet takes a TPM that is reset meanwhile for a wrong PIN.
		wait_for 60 gateway_is up
		kill_tpm
		begin_tpm
		;;
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
	found_up=0
	flowed=0
	flowed_cs=0
	while [ "$round" -lt "$rounds" ]; do
		one_round "$round" >round.out 2>&1 || { cat round.out load.err; die "round $round failed"; }
		round=$((round + 1))
	done
	note "$rounds kills, $found_up of them while the gateway was connected;" \
		"$((flowed * 100 / flowed_cs)) messages a second before each"
	end_load
	end
}

main "$@"
