# shellcheck shell=sh disable=SC2154
# Subject alternative names: checked for their type's syntax, then encoded here, byte by byte, so
# that nothing of OpenSSL's configuration language is ever read into one.

to_hex()
{
	printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'
}

# der TAG HEX
der()
{
	length=$((${#2} / 2))
	if [ "$length" -lt 128 ]; then
		printf '%s%02x%s' "$1" "$length" "$2"
	elif [ "$length" -lt 256 ]; then
		printf '%s81%02x%s' "$1" "$length" "$2"
	else
		printf '%s82%04x%s' "$1" "$length" "$2"
	fi
}

san_dns_ok()
{
	printf '%s\n' "$1" | awk -v wildcard="$(profile_get "$profile" wildcard)" '
	{
		n = split($0, part, ".")
		if (length($0) < 1 || length($0) > 253) exit 1
		first = 1
		if (part[1] == "*") {
			if (wildcard != "yes" || n < 3) exit 1
			first = 2
		}
		for (i = first; i <= n; i++)
			if (length(part[i]) > 63 || part[i] !~ /^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$/) exit 1
		if (part[n] ~ /^[0-9]+$/) exit 1
	}'
}

# san_encode TYPE VALUE: sets $encoded, in hexadecimal, or says what is wrong with the name.
san_encode()
{
	case $2 in
	'' | *[!!-~]*) die "alternative name $1: empty, or characters other than visible ASCII" ;;
	esac
	[ "${#2}" -le 2048 ] || die "alternative name $1: longer than 2048 characters"
	case $1 in
	dns)
		san_dns_ok "$2" ||
			die "alternative name dns:$2: no host name that profile '$profile' allows"
		encoded=$(der 82 "$(to_hex "$2")")
		;;
	uri)
		printf '%s\n' "$2" | grep -Eq "^[A-Za-z][-A-Za-z0-9+.]*:([-A-Za-z0-9._~:/?#@!\$&'()*+,;=]|\[|\]|%[0-9A-Fa-f]{2})+\$" ||
			die "alternative name uri:$2: no URI (RFC 3986)"
		encoded=$(der 86 "$(to_hex "$2")")
		;;
	email)
		printf '%s\n' "$2" | grep -Eq "^[-A-Za-z0-9._+=~!#\$%&'*/?^{}|]{1,64}@[^@]+\$" ||
			die "alternative name email:$2: no mail address"
		case ${2#*@} in
		\**) die "alternative name email:$2: no mail address" ;;
		esac
		san_dns_ok "${2#*@}" || die "alternative name email:$2: no mail address"
		encoded=$(der 81 "$(to_hex "$2")")
		;;
	ip)
		hex=$(ip_hex "$2") || die "alternative name ip:$2: no IP address"
		encoded=$(der 87 "$hex")
		;;
	*) die "alternative name $1:...: give dns:NAME, ip:ADDRESS, uri:URI or email:ADDRESS" ;;
	esac
}

# san_add TYPE VALUE: adds a name to $san_hex and to work/sans.
san_add()
{
	san_encode "$1" "$2"
	[ "${#san_hex}" -le 32768 ] || die "too many alternative names"
	san_hex=$san_hex$encoded
	printf '%s %s:%s\n' "$encoded" "$1" "$2" >>work/sans
}

ip_hex()
{
	printf '%s\n' "$1" | awk '
	function four(s, part, i, out) {
		if (split(s, part, ".") != 4) return ""
		for (i = 1; i <= 4; i++) {
			if (part[i] !~ /^(0|[1-9][0-9]?[0-9]?)$/ || part[i] > 255) return ""
			out = out sprintf("%02x", part[i])
		}
		return out
	}
	function groups(s, part, n, i, out) {
		if (s == "") return ""
		n = split(s, part, ":")
		for (i = 1; i <= n; i++) {
			if (part[i] !~ /^[0-9A-Fa-f][0-9A-Fa-f]?[0-9A-Fa-f]?[0-9A-Fa-f]?$/) bad = 1
			out = out substr("0000" tolower(part[i]), length(part[i]) + 1)
		}
		return out
	}
	{
		if ($0 !~ /:/) {
			out = four($0)
		} else if (at = index($0, "::")) {
			head = groups(substr($0, 1, at - 1)); tail = groups(substr($0, at + 2))
			if (length(head tail) > 28) bad = 1
			out = head
			while (length(out tail) < 32) out = out "0000"
			out = out tail
		} else {
			out = groups($0)
			if (length(out) != 32) bad = 1
		}
		if (bad || out == "") exit 1
		print out
	}'
}

# ip_text HEX: an address as san_encode reads it.
ip_text()
{
	case ${#1} in
	8) printf '%s' "$1" | sed 's/../0x& /g' | xargs printf '%d.%d.%d.%d' ;;
	32) printf '%s' "$1" | sed 's/..../0x& /g' | xargs printf '%x:%x:%x:%x:%x:%x:%x:%x' ;;
	*) return 1 ;;
	esac
}

# The names a request asks for, from its extension's bytes in work/san.der.
san_from_request()
{
	allowed=" $(profile_get "$profile" san-from-csr) "
	openssl asn1parse -inform DER -in work/san.der >work/san.txt 2>/dev/null ||
		die "$request_name: its alternative names cannot be read"
	awk '
	{ line = $0; split(line, a, ":d="); depth = a[2] + 0; hl = line; sub(/.*hl= */, "", hl)
	  len = line; sub(/.* l= */, "", len); tag = line; sub(/.*cont \[ */, "", tag) }
	NR > 1 && depth == 1 { print a[1] + hl, len + 0, (line ~ /prim: cont/) ? tag + 0 : "other" }
	' work/san.txt >work/san.list
	[ -s work/san.list ] || die "$request_name: its alternative names are empty"
	while read -r offset length tag; do
		case $tag in
		1) type=email ;;
		2) type=dns ;;
		6) type=uri ;;
		7) type=ip ;;
		*) type=other ;;
		esac
		case $allowed in
		*" $type "*) ;;
		*) die "$request_name: an alternative name of type $type, which profile '$profile' does not take" \
			"from a CSR: leave it out, or replace them all with --san" ;;
		esac
		tail -c "+$((offset + 1))" work/san.der | head -c "$length" >work/name
		if [ "$type" = ip ]; then
			address=$(ip_text "$(od -An -v -tx1 work/name | tr -d ' \n')") ||
				die "$request_name: alternative name ip: wrong length"
			san_add ip "$address"
			continue
		fi
		# Looked at as bytes: a shell variable would lose some.
		[ "$(tr -d '!-~' <work/name | wc -c)" -eq 0 ] ||
			die "$request_name: alternative name $type: characters other than visible ASCII"
		san_add "$type" "$(cat work/name)"
	done <work/san.list
}
