#!/bin/sh
# `p11-gateway spool`: what people see of a site's spool, whole and damaged.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

plugin=$build/src/plugin/.libs/p11_site.so

publishes()
{
	mosquitto_pub -V mqttv5 -h 127.0.0.1 -p "$port" -i thermo -u thermo -P secret -q 1 "$@"
}

show()
{
	p11-gateway spool show --json >show.json && jq -e "$1" show.json
}

# exported EXPRESSION: whether jq finds so of all lines that `spool export` prints
exported()
{
	p11-gateway spool export >export.json && jq -es "$1" export.json
}

is_empty()
{
	check "an empty spool is shown" show '.messages == 0 and .oldest == null and .readers == []'
	check "nothing is listed" same "$(p11-gateway spool list)" ""
	check "nothing is exported" same "$(p11-gateway spool export)" ""
}

is_filled()
{
	head -c 200000 /dev/urandom >large
	publishes -t /devices/thermo/events/room -m '21.5'
	publishes -t /devices/thermo/events -f large
	publishes -t /devices/thermo/events -n
	publishes -t "sensors/$(printf '\303\244')" -m last
}

is_seen()
{
	check "its messages are counted" show '.messages == 4 and .bytes > 200000 and .next_seq == 5'
	p11-gateway spool show >show.out
	check "for people too" says '^4 messages, [0-9]+ bytes, since 20[0-9-]+T[0-9:]+Z$' show.out
	p11-gateway spool list >list.out
	check "each is listed" same "$(wc -l <list.out)" 4
	check "with who, where and how large" \
		says '^1  20.*Z  thermo  /devices/thermo/events/room  qos 1  4 bytes$' list.out
	check "each is exported" exported 'map(.seq) == [1, 2, 3, 4] and all(.device == "thermo")'
	check "whole" same "$(sed -n 2p export.json | jq -r .payload | base64 -d | sha256sum)" \
		"$(sha256sum <large)"
	check "an empty payload is empty" exported '.[2].payload == ""'
}

# What an uplink that was taken out of service leaves behind.
has_readers()
{
	: >spool/cursors/up
	check "a reader is shown with what waits for it" \
		show '.readers == [{"name": "up", "seq": 0, "waiting": .messages,
			"lost": 0}]'
	check "all waits for it" same "$(p11-gateway spool export --reader up | wc -l)" \
		"$(p11-gateway spool export | wc -l)"
	refused 1 "no reader 'down'" p11-gateway spool export --reader down
	refused 1 'another process reads' flock spool/cursors/up p11-gateway spool forget up
	check "it is forgotten" p11-gateway spool forget up
	check "and not shown" show '.readers == []'
	refused 1 up p11-gateway spool forget up
	refused 2 . p11-gateway spool forget ../large
}

# is_partly_read WHAT: what is damaged is said, what is not is there
is_partly_read()
{
	got=0
	p11-gateway spool export >export.json 2>export.err || got=$?
	check "$1: it is said" same "$got" 1
	check "$1: where" says 'no messages|not in the spool' export.err
	check "$1: the rest is there" jq -es "$2" export.json
	check "$1: and nothing was changed" not test -e spool/damaged
}

is_damaged()
{
	segment=$(find spool -name '*.log' -size +1k)
	cp "$segment" whole
	printf XXXX | dd of="$segment" bs=1 seek=300 conv=notrunc 2>dd.err
	is_partly_read "a damaged message" 'map(.seq) | contains([1, 3, 4])'
	cp whole "$segment"
	printf XX | dd of="$segment" bs=1 seek=20 conv=notrunc 2>dd.err
	p11-gateway spool list >list.out 2>list.err || true
	check "the first one damaged: the others are listed" says '^4 ' list.out
	head -c 1000 whole >"$segment"
	check "cut short: what is whole is there" exported 'map(.seq) == [1]'
	printf 'garbage' >"$segment"
	check "garbage: nothing is there" same "$(p11-gateway spool list 2>/dev/null)" ""
	: >"$segment"
	check "emptied: nothing is there" same "$(p11-gateway spool list)" ""
	cp whole "$segment"
}

is_no_spool()
{
	refused 1 'no/such' p11-gateway spool show --spool no/such
	mkdir empty
	refused 1 'spool' p11-gateway spool show --spool empty
	refused 1 'spool' p11-gateway spool list --spool empty
	refused 1 'spool' p11-gateway spool export --spool empty
	got=0
	p11-gateway spool export >/dev/full 2>full.err || got=$?
	check "a full disk is said" same "$got" 1
	check "in words" says 'standard output' full.err
}

main()
{
	need mosquitto mosquitto_passwd mosquitto_pub jq flock
	begin_broker_test
	mosquitto_passwd -b -c "$work/passwd" thermo secret
	printf 'pattern readwrite #\n' >"$work/acl"
	P11_GATEWAY_SPOOL=$work/spool
	export P11_GATEWAY_SPOOL
	start_plain_broker "plugin_opt_spool $work/spool" "plugin_opt_socket $work/site.sock" \
		'plugin_opt_topic sensors/#'
	is_empty
	is_filled
	is_seen
	has_readers
	end_broker
	is_damaged
	is_no_spool
	end
}

main "$@"
