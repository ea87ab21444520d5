#!/bin/sh
# ca-answers: what a CA sends back is imported in each of its forms, whoever wrote the objects beside
# it, and every URI that is listed is accepted.
#
#   usage: ca-answers.sh softhsm|swtpm
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"

key='pkcs11:token=gw;object=device'

# issue NAME SUBJECT: the CA below certifies the token's key
issue()
{
	p11-gateway csr --key "$key" --subject "$2" -o "$1.csr"
	openssl x509 -req -in "$1.csr" -CA sub.crt -CAkey sub.key -set_serial "0x$(openssl rand -hex 8)" \
		-days 5 -out "$1.crt" 2>/dev/null
}

make_ca()
{
	for ca in root sub other; do
		openssl ecparam -name prime256v1 -genkey -noout -out "$ca.key"
		openssl req -new -key "$ca.key" -subj "/CN=$ca" -out "$ca.csr"
	done
	echo basicConstraints=critical,CA:TRUE >ext
	openssl x509 -req -in root.csr -key root.key -days 9 -extfile ext -out root.crt 2>/dev/null
	openssl x509 -req -in sub.csr -CA root.crt -CAkey root.key -set_serial 2 -days 9 -extfile ext \
		-out sub.crt 2>/dev/null
	openssl x509 -req -in other.csr -CA sub.crt -CAkey sub.key -set_serial 3 -days 9 \
		-out other.crt 2>/dev/null
	printf '[ca]\ndefault_ca=a\n[a]\ndatabase=index\ndefault_md=sha256\n' >ca.conf
	: >index
	openssl ca -config ca.conf -gencrl -crldays 5 -cert root.crt -keyfile root.key -out root.crl \
		2>/dev/null
}

# make_forms CERTIFICATE: the forms that CAs are known to send, one a file of forms/
make_forms()
{
	rm -rf forms
	mkdir forms
	cat "$1" sub.crt root.crt >forms/chain.pem
	cat root.crt other.crt sub.crt "$1" >forms/reversed.pem
	{ echo 'Your certificate:'; openssl x509 -in "$1" -text; cat root.crl; } >forms/text.pem
	sed 's/$/\r/' forms/reversed.pem >forms/crlf.pem
	{ printf '\357\273\277'; cat "$1"; } >forms/mark.pem
	openssl x509 -in "$1" -trustout -addtrust clientAuth -out forms/trusted.pem
	openssl x509 -in "$1" -outform DER -out forms/one.der
	{ cat forms/one.der; printf '\r\n'; } >forms/newline.der
	openssl crl2pkcs7 -in root.crl -certfile forms/reversed.pem -outform DER -out forms/answer.p7r
	openssl crl2pkcs7 -nocrl -certfile forms/reversed.pem -out forms/answer.p7b
	openssl base64 -in forms/answer.p7r -out forms/est.b64
	openssl base64 -A -in forms/one.der -out forms/line.b64
}

# is_imported FORM CERTIFICATE: it is the key's in the token then, as other programs see it too
is_imported()
{
	p11-gateway cert import --key "$key" "$1" >uri &&
		p11-gateway cert export --key "$key" -o exported.crt &&
		same "$(openssl x509 -in exported.crt -noout -fingerprint -sha256)" \
			"$(openssl x509 -in "$2" -noout -fingerprint -sha256)" &&
		p11-gateway cert show --key "$(cat uri)" &&
		same "$(certificates)" 1
}

certificates()
{
	pkcs11 --list-objects --type cert 2>/dev/null | grep -c '^Certificate Object'
}

forms()
{
	note "the forms in which CAs answer"
	issue first /CN=first
	issue second /CN=second
	for name in first second; do
		make_forms "$name.crt"
		for form in forms/*; do
			check "$name, $form" is_imported "$form" "$name.crt"
		done
	done
	cat root.crt other.crt >foreign.pem
	refused 2 "none of 2 .*object=device: 'CN = root', 'CN = other'" \
		p11-gateway cert import --key "$key" foreign.pem
	check "the certificate is still there" is_imported second.crt second.crt
}

# A certificate whose label and id are not the key's: tpm2_ptool and cards have such ones.
elsewhere()
{
	note "a certificate that another program wrote"
	p11-gateway cert delete --key "$key" 2>/dev/null
	openssl x509 -in first.crt -outform DER -out first.der
	pkcs11 --write-object first.der --type cert --id 99 --label elsewhere >/dev/null 2>&1
	check "it is the key's" says 'CN = first' "$(shown --key "$key")"
	check "it is in a token" p11-gateway jwt --key "$key" --aud x --x5c
	check "it goes where its key is" is_imported first.crt first.crt
	check "it has the key's label" sh -c 'grep -q object=device uri'
}

# shown OPTION...: a file with what 'cert show' says
shown()
{
	p11-gateway cert show "$@" >shown.txt 2>&1 || true
	echo shown.txt
}

# Every URI that is listed is taken by the commands that it is for.
listed()
{
	note "names"
	p11-gateway tokens --login 'pkcs11:token=gw' --format json >list.json
	sed -n 's/^ *"uri": "\(.*\)",$/\1/p' list.json >uris
	check "there are a token, a pair and a certificate" same "$(wc -l <uris)" 4
	p11-gateway pubkey --key "$key" >public.pem
	while read -r uri; do
		case $uri in
		*type=*)
			p11-gateway pubkey --key "$uri" >got.pem || true
			check "$uri is the key's" cmp got.pem public.pem
			check "$uri has a certificate" p11-gateway cert show --key "$uri"
			;;
		*) check "$uri is listed" p11-gateway tokens "$uri" ;;
		esac
	done <uris
	p11tool --provider "$P11_GATEWAY_MODULE" --list-token-urls 2>/dev/null | grep token=gw >theirs
	check "p11tool's URI, with its padding, is the token" \
		p11-gateway pubkey --key "$(cat theirs);object=device"
}

# The public half is missing: the certificate that is offered has it, as a signature shows.
lone()
{
	note "a private key alone"
	p11-gateway cert delete --key "$key" 2>/dev/null
	pkcs11 --delete-object --type pubkey --label device >/dev/null 2>&1
	refused 1 'public half|none of' p11-gateway pubkey --key "$key"
	refused 2 "'CN = other' is for another key" p11-gateway cert import --key "$key" other.crt
	check "its certificate is imported" is_imported first.crt first.crt
	check "it signs" p11-gateway csr --key "$key" --subject /CN=again -o again.csr
	check "and for the certificate" same "$(openssl req -in again.csr -noout -verify -pubkey 2>/dev/null)" \
		"$(openssl x509 -in first.crt -noout -pubkey)"
}

main()
{
	token=$1
	need openssl pkcs11-tool p11tool
	begin
	start_token "$token"
	p11-gateway keygen --key "$key" >/dev/null 2>&1
	make_ca
	forms
	elsewhere
	listed
	# tpm2-pkcs11 shows the public half of its private keys.
	[ "$token" != softhsm ] || lone
	end
}

main "$@"
