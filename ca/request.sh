# shellcheck shell=sh disable=SC2034,SC2154
# What a certificate request may ask for. Every check stops with die; work/ is the private directory
# of this run, work/req.pem our own copy of the request.

# Also from DER; what follows the first request of a file is ignored.
request_read()
{
	[ -f "$1" ] || die "$request_name: no such file"
	[ -r "$1" ] || die "$request_name: cannot read it"
	head -c 65537 -- "$1" >work/in
	[ "$(wc -c <work/in)" -le 65536 ] ||
		die "$request_name: larger than 64 KiB: no certificate request"
	openssl req -in work/in -out work/req.pem 2>/dev/null ||
		openssl req -inform DER -in work/in -out work/req.pem 2>/dev/null ||
		die "$request_name: no certificate request (PKCS #10)"
	# OpenSSL 3.0 reports a bad signature in words only.
	openssl req -in work/req.pem -verify -noout 2>&1 | grep -qi 'verify OK' ||
		die "$request_name: its signature is not that of its key"
	openssl req -in work/req.pem -outform DER -out work/req.der
}

# One common name of 1 to 64 characters; text types only; nothing that reorders or hides text.
request_check_subject()
{
	openssl req -in work/req.pem -noout -subject \
		-nameopt sep_multiline,sname,show_type,esc_ctrl,esc_msb,esc_2253 >work/subject 2>/dev/null ||
		die "$request_name: its subject cannot be read"
	complaint=$(awk '
	function complain(text) { if (!said) print text; said = 1 }
	NR == 1 || /^ *$/ { next }
	{
		sub(/^ +/, "")
		name = $0; sub(/=.*/, "", name)
		value = substr($0, length(name) + 2)
		type = value; sub(/:.*/, "", type)
		value = substr(value, length(type) + 2)
		if (type !~ /^(UTF8STRING|PRINTABLESTRING)$/ &&
		    !(type == "IA5STRING" && name ~ /^(DC|emailAddress)$/))
			complain("of its subject has the type " type ": give UTF8String or PrintableString")
		n = 0
		while (value != "") {
			used = 1
			if (value ~ /^\\W/) {
				used = 10
			} else if (value ~ /^\\U/) {
				used = 6
				code = substr(value, 3, 4)
				if (code ~ /^(20(0[B-F]|2[89A-E]|6[0-9A-F])|FEFF)/)
					complain("of its subject has invisible characters")
			} else if (value ~ /^\\[0-9A-F][0-9A-F]/) {
				used = 3
				if (value ~ /^\\([0189]|7F)/)
					complain("of its subject has control characters")
			} else if (value ~ /^\\/) {
				used = 2
			} else if (value ~ /^\+/) {
				complain("of its subject is one of several in one RDN: give one each")
			}
			value = substr(value, used + 1)
			n++
		}
		if (name == "CN") {
			cn++
			if (n < 1 || n > 64)
				complain("of its subject has " n " characters: 1 to 64 are allowed")
		}
		if (said && !named) { print name; named = 1 }
	}
	END {
		if (!said && cn == 0) print "its subject has no common name (CN)"
		if (!said && cn > 1) print "its subject has more than one common name (CN)"
	}' work/subject)
	case $complaint in
	'') ;;
	of*) die "$request_name: ${complaint##*
} ${complaint%%
*}" ;;
	*) die "$request_name: $complaint" ;;
	esac
}

# The request's own bytes, not OpenSSL's idea of them: explicit curve parameters that happen to be
# those of P-256 are refused as well.
request_parse()
{
	openssl asn1parse -inform DER -in work/req.der >work/asn1 2>/dev/null ||
		die "$request_name: cannot be parsed"
	awk '
	{ split($0, a, ":d="); depth = a[2] + 0; offset = a[1] + 0
	  text = $0; sub(/.*OBJECT *:/, "", text) }
	depth == 2 { field++ }
	field == 3 && depth == 4 && / OBJECT / { print (key++ ? "curve" : "key"), offset, text }
	field >= 4 && depth == 4 && / OBJECT / { wanted = text ~ /Extension Request$/ }
	wanted && depth == 7 && / OBJECT / { name = text }
	wanted && depth == 7 && / OCTET STRING / { print "extension", offset, name }
	' work/asn1 >work/fields
}

request_check_key()
{
	if ! openssl req -in work/req.pem -noout -pubkey >work/pub.pem 2>/dev/null ||
		! openssl pkey -pubin -in work/pub.pem -noout -text >work/key.txt 2>/dev/null; then
		die "$request_name: its key cannot be read"
	fi
	algorithm=$(sed -n 's/^key [0-9]* //p' work/fields)
	case $algorithm in
	rsaEncryption)
		bits=$(sed -n '1s/.*(\([0-9]*\) bit.*/\1/p' work/key.txt)
		[ "${bits:-0}" -ge 2048 ] ||
			die "$request_name: RSA key of ${bits:-0} bits: 2048 or more are needed"
		[ "$bits" -le 8192 ] || die "$request_name: RSA key of $bits bits: 8192 at most"
		grep -q '^Exponent: 65537 ' work/key.txt ||
			die "$request_name: RSA key whose exponent is not 65537"
		key_kind=rsa
		;;
	id-ecPublicKey)
		case $(sed -n 's/^curve [0-9]* //p' work/fields) in
		prime256v1 | secp384r1) ;;
		*) die "$request_name: EC key on another curve than P-256 or P-384, or on one not given by name" ;;
		esac
		openssl pkey -pubin -in work/pub.pem -noout -pubcheck >/dev/null 2>&1 ||
			die "$request_name: its key is no point of its curve"
		key_kind=ec
		;;
	*) die "$request_name: key of type $(printf '%s' "$algorithm" | printable): give RSA or EC" ;;
	esac
	for own in root-ca.crt iot-ca.crt; do
		openssl x509 -in "$own" -noout -pubkey | cmp -s - work/pub.pem &&
			die "$request_name: its key is that of $own"
	done
	return 0
}

# Sets $san_hex and work/sans from --san, else from the request; says what else the request wanted.
request_extensions()
{
	san_hex=
	: >work/sans
	sans=$(grep -c '^extension [0-9]* X509v3 Subject Alternative Name$' work/fields) || :
	if [ -n "$san_options" ]; then
		while IFS= read -r item; do
			san_add "${item%%:*}" "${item#*:}"
		done <<END
$san_options
END
	elif [ "$sans" -gt 1 ]; then
		die "$request_name: more than one extension with alternative names"
	elif [ "$sans" -eq 1 ]; then
		openssl asn1parse -inform DER -in work/req.der -noout -out work/san.der -strparse \
			"$(sed -n 's/^extension \([0-9]*\) X509v3 Subject Alternative Name$/\1/p' work/fields)" \
			>/dev/null 2>&1 || die "$request_name: its alternative names cannot be read"
		san_from_request
	fi
	sed -n 's/^extension [0-9]* //p' work/fields | printable | tr '?' '\n' >work/wishes
	while IFS= read -r wish; do
		case $wish in
		'X509v3 Subject Alternative Name')
			[ -z "$san_options" ] ||
				say "note: the CSR's alternative names are replaced by --san"
			;;
		*) say "note: the CSR asks for '$wish': ignored, profile '$profile' decides" ;;
		esac
	done <work/wishes
}
