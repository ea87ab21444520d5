# shellcheck shell=sh
# What softhsm, tpm2 and swtpm share: a private directory that holds one token, its PINs and its
# environment. Read with "."; the script sets $program before.
#
# DIR/pin DIR/so-pin   the PINs, without a newline
# DIR/env              the environment, for "."; written last, so it says that the token is complete

# shellcheck disable=SC2034,SC2154

umask 077
unset CDPATH

die()
{
	printf '%s: %s\n' "$program" "$*" >&2
	exit 1
}

usage_error()
{
	printf '%s: %s (see %s --help)\n' "$program" "$*" "$program" >&2
	exit 2
}

say()
{
	printf '%s: %s\n' "$program" "$*" >&2
}

need()
{
	command -v "$1" >/dev/null 2>&1 || die "$1 is missing: install it (Debian: apt install $2)"
}

# One word as the shell reads it.
quote()
{
	case $1 in
	'' | *[!A-Za-z0-9_./:=,@%+-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
	*) printf '%s' "$1" ;;
	esac
}

show()
{
	line='$'
	for word in "$@"; do
		line="$line $(quote "$word")"
	done
	printf '%s\n' "$line" >&2
}

# Standard output is for the URI and the environment only.
cmd()
{
	show "$@"
	"$@" >&2
}

set_env()
{
	printf '$ export %s=%s\n' "$1" "$(quote "$2")" >&2
	export "$1=$2"
}

# A secret: shown as the file it comes from.
set_env_from()
{
	# shellcheck disable=SC2016
	printf '$ export %s="$(cat %s)"\n' "$1" "$(quote "$2")" >&2
	export "$1=$(cat -- "$2")"
}

# What RFC 7512 allows in an attribute besides letters and digits; "/" only in a query.
uri_encode()
{
	printf '%s' "$1" | od -An -v -tu1 | awk -v keep="$2" '
	{
		for (i = 1; i <= NF; i++) {
			c = sprintf("%c", $i + 0)
			if ($i < 128 && (c ~ /[A-Za-z0-9]/ || index(keep, c)))
				printf "%s", c
			else
				printf "%%%02X", $i
		}
	}'
}

# Class, byte order and machine: a module of another architecture cannot be loaded.
elf_kind()
{
	od -An -v -tx1 -N20 <"$1" 2>/dev/null | tr -d ' \n' | cut -c1-12,37-40
}

