#!/bin/sh
# bad-input: what bad input gets: an exit status, one line that says why, and nothing changed.
#
#   usage: bad-input.sh softhsm|swtpm
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"

key='pkcs11:token=gw;object=device'

names()
{
	note "keys and tokens that are not there, or not one"
	refused 2 'key is missing' p11-gateway csr --subject /CN=gw1
	refused 2 "must begin with 'pkcs11:'" p11-gateway csr --key device --subject /CN=gw1
	refused 1 "no token with token=nope: there is .*token=gw" \
		p11-gateway csr --key 'pkcs11:token=nope;object=device' --subject /CN=gw1
	refused 1 "no key with object=nope: there is .*object=device" \
		p11-gateway csr --key 'pkcs11:token=gw;object=nope' --subject /CN=gw1
	refused 2 'matches 2 keys.*object=(device|two).*object=(device|two)' \
		p11-gateway csr --key 'pkcs11:token=gw' --subject /CN=gw1
	refused 1 '/nope.so' p11-gateway csr --key "$key" --module /nope.so --subject /CN=gw1
	refused 2 'in use already.*object=device' p11-gateway keygen --key "$key"
	refused 2 "'rsa:1024'.*rsa:2048" p11-gateway keygen --key 'pkcs11:token=gw;object=x' \
		--type rsa:1024
}

requests()
{
	note "names that cannot be encoded"
	for subject in CN=gw1 /C=Germany /NOPE=gw1 "/CN=$(printf '\377')" "/CN=$(printf '%070d' 1)"; do
		refused 2 '=|NOPE' p11-gateway csr --key "$key" --subject "$subject" -o out.csr
	done
	for san in gw1 ip:1.2.3 ip:1.2.3.4.5 dns:a..b 'dns:b ad' 'dns:bücher.example' uri:nope dns:; do
		refused 2 'alternative name' p11-gateway csr --key "$key" --subject /CN=gw1 --san "$san" \
			-o out.csr
	done
	refused 1 'nowhere' p11-gateway csr --key "$key" --subject /CN=gw1 -o nowhere/out.csr
	check "no request was written" test ! -e out.csr
}

certificates()
{
	note "certificates that are none, or another key's"
	p11-gateway csr --key "$key" --subject /CN=gw1 -o gw1.csr
	head -c 5000000 /dev/zero >big
	printf -- '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' >broken.crt
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key \
		-out other.crt -subj /CN=gw1 -days 2 2>/dev/null
	refused 2 "gw1.csr.*no certificate" p11-gateway cert import --key "$key" gw1.csr
	refused 2 "broken.crt" p11-gateway cert import --key "$key" broken.crt
	refused 2 "big.*larger" p11-gateway cert import --key "$key" big
	refused 1 'nope.crt.*No such file' p11-gateway cert import --key "$key" nope.crt
	refused 2 "other.crt.*'CN = gw1' is for another key.*object=device" p11-gateway cert import --key "$key" other.crt
	refused 1 'no certificate' p11-gateway cert show --key "$key"
	refused 1 'no certificate' p11-gateway cert delete --key "$key"
}

clock()
{
	command -v faketime >/dev/null || { left_out "'faketime' is missing"; return 0; }
	[ -z "${ASAN_RUNTIME:-}" ] || return 0
	note "a clock before 2024"
	refused 2 'clock says 2020-01-01' faketime '2020-01-01 00:00:00' \
		p11-gateway jwt --key "$key" --aud "$project"
}

brokers()
{
	note "brokers that are not there, not the right one, or that refuse"
	"$top/ca/ca" init >/dev/null 2>&1
	port=1
	refused 2 'device id' publish --key "$key" --device 'g w' -m x
	refused 2 'device id' publish --key "$key" --device gw -m x
	refused 2 'mqtts://' publish --key "$key" --device gw1 -m x --url "https://$host"
	refused 1 "$host.*port 1:" publish --key "$key" --device gw1 -m x
	refused 2 'nope.crt.*No such file' publish --key "$key" --device gw1 -m x --ca-file nope.crt
	with_plugin=
	start_broker
	# Refused for what it says, not for being silent.
	refused 1 'refuse|not auth' publish --key "$key" --device gw1 -m x
	refused 1 'certificate' publish --key "$key" --device gw1 -m x --ca-file other.crt
	stop_broker
	make_broker_certificate --san dns:elsewhere.example
	start_broker
	refused 1 "certificate.*$host" publish --key "$key" --device gw1 -m x
	check "the password was not sent to it" sh -c '! grep -q "New client connected" broker.log'
}

# lockout_count: how many failures the TPM counts
lockout_count()
{
	TPM2TOOLS_TCTI=$TPM2_PKCS11_TCTI tpm2_getcap properties-variable |
		sed -n 's/^TPM2_PT_LOCKOUT_COUNTER: *0x//p'
}

# OpenSC's spy stands between the program and the module and writes down each call.
pins()
{
	note "a PIN that is not there, and a wrong one"
	refused 2 'no PIN.*nowhere' p11-gateway csr --key "$key" --subject /CN=gw1 \
		--pin-source file:nowhere
	refused 2 'PIN.*NOWHERE' p11-gateway csr --key "$key" --subject /CN=gw1 \
		--pin-source env:NOWHERE
	spy=$(find /usr/lib -name pkcs11-spy.so 2>/dev/null | head -n 1)
	if [ -z "$spy" ]; then
		left_out "pkcs11-spy.so is missing"
		return
	fi
	[ "$token" = softhsm ] || before=$(lockout_count)
	echo 'not-the-pin' >wrong-pin
	see_through_libraries
	got=0
	PKCS11SPY=$P11_GATEWAY_MODULE PKCS11SPY_OUTPUT=$work/spy p11-gateway csr --key "$key" \
		--subject /CN=gw1 --module "$spy" --pin-source "file:wrong-pin" -o out.csr 2>err || got=$?
	check "it ends with status 3" same "$got" 3
	check "it says that the PIN is refused" says 'refuses the PIN' err
	check "no line of it holds the PIN" sh -c '! grep -q not-the-pin err'
	check "it was offered once" same "$(grep -c ': C_Login$' spy)" 1
	[ "$token" = softhsm ] ||
		check "the TPM counted one failure" same "$(lockout_count)" $((before + 1))
}

main()
{
	token=$1
	need openssl mosquitto pkcs11-tool
	begin
	start_token "$token"
	p11-gateway keygen --key "$key" >/dev/null
	p11-gateway keygen --key 'pkcs11:token=gw;object=two' >/dev/null
	pkcs11 -O >before.txt 2>/dev/null
	names
	requests
	certificates
	clock
	brokers
	pkcs11 -O >after.txt 2>/dev/null
	check "the token holds what it held before" diff before.txt after.txt
	pins
	end
}

main "$@"
