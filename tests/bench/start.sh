# shellcheck shell=sh disable=SC2154 # what bench.sh has set
# start: from a program's start to its first message's PUBACK, over TLS: with a key in a token, and
# with a key in a file, as a certificate's. Sourced by bench.sh.

# took COMMAND...: milliseconds, the middle one of several
took()
{
	rm -f "$work/took"
	i=0
	while [ $i -lt "$rounds" ]; do
		began=$(date +%s%N)
		"$@" >/dev/null 2>"$work/took.log" || die "$*: $(cat "$work/took.log")"
		echo $((($(date +%s%N) - began) / 1000000)) >>"$work/took"
		i=$((i + 1))
	done
	median "$work/took"
}

# in_token NAME COMMAND...: with that token's environment
in_token()
(
	# shellcheck source=/dev/null
	. "$work/$1/env"
	shift
	"$@"
)

start_rows()
{
	key='pkcs11:token=gw;object=bench-start'
	for name in softhsm swtpm; do
		in_token $name "$build/p11-gateway" keygen --key "$key" --type ec:p256 >/dev/null 2>&1
		ours=$(took in_token $name "$build/p11-gateway" publish --key "$key" \
			--url "mqtts://127.0.0.1:$tls_port" --ca-file "$work/up.crt" --project p \
			--region r --registry bench --device dev0 -m x)
		compare "ms to the first PUBACK, $name" "mosquitto_pub, a key file" "$ours" "$theirs" report
		signs=$(took in_token $name "$build/p11-gateway" jwt --key "$key" --aud p)
		compare "ms of it to open the token and sign" "the whole" "$signs" "$ours" report
	done
}

start_part()
{
	tls_port=$("$build/tests/integration/free-port")
	client_port=$("$build/tests/integration/free-port")
	make_tls
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=dev0 \
		-keyout "$work/client.key" 2>/dev/null |
		openssl x509 -req -CA "$work/up.crt" -CAkey "$work/up.key" -CAcreateserial -days 2 \
			-out "$work/client.crt" 2>/dev/null
	{
		hop_up_conf
		printf 'listener %s 127.0.0.1\nrequire_certificate true\n' "$client_port"
		printf 'cafile %s\ncertfile %s\nkeyfile %s\n' "$work/up.crt" "$work/up.crt" "$work/up.key"
	} >"$work/first.conf"
	start_broker first
	theirs=$(took mosquitto_pub -h 127.0.0.1 -p "$client_port" --cafile "$work/up.crt" \
		--cert "$work/client.crt" --key "$work/client.key" -q 1 -t t -m x)
	start_rows
}