# find_module NAME PACKAGE: sets $module, unless --module did.
find_module()
{
	if [ -n "$module" ]; then
		[ -f "$module" ] || die "$module: no such module"
		module=$(realpath -- "$module")
		return
	fi
	kind=$(elf_kind /proc/self/exe)
	for file in /usr/lib/*/pkcs11/"$1" /usr/lib/*/softhsm/"$1" /usr/lib/softhsm/"$1" \
		/usr/lib64/pkcs11/"$1" /usr/lib/pkcs11/"$1" /usr/local/lib/*/pkcs11/"$1" \
		/usr/local/lib/pkcs11/"$1" /usr/local/lib/softhsm/"$1"; do
		if [ -f "$file" ] && [ "$(elf_kind "$file")" = "$kind" ]; then
			module=$file
			return
		fi
	done
	die "$1 is missing: install it (Debian: apt install $2) or name it with --module"
}

# common_option OPTION VALUE: 1 when the option is not one of those all three scripts take.
common_option()
{
	case $1 in
	--dir) dir=$2 ;;
	--label) label=$2 ;;
	--pin-file) pin_file=$2 ;;
	--so-pin-file) so_pin_file=$2 ;;
	--module) module=$2 ;;
	*) return 1 ;;
	esac
}

common_defaults()
{
	dir=./token label=gw pin_file='' so_pin_file='' module=''
}

check_label()
{
	case $label in
	'' | ' '* | *' ') usage_error "--label '$label': give 1 to 32 bytes, no space at either end" ;;
	*[[:cntrl:]]*) usage_error "--label: no control characters" ;;
	esac
	[ "$(printf '%s' "$label" | wc -c)" -le 32 ] ||
		usage_error "--label '$label': longer than 32 bytes"
}

# refuse_links PATH: no link on the way to PATH is another user's, who could have secrets written
# elsewhere.
refuse_links()
{
	at=$1
	while [ "$at" != / ]; do
		if [ -L "$at" ]; then
			case $(stat -c %u -- "$at") in
			0 | "$(id -u)") ;;
			*) die "$at is a link of another user: give another --dir" ;;
			esac
		fi
		at=$(dirname -- "$at")
	done
}

# Makes DIR, or takes one that nobody else can look into; $dir becomes absolute.
prepare_dir()
{
	case $dir in
	'') usage_error "--dir: empty" ;;
	*[[:cntrl:]]*) usage_error "--dir: no control characters" ;;
	/*) ;;
	*) dir=$PWD/$dir ;;
	esac
	refuse_links "$dir"
	[ -d "$dir" ] || cmd mkdir -p "$dir" || die "cannot make the directory $dir"
	dir=$(cd "$dir" && pwd -P) || die "$dir: cannot enter it"
	[ -O "$dir" ] || die "$dir belongs to somebody else: give another --dir"
	case $(ls -ld "$dir") in
	drwx------*) ;;
	*)
		[ -z "$(ls -A "$dir")" ] ||
			die "$dir is open to others: chmod 700 it, or give another --dir"
		cmd chmod 700 "$dir"
		;;
	esac
}

# write_file NAME: standard input becomes DIR/NAME, whole or not at all.
write_file()
{
	cat >"$dir/.$1.$$"
	mv -f "$dir/.$1.$$" "$dir/$1"
}

# secret NAME FILE MIN MAX: DIR/NAME is FILE's first line, or random; what is there stays.
secret()
{
	if [ -n "$2" ]; then
		[ -r "$2" ] || die "$2: cannot read it"
		value=$(cat -- "$2")
		case $value in
		*[[:cntrl:]]*) die "$2: must be one line without control characters" ;;
		esac
		if [ "${#value}" -lt "$3" ] || [ "${#value}" -gt "$4" ]; then
			die "$2: must have $3 to $4 characters"
		fi
		if [ -e "$dir/$1" ]; then
			[ "$value" = "$(cat "$dir/$1")" ] ||
				die "$dir/$1 is there and is not the same as $2: give another --dir"
			return
		fi
		printf '%s' "$value" | write_file "$1"
	elif ! [ -e "$dir/$1" ]; then
		printf "$ od -An -N16 -tx1 /dev/urandom | tr -d ' \\\\n' >%s\n" "$(quote "$dir/$1")" >&2
		od -An -N16 -tx1 /dev/urandom | tr -d ' \n' | write_file "$1"
	fi
	[ -s "$dir/$1" ] || die "$dir/$1 is empty: remove it and run again"
}

# One DIR, one token: the PIN files belong to it.
check_owner()
{
	if [ -e "$dir/env" ]; then
		have=$(sed -n '1s/^# token //p' "$dir/env")
		[ "$have" = "$1 $label" ] || die "$dir holds the token '$have': give another --dir"
	fi
}

# The slots as "ID STATE LABEL": STATE is blank, new (no user PIN yet) or ready.
slots()
{
	pkcs11-tool --module "$module" --list-slots 2>/dev/null | awk '
	function flush() { if (id != "" && state != "") print id, state, label }
	/^Slot [0-9]+ \(0x[0-9a-fA-F]+\)/ {
		flush(); id = $3; gsub(/[():]/, "", id); state = label = ""
	}
	/^  token state: +uninitialized/ { state = "blank" }
	/^  token label +: / { sub(/^  token label +: /, ""); label = $0; state = "new" }
	/^  token flags +:/ && /[ ,]PIN initialized/ { state = "ready" }
	END { flush() }'
}

list_slots()
{
	show pkcs11-tool --module "$module" --list-slots
	found=$(slots) || found=
	[ -n "$found" ] || die "$module: no slot to be seen; $1"
}

# state_of LABEL in $found: "new" or "ready", nothing when there is no such token.
state_of()
{
	printf '%s\n' "$found" | LABEL=$1 awk '{
		state = $2; sub(/^[^ ]+ [^ ]+ /, ""); if (state != "blank" && $0 == ENVIRON["LABEL"]) print state
	}'
}

blank_slot()
{
	printf '%s\n' "$found" | awk '$2 == "blank" { print $1; exit }'
}

# Makes the token of $label ready; picks up where an interrupted run stopped.
make_token()
{
	set_env_from P11_SETUP_PIN "$dir/pin"
	set_env_from P11_SETUP_SO_PIN "$dir/so-pin"
	if [ -z "$(state_of "$label")" ]; then
		slot=$(blank_slot)
		[ -n "$slot" ] || die "$module: no uninitialised slot"
		cmd pkcs11-tool --module "$module" --slot "$slot" --init-token --label "$label" \
			--so-pin env:P11_SETUP_SO_PIN || die "the token was not initialised"
	fi
	if [ "$(state_of "$label")" != ready ]; then
		cmd pkcs11-tool --module "$module" --token-label "$label" --login --login-type so \
			--so-pin env:P11_SETUP_SO_PIN --init-pin --pin env:P11_SETUP_PIN ||
			die "the user PIN was not set"
	fi
	cmd pkcs11-tool --module "$module" --token-label "$label" --login --pin env:P11_SETUP_PIN \
		--list-objects || die "the token '$label' does not accept the PIN of $dir/pin"
	unset P11_SETUP_PIN P11_SETUP_SO_PIN
}

token_uri()
{
	printf 'pkcs11:token=%s' "$(uri_encode "$label" "-._~:[]@!\$'()*+,=&")"
}

# environment KIND [NAME VALUE]...: writes DIR/env, prints the URI and the same lines.
environment()
{
	kind=$1
	shift
	set -- P11_GATEWAY_MODULE "$module" P11_GATEWAY_PIN_SOURCE "file:$dir/pin" "$@"
	text="# token $kind $label"
	while [ $# -gt 0 ]; do
		text="$text
export $1=$(quote "$2")"
		shift 2
	done
	if ! [ -e "$dir/env" ] || [ "$text" != "$(cat "$dir/env")" ]; then
		printf '%s\n' "$text" | write_file env
	fi
	printf '%s?module-path=%s&pin-source=file:%s\n' "$(token_uri)" \
		"$(uri_encode "$module" "-._~/")" "$(uri_encode "$dir/pin" "-._~/")"
	printf '%s\n' "$text" | sed 1d
}
