#!/bin/sh
# The settings file says what it means: long lines, values with ';' in them, and each wrong value
# named with its file and line, by `run --check` as by `run`.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"

# xs N: as many letters x
xs()
{
	head -c "$1" /dev/zero | tr '\0' x
}

# settings [LINE...]: gw.conf, which is right; the lines come last, in [uplink] from line 11 on
settings()
{
	cat >gw.conf <<-CONF
		[token]
		key = ${key:-pkcs11:token=gw;object=device}
		pin-source = file:$work/pin
		[uplink]
		url = mqtts://localhost:8883
		ca-file = $work/ca.crt
		project = my-project
		region = us-central1
		registry = reg
		device = gw1
	CONF
	[ $# -eq 0 ] || printf '%s\n' "$@" >>gw.conf
}

# is_right WHAT [OPTION...]
is_right()
{
	what=$1
	shift
	check "$what" p11-gateway run --check -c gw.conf "$@"
}

# is_wrong PATTERN: --check and run end with status 2, and say the same in one line
is_wrong()
{
	refused 2 "$1" timeout 60 p11-gateway run --check -c gw.conf
	cp err err.check
	refused 2 "$1" timeout 60 p11-gateway run -c gw.conf
	check "run says the same" cmp err.check err
}

reads_long_lines()
{
	note "long lines"
	for n in 150 190 196 197 198 199 200 201 399 400 4000 60000; do
		settings "# $(xs $n)url = mqtts://old.example.com" "; $(xs $n)colour = red"
		is_right "a comment of $n letters and what looks like a setting"
	done
	settings "# $(xs 66000)"
	is_wrong 'gw.conf:11: the line is longer than 65536 bytes'
	key="pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=0123456789abcdef;token=gw"
	key="$key;id=%01%02%03%04%05%06%07%08%09%0a%0b%0c%0d%0e%0f;object=device;type=private"
	key="$key?module-path=$work/module.so&pin-source=file:$work/pin"
	settings
	is_right "a key's URI of ${#key} characters"
	key=
	# Were the end of the comment a setting, the URL would not be missing.
	settings
	{
		grep -v '^url' gw.conf
		echo "# $(xs 197)url = mqtts://old.example.com"
	} >other.conf
	mv other.conf gw.conf
	is_wrong 'gw.conf: uplink.url is missing'
}

reads_each_form()
{
	note "forms of a file"
	settings
	sed 's/$/\r/' gw.conf >other.conf
	{ printf '\357\273\277' && cat other.conf; } >gw.conf
	is_right "a byte order mark, and lines that end with CR LF"
	settings 'client-id = a{device} ; b'
	is_right "a ';' in a value"
	printf 'name = a\000b\n' >>gw.conf
	is_wrong 'gw.conf:12: byte 9 of the line is the control character 0x00'
	settings 'name'
	is_wrong 'gw.conf:11: the line is neither'
	settings
	sed 's/^\[uplink\]/& # the cloud/' gw.conf >other.conf
	mv other.conf gw.conf
	is_wrong 'gw.conf:4: a section is written as'
	: >gw.conf
	is_wrong 'gw.conf: token.key is missing'
	yes '' | head -c 1048577 >gw.conf
	is_wrong 'is larger than 1048576 bytes'
	rm gw.conf
	refused 1 "cannot open 'gw.conf'" p11-gateway run --check -c gw.conf
}

# The pattern begins with the line that the setting is in.
names_the_line()
{
	note "values"
	while read -r pattern line; do
		settings "$(echo "$line" | tr '~' '\n')"
		is_wrong "^p11-gateway: gw.conf:$(echo "$pattern" | tr '_' ' ')"
	done <<-'ROWS'
		11:_uplink.lifetime: lifetime = 1h ; an hour
		11:_uplink.device:_it_is_set_in_line_10_already device = gw2
		12:_uplink.url:_ url = mqtts://one~url = http://two
		11:_uplink.client-id:_{name} client-id = {name}
		11:_uplink.username:_{jwt}_has_no_value username = {jwt}
		11:_uplink.password:_{devise} password = {jwt}{devise}
		11:_uplink.claim:_'iat'_is_there_already claim = iat:=1
		12:_uplink.claim:_'a'_is_there_already claim = a=b~claim = a=c
		11:_uplink.claim:_the_value_of_'a'_is_not_JSON claim = a:=b
		11:_uplink.claim:_'a'_is_neither claim = a
		11:_uplink.header:_'alg'_follows_the_key header = alg=none
		11:_uplink.name: name = a/b
		12:_token.device-key: [token]~device-key = pkcs11:object={gateway}
		12:_token.device-key: [token]~device-key = pkcs11:colour={device}
		12:_token.module:_cannot_read_the_PKCS#11_module [token]~module = /nowhere/module.so
		12:_site.socket: [site]~socket = /run/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234
		13:_site.in:_'a#' [site]~in = a~in = a#
		12:_status.metrics-listen: [status]~metrics-listen = localhost:9
	ROWS
	key=device settings
	is_wrong 'gw.conf:2: token.key: '
	settings "claim = big=$(xs 20000)"
	is_wrong 'uplink.claim and uplink.header: the header and the claims are too long'
}

looks_at_files()
{
	note "files"
	settings
	mv pin pin.away
	is_wrong "gw.conf:3: token.pin-source: no PIN: cannot open '$work/pin'"
	: >pin
	is_wrong "gw.conf:3: token.pin-source: no PIN: the first line of '$work/pin' is empty"
	rm pin
	mkdir pin
	is_wrong "gw.conf:3: token.pin-source: no PIN: cannot read '$work/pin': Is a directory"
	rmdir pin
	mv pin.away pin
	mv ca.crt ca.away
	is_wrong "gw.conf:6: uplink.ca-file: cannot read the CA file '$work/ca.crt'"
	head -c 100 ca.away >ca.crt
	is_wrong "gw.conf:6: uplink.ca-file: the CA file '$work/ca.crt' has no CA"
	: >ca.crt
	is_wrong "gw.conf:6: uplink.ca-file: the CA file '$work/ca.crt' has no CA"
	rm ca.crt
	mkfifo ca.crt
	is_wrong "gw.conf:6: uplink.ca-file: the CA file '$work/ca.crt' is not a regular file"
	rm ca.crt
	mv ca.away ca.crt
	is_right "all files are back"
	refused 2 '^p11-gateway: --uplink.ca-file: cannot read' p11-gateway run --check -c gw.conf \
		--uplink.ca-file=/nowhere/ca.crt
	P11_GATEWAY_MODULE=/nowhere/module.so
	export P11_GATEWAY_MODULE
	refused 2 '^p11-gateway: environment variable P11_GATEWAY_MODULE: ' \
		p11-gateway run --check -c gw.conf
	unset P11_GATEWAY_MODULE
}

needs_no_key()
{
	note "a static password"
	settings 'profile = generic' 'password = secret'
	sed '1,3d' gw.conf >other.conf
	mv other.conf gw.conf
	is_right "needs no [token]"
	echo 'claim = a' >>gw.conf
	is_right "nor claims that are right"
}

main()
{
	begin
	unset P11_GATEWAY_MODULE P11_GATEWAY_PIN_SOURCE CREDENTIALS_DIRECTORY
	need openssl
	echo 1234 >pin
	: >module.so
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca -days 2 \
		-keyout ca.key -out ca.crt 2>/dev/null
	settings
	is_right "the settings of this test"
	reads_long_lines
	reads_each_form
	names_the_line
	looks_at_files
	needs_no_key
	end
}

main "$@"
