#!/bin/sh
# Several processes use one SoftHSM token at once, as the instances of a gateway for several clouds do.
# SoftHSM writes the token's file at each login, under the others' eyes: none may fail for that.
set -eu
# shellcheck disable=SC2119 # most calls need no arguments

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"

processes=6
rounds=20

# sign N: as often as there are rounds, each time in a process of its own
sign()
{
	for round in $(seq $rounds); do
		p11-gateway csr --key 'pkcs11:token=gw;object=device' --subject "/CN=p$1" -o "$1.$round.csr" ||
			return
	done
}

# sign_at_once: fails when one of them does, and says what the processes said
sign_at_once()
{
	pids=
	for n in $(seq $processes); do
		sign "$n" 2>"sign.$n.err" &
		pids="$pids $!"
	done
	ended=0
	for pid in $pids; do
		wait "$pid" || ended=1
	done
	cat sign.*.err
	return $ended
}

are_signed()
{
	for n in $(seq $processes); do
		for round in $(seq $rounds); do
			openssl req -in "$n.$round.csr" -verify -noout || return
		done
	done
}

# It loses what it has of the slots when it cannot read one.
forgive_libp11()
{
	{
		cat "$top/tests/lsan.supp"
		echo leak:libp11.so
	} >lsan.supp
	LSAN_OPTIONS=${LSAN_OPTIONS:-}:suppressions=$work/lsan.supp:print_suppressions=0
	export LSAN_OPTIONS
}

main()
{
	need softhsm2-util pkcs11-tool openssl
	begin
	forgive_libp11
	start_token softhsm
	p11-gateway keygen --key 'pkcs11:token=gw;object=device' --type ec:p256 >uri
	check "$processes processes sign with one key, $rounds times each" sign_at_once
	check "each signature is right" are_signed
	check "a token that is not there is still said to be missing" refused_soon
	end
}

refused_soon()
{
	! timeout 20 p11-gateway csr --key 'pkcs11:token=another;object=device' --subject /CN=p 2>err &&
		says "no token with token=another: there is .*token=gw" err
}

main "$@"
