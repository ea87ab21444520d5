# shellcheck shell=sh disable=SC2034,SC2154
# What the parts of ca share: errors, profiles, keys, time.

umask 077
LC_ALL=C
export LC_ALL
unset CDPATH

die()
{
	printf 'ca: %s\n' "$*" >&2
	exit 1
}

usage_error()
{
	printf 'ca: %s (see ca --help)\n' "$*" >&2
	exit 2
}

say()
{
	printf 'ca: %s\n' "$*" >&2
}

need()
{
	command -v "$1" >/dev/null 2>&1 || die "$1 is missing: install it (Debian: apt install $2)"
}

quote()
{
	case $1 in
	'' | *[!A-Za-z0-9_./:=,@%+-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
	*) printf '%s' "$1" ;;
	esac
}

# Shows a command, runs it, and lets its chatter be seen only when it fails.
cmd()
{
	line='$'
	for word in "$@"; do
		line="$line $(quote "$word")"
	done
	printf '%s\n' "$line" >&2
	chatter=$("$@" 2>&1) || {
		printf '%s\n' "$chatter" >&2
		return 1
	}
}

# Bytes from outside as text that cannot drive a terminal.
printable()
{
	tr -c ' -~' '?'
}

# A path that no program takes for an option.
absolute()
{
	case $1 in
	/*) printf '%s' "$1" ;;
	*) printf '%s/%s' "$start_dir" "$1" ;;
	esac
}

# profile_get PROFILE ROW
profile_get()
{
	awk -v row="$2" '$1 == row && $2 == "=" { sub(/^[^=]*= */, ""); print; exit }' \
		"$here/profiles/$1"
}

# profile_extensions PROFILE rsa|ec: in the form of an extension section.
profile_extensions()
{
	usage=$(profile_get "$1" "key-usage-$2")
	printf 'basicConstraints = %s\n' "$(profile_get "$1" basic-constraints)"
	printf 'keyUsage = %s\n' "${usage:-$(profile_get "$1" key-usage)}"
	extended=$(profile_get "$1" extended-key-usage)
	[ -z "$extended" ] || printf 'extendedKeyUsage = %s\n' "$extended"
	printf 'subjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid:always\n'
}

check_days()
{
	case $1 in
	'' | *[!0-9]* | 0* | ??????*) usage_error "--days $1: must be a number from 1 to 99999" ;;
	esac
}

check_key_type()
{
	case $1 in
	ec:p256 | ec:p384 | rsa:2048 | rsa:3072 | rsa:4096) ;;
	*) usage_error "--key-type $1: must be ec:p256, ec:p384, rsa:2048, rsa:3072 or rsa:4096" ;;
	esac
}

# make_key TYPE FILE SCRATCH: whole or not at all; the caller has seen that FILE is not there.
# SCRATCH is a directory that nobody else may write to.
make_key()
{
	scratch=$3
	case $1 in
	ec:*) set -- "$2" EC "ec_paramgen_curve:P-${1#ec:p}" -pkeyopt ec_param_enc:named_curve ;;
	rsa:*) set -- "$2" RSA "rsa_keygen_bits:${1#rsa:}" ;;
	esac
	file=$1 algorithm=$2
	shift 2
	cmd openssl genpkey -algorithm "$algorithm" -pkeyopt "$@" -out "$scratch/key"
	publish "$scratch/key" "$file" 077
}

# new_copy FILE COPY UMASK: makes the file COPY, which must not exist. The directory may be another
# user's: with noclobber the shell opens a new file, or none.
new_copy()
{
	(umask "$3" && set -C && cat -- "$1" >"$2") || die "$2: cannot write there"
}

# publish FILE NAME UMASK: the file NAME becomes a copy, whole or not at all, unless it exists.
publish()
{
	half_done=$2.new.$$
	new_copy "$1" "$half_done" "$3"
	ln -- "$half_done" "$2" || {
		rm -f -- "$half_done"
		die "$2 is there already: move it away, or give another name"
	}
	rm -f -- "$half_done"
	half_done=
}

# 124 bits, positive.
random_serial()
{
	printf '0x4'
	od -An -v -N15 -tx1 /dev/urandom | tr -d ' \n'
}

# Start or end of a certificate, in seconds since 1970.
cert_time()
{
	date -u -d "$(openssl x509 -in "$1" -noout "$2" | sed 's/^[^=]*=//')" +%s
}

asn1_time()
{
	date -u -d "@$1" +%Y%m%d%H%M%SZ
}

check_in_force()
{
	now=$(date -u +%s)
	[ "$now" -ge "$(cert_time "$1" -startdate)" ] ||
		die "$1 is not valid yet: is this machine's clock right?"
	[ "$now" -lt "$(cert_time "$1" -enddate)" ] || die "$1 has expired: make a new CA"
}

check_name()
{
	printf '%s' "$1" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1 ||
		usage_error "--name: must be UTF-8"
	case $1 in
	'' | *[[:cntrl:]]*) usage_error "--name: must be text without control characters" ;;
	esac
	[ "$(printf '%s' "$1" | LC_ALL=C.UTF-8 wc -m)" -le "$2" ] ||
		usage_error "--name '$1': longer than $2 characters"
}

# A common name in the form of "openssl req -subj".
subject_of()
{
	printf '/CN=%s' "$(printf '%s' "$1" | sed 's/[\\\/+]/\\&/g')"
}
