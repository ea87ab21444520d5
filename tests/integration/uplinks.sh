#!/bin/sh
# Uplinks of other kinds than the registry's broker, and two of them on one spool: each has every
# message in its order and its own place in the spool. Rules lead topics from one side to the other.
# What a broker of each profile is offered is read from a TLS connection that openssl answers.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "$top/tests/integration/site-lib.sh"

gateways=
clouds=
server_pid=

# try_cloud NAME
try_cloud()
{
	[ ! -e "$1.port" ] || cloud_port=$(cat "$1.port")
	[ -e "$1.port" ] || cloud_port=$("$helpers/free-port")
	{
		[ "$(id -u)" -ne 0 ] || echo "user root"
		printf 'listener %s 127.0.0.1\nallow_anonymous true\nlog_dest file %s\nlog_type all\n' \
			"$cloud_port" "$work/$1.log"
		echo "max_queued_messages 0"
	} >"$1.conf"
	: >"$1.log"
	mosquitto -c "$1.conf" >"$1.out" 2>&1 &
	cloud_pid=$!
	wait_for 20 cloud_settled "$1"
	alive "$cloud_pid"
}

cloud_settled()
{
	! alive "$cloud_pid" || grep -q 'mosquitto version .* running' "$1.log"
}

# start_cloud NAME: a broker, on the port it had before when there was one
start_cloud()
{
	attempts=0
	until try_cloud "$1"; do
		attempts=$((attempts + 1))
		[ "$attempts" -lt 20 ] || die "the broker $1 does not start: $(cat "$1.out")"
	done
	echo "$cloud_port" >"$1.port"
	echo "$cloud_pid" >"$1.pid"
	clouds="$clouds $cloud_pid"
}

# stop_cloud NAME: and who listened there
stop_cloud()
{
	kill "$(cat "$1.pid")" "$(cat "$1.taker")"
	wait "$(cat "$1.pid")" "$(cat "$1.taker")" 2>/dev/null || true
}

# takes NAME: what comes to the broker NAME, in the background, to NAME.took
takes()
{
	mosquitto_sub -h 127.0.0.1 -p "$(cat "$1.port")" -i backend -q 1 -t '#' >>"$1.took" 2>/dev/null &
	echo $! >"$1.taker"
	clouds="$clouds $!"
	wait_for 20 grep -q 'Sending SUBACK to backend' "$1.log" || die "nobody can listen at $1"
}

# write_uplink NAME [LINE...]: the settings of a gateway to the broker NAME; the lines come last
write_uplink()
{
	uplink=$1
	shift
	write_gateway_settings 'profile = generic' "$@"
	mv gw.conf "$uplink.gw.conf"
}

# start_uplink NAME: a gateway to the broker NAME
start_uplink()
{
	p11-gateway run -c "$1.gw.conf" --uplink.name="$1" \
		--uplink.url="mqtt://127.0.0.1:$(cat "$1.port")" --status.socket="$work/$1.status" \
		>>"$1.gateway.log" 2>&1 &
	echo $! >"$1.gateway"
	gateways="$gateways $!"
	wait_for 30 uplink_is "$1" '.uplink.state == "up"' ||
		{ cat "$1.gateway.log"; die "the gateway does not reach $1"; }
}

# uplink_is NAME EXPRESSION
uplink_is()
{
	p11-gateway status --socket "$work/$1.status" --json >"$1.json" && jq -e "$2" "$1.json"
}

# stop_uplink NAME SIGNAL
stop_uplink()
{
	kill "-$2" "$(cat "$1.gateway")"
	wait "$(cat "$1.gateway")" 2>/dev/null || true
}

# numbered FROM TO: messages of a device, each with its number
numbered()
{
	seq "$1" "$2" | sends lamp -t /devices/lamp/events -l
}

# complete NAME FROM TO: whether the broker NAME has them, in their order but for repetitions
complete()
{
	awk -v from="$2" -v to="$3" '$1 >= from && $1 <= to && !seen[$1]++' "$1.took" >took
	seq "$2" "$3" | cmp -s - took
}

# reader NAME EXPRESSION: whether jq finds so of what the spool knows of a reader
reader()
{
	p11-gateway spool show --spool "$work/spool" --json |
		jq -e --arg name "$1" ".readers[] | select(.name == \$name) | $2"
}

two_uplinks()
{
	note "two uplinks on one spool, each with its own key"
	p11-gateway keygen --key 'pkcs11:token=gw;object=other' --type ec:p256 >>uri
	p11-gateway pubkey --key 'pkcs11:token=gw;object=other' -o far.pub
	p11-gateway pubkey --key "$key" -o near.pub
	write_uplink near
	write_uplink far 'device = gw2' '[token]' 'key = pkcs11:token=gw;object=other'
	for cloud in near far; do
		start_cloud $cloud
		takes $cloud
		start_uplink $cloud
	done
	check "messages are taken" numbered 1 200
	for cloud in near far; do
		check "$cloud has them all" wait_for 20 complete $cloud 1 200
	done
	check "each is who its settings say" says ' as gw1 ' near.log
	check "the other is, too" says ' as gw2 ' far.log
	check "each has a place of its own" wait_for 20 reader near '.waiting == 0'
	stop_cloud far
	check "one is gone, and messages are taken" numbered 201 400
	check "the other has them" wait_for 20 complete near 201 400
	check "they wait for the one" wait_for 20 reader far '.waiting == 200'
	check "and not for the other" wait_for 20 reader near '.waiting == 0'
	stop_uplink far KILL
	start_cloud far
	takes far
	start_uplink far
	check "it comes back, and has them too" wait_for 20 complete far 201 400
	check "nothing waits" wait_for 20 reader far '.waiting == 0'
	stop_uplink near TERM
	stop_uplink far TERM
	gateways=
}

# at_cloud NAME OPTION...: publishes at the broker NAME, with QoS 1 unless told
at_cloud()
{
	cloud=$1
	shift
	mosquitto_pub -h 127.0.0.1 -p "$(cat "$cloud.port")" -i operator -q 1 "$@"
}

# listens NAME FILTER: at the site, in the background, into NAME.heard, a line each:
# TOPIC QOS RETAINED TEXT
listens()
{
	before=$(grants "$1")
	(in_place='exec' && at_site mosquitto_sub "$1" -q 2 -t "$2" -F '%t %q %r %p') >"$1.heard" 2>&1 &
	pids="$pids $!"
	wait_for 20 more_grants "$1" || die "$1 cannot subscribe"
}

# grants NAME: how often the site's broker has let it subscribe
grants()
{
	grep -c "Sending SUBACK to $1\$" site.log || true
}

more_grants()
{
	[ "$(grants "$1")" -gt "$before" ]
}

# heard NAME LINE
heard()
{
	grep -Fxq -- "$2" "$1.heard" || { cat "$1.heard"; return 1; }
}

# What is retained at the cloud is retained at the site, and nothing else.
brings_in()
{
	note "rules for what comes from the cloud"
	write_uplink near '[site]' 'in = setpoints/slow 0 hall/ acme/' 'in = setpoints/# 1 plant/ acme/'
	at_cloud near -r -t acme/setpoints/heat -m 19
	at_cloud near -r -t acme/modes/heat -m eco
	start_uplink near
	check "it is asked for with the rule's QoS" says 'acme/setpoints/slow \(QoS 0\)' near.log
	check "what was retained comes" wait_for 20 uplink_is near '.site.delivered >= 1'
	listens panel '#'
	check "and is retained at the site" wait_for 20 heard panel 'plant/setpoints/heat 1 1 19'
	at_cloud near -q 2 -t acme/setpoints/light -m 50
	check "what is new comes, with the rule's QoS" wait_for 20 heard panel \
		'plant/setpoints/light 1 0 50'
	at_cloud near -q 0 -t acme/setpoints/zone/1 -m 51
	check "of less QoS too" wait_for 20 heard panel 'plant/setpoints/zone/1 0 0 51'
	at_cloud near -t acme/setpoints/slow -m 52
	check "what two rules fit comes by the first" wait_for 20 heard panel \
		'hall/setpoints/slow 0 0 52'
	at_cloud near -t acme/modes/light -m none
	at_cloud near -t setpoints/light -m none
	at_cloud near -t acme/setpoints/last -m 53
	check "behind what no rule fits" wait_for 20 heard panel 'plant/setpoints/last 1 0 53'
	check "which does not come" not says 'none|eco|acme' panel.heard
	check "nor does anything by another rule" not says '^plant/setpoints/slow|^hall/.* 1 0' \
		panel.heard
	at_cloud near -r -t acme/setpoints/heat -m 20
	check "what is newly retained comes" wait_for 20 heard panel 'plant/setpoints/heat 1 0 20'
	listens late 'plant/#'
	at_cloud near -t acme/setpoints/last -m 54
	check "who listens later hears it" wait_for 20 heard late 'plant/setpoints/last 1 0 54'
	check "and before it what is retained alone" same "$(cat late.heard)" \
		"$(printf 'plant/setpoints/%s\n' 'heat 1 1 20' 'last 1 0 54')"
}

# A rule that changed takes a new connection, for the subscription.
brings_in_anew()
{
	write_uplink near '[site]' 'in = modes/# 1 hall/ acme/'
	kill -HUP "$(cat near.gateway)"
	check "a rule that changed takes a new connection" wait_for 20 uplink_is near \
		'.uplink.connects == 2 and .uplink.state == "up"'
	check "what it fits comes" wait_for 20 heard panel 'hall/modes/heat 1 0 eco'
	at_cloud near -t acme/setpoints/light -m former
	at_cloud near -t acme/modes/light -m bright
	check "so does what is new" wait_for 20 heard panel 'hall/modes/light 1 0 bright'
	check "what the former one fitted does not" not says former panel.heard
	stop_uplink near TERM
	gateways=
	stop_others
}

# came NAME QOS TOPIC: whether the broker NAME was sent such a message by a gateway
came()
{
	says "Received PUBLISH from .* \(d0, q$2, r0, m[0-9]+, '$3'," "$1.log"
}

# What is sent with QoS 1 has the rule's QoS in the cloud; what is sent with less keeps it.
leads_out()
{
	note "rules for what goes to the cloud"
	: >near.gateway.log
	write_uplink near '[site]' 'out = +/temperature 0 building/ acme/' \
		'out = # 1 building/ acme/rest/'
	start_uplink near
	check "messages are taken" sends lamp -t building/hall/temperature -m 21.5
	check "another is" sends lamp -t building/hall/light -m dim
	check "and one of QoS 0" sends lamp -q 0 -t building/yard/light -m dark
	check "the first rule that fits counts, with its QoS" wait_for 20 came near 0 \
		acme/hall/temperature
	check "the next one takes the rest" wait_for 20 came near 1 acme/rest/hall/light
	check "no QoS grows" wait_for 20 came near 0 acme/rest/yard/light
	for text in 21.5 dim dark; do
		check "it is whole" wait_for 20 says "^$text\$" near.took
	done
	check "nothing waits" wait_for 20 reader near '.waiting == 0'
	check "and nothing has two places" not says acme/rest/hall/temperature near.log
}

leads_out_anew()
{
	write_uplink near '[site]' 'out = # 1 building/ acme/anew/' \
		'out = +/temperature 0 building/ acme/'
	kill -HUP "$(cat near.gateway)"
	check "rules that changed take no new connection" wait_for 20 says \
		'read again: the connection stays' near.gateway.log
	check "a message is taken" sends lamp -t building/yard/temperature -m 3
	check "it goes where they lead" wait_for 20 came near 1 acme/anew/yard/temperature
	check "over the connection that was there" uplink_is near '.uplink.connects == 1'
	stop_uplink near TERM
	gateways=
}

# large COUNT: messages of 200 kB of a device; fails when one is not taken
large()
{
	[ -e blob ] || head -c 200000 /dev/urandom | base64 -w 0 | head -c 200000 >blob
	i=0
	while [ $i -lt "$1" ]; do
		sends pump -V mqttv5 -t /devices/pump/events -f blob >large.out 2>&1 || return 1
		! grep -q 'Publish .* failed' large.out || return 1
		i=$((i + 1))
	done
}

# in_time COUNT: as many, each tried until there is room for it
in_time()
{
	taken=0
	while [ $taken -lt "$1" ]; do
		wait_for 20 large 1 || return 1
		taken=$((taken + 1))
	done
}

# bounded BYTES: whether the spool has no more
bounded()
{
	p11-gateway spool show --spool "$work/spool" --json | jq -e ".bytes <= $1"
}

# Who is slow holds up the site, unless another one is named that messages are kept for.
held_by_one()
{
	note "a spool that is full for one of them"
	stop_site
	site_options='plugin_opt_max_size 4M'
	start_site
	start_uplink near
	check "messages that one does not fetch fill it" not large 40
	check "and no more" bounded 4194304
	stop_site
	site_options=$(printf 'plugin_opt_max_size 4M\nplugin_opt_hold near')
	start_site
	check "they do not, when they are kept for the other" in_time 40
	check "which has the last" wait_for 20 reader near '.waiting == 0'
	check "the bound holds" bounded 4194304
	start_uplink far
	check "the slow one is told what it missed" wait_for 20 \
		says 'messages [0-9]+ to [0-9]+ are not in the spool any more' far.gateway.log
	check "and goes on" wait_for 20 reader far '.waiting == 0'
	stop_uplink near TERM
	stop_uplink far TERM
	gateways=
	stop_site
	site_options=
	start_site
}

# start_server: openssl answers a TLS connection, and writes what it is offered to `offered`
start_server()
{
	mkfifo held
	attempts=0
	while :; do
		server_port=$("$helpers/free-port")
		# Something to read that never ends: at the end of its input the server would close.
		openssl s_server -accept "127.0.0.1:$server_port" -cert broker.crt -key broker.key \
			-cert_chain broker.crt -tlsextdebug -alpn x-amzn-mqtt-ca,mqtt <held >offered 2>&1 &
		server_pid=$!
		exec 3>held
		wait_for 20 server_settled
		alive "$server_pid" && return
		exec 3>&-
		attempts=$((attempts + 1))
		[ "$attempts" -lt 20 ] || { cat offered; die "openssl does not listen"; }
	done
}

server_settled()
{
	! alive "$server_pid" || grep -q ACCEPT offered
}

stop_server()
{
	[ -n "$server_pid" ] || return 0
	kill "$server_pid" 2>/dev/null || true
	wait "$server_pid" 2>/dev/null || true
	server_pid=
	exec 3>&-
	rm -f held
}

# token: the JSON Web Token that was offered
token()
{
	grep -aoE 'eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+' offered | head -n 1
}

# part N: of it
part()
{
	token | cut -d. -f"$1" | tr '_-' '/+' | awk '{ while (length($0) % 4) $0 = $0 "="; print }' |
		base64 -d
}

# signed_by KEY: whether OpenSSL finds that this key has signed it
signed_by()
{
	token | cut -d. -f1,2 | tr -d '\n' >signed
	part 3 >signature
	r=$(head -c 32 signature | od -An -v -tx1 | tr -d ' \n')
	s=$(tail -c 32 signature | od -An -v -tx1 | tr -d ' \n')
	printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "$r" "$s" >asn1
	openssl asn1parse -genconf asn1 -noout -out signature
	openssl dgst -sha256 -verify "$1" -signature signature signed
}

token_is()
{
	part 2 | jq -e "$1"
}

header_is()
{
	part 1 | jq -e "$1"
}

# The protocol's level follows its name.
level_is()
{
	grep -aqP "MQTT\\x0$1" offered
}

offers()
{
	grep -aqF -- "$1" offered
}

# profile NAME LEVEL CLIENT-ID USER CLAIMS HEADER [OPTION...]
profile()
{
	name=$1 level=$2 client=$3 user=$4 claims=$5 header=$6
	shift 6
	note "profile $name"
	start_server
	begin_gateway --uplink.profile="$name" --uplink.url="mqtts://$host:$server_port" "$@"
	check "it offers a token" wait_for 20 offers eyJ
	check "MQTT's level is $level" level_is "$level"
	check "its client id" offers "$client"
	check "its user name" offers "$user"
	check "the token's claims" token_is "$claims"
	check "the token's header" header_is "$header"
	stop_gateway TERM
	tr -d '\0' <offered >server.log
	stop_server
}

# own_key NAME OTHER: what a gateway with the settings of the uplink NAME offers
own_key()
{
	note "the key of the uplink $1"
	start_server
	cp "$1.gw.conf" gw.conf
	begin_gateway --uplink.name="$1" --uplink.url="mqtts://$host:$server_port"
	check "it offers a token" wait_for 20 offers eyJ
	check "its own key has signed it" signed_by "$1.pub"
	check "the other uplink's has not" not signed_by "$2.pub"
	stop_gateway TERM
	stop_server
}

profiles()
{
	write_gateway_settings 'timeout = 3s'
	long=projects/$project/locations/$region/registries/$registry/devices/gw1
	profile iot-core 5 "$long" unused ".aud == \"$project\" and (has(\"sub\") | not)" \
		'.alg == "ES256" and (has("kid") | not)'
	profile clearblade 4 "$long" unused ".aud == \"$project\"" '.alg == "ES256"'
	profile emqx 5 gw1 gw1 '.sub == "gw1" and .exp > .iat' '.alg == "ES256"'
	profile rabbitmq 4 gw1 gw1 '.sub == "gw1"' '.kid == "gw1"'
	profile rabbitmq 4 gw1 gw1 '.sub == "me"' '.kid == "mine"' --uplink.claim=sub=me \
		--uplink.header=kid=mine
	profile generic 5 mine-gw1 them '.aud == "other" and .role == "edge"' '.alg == "ES256"' \
		--uplink.client-id='mine-{device}' --uplink.username=them --uplink.audience=other \
		--uplink.claim=role=edge --uplink.alpn=x-amzn-mqtt-ca
	check "a protocol's name is offered in TLS, when asked for" \
		says 'ALPN protocols advertised by the client: x-amzn-mqtt-ca$' server.log
	# An address has no name to offer (RFC 6066 section 3).
	[ "$host" != localhost ] || check "and the host's" says 'TLS client extension "server name"' server.log
}

# carries PROFILE [LINE...]: events of a device to the cloud, and commands to it
carries()
{
	profile=$1
	shift
	note "profile $profile carries messages"
	write_uplink near "profile = $profile" "$@"
	start_uplink near
	check "an event is taken" sends lamp -t "/devices/lamp/events/$profile" -m "$profile lights"
	check "the cloud has it" wait_for 20 came near 1 "/devices/lamp/events/$profile"
	check "whole" wait_for 20 says "^$profile lights\$" near.took
	check "it is not sent again" wait_for 20 reader near '.waiting == 0'
	listens lamp '/devices/lamp/commands/#'
	at_cloud near -t /devices/lamp/commands/go -m "$profile dims"
	check "a command reaches the device" wait_for 20 heard lamp \
		"/devices/lamp/commands/go 1 0 $profile dims"
	stop_others
	stop_uplink near TERM
	gateways=
}

carry()
{
	for profile in emqx rabbitmq; do
		carries $profile '[site]' 'in = +/commands/# 1 /devices/ /devices/'
	done
	check "nothing was attached" not says '/(at|de)tach' near.log
	carries clearblade
	check "the device was attached" came near 1 /devices/lamp/attach
}

end_all()
{
	for other in $gateways $clouds; do
		kill "$other" 2>/dev/null || true
		wait "$other" 2>/dev/null || true
	done
	stop_server
	end_site_test "$1"
}

main()
{
	need mosquitto mosquitto_pub mosquitto_sub jq openssl
	begin_site_test softhsm
	trap 'ended=$?; end_all "$ended"' EXIT
	printf 'topic readwrite #\n' >site.acl
	site_options=$(printf '%s\n' 'plugin_opt_topic building/#' "acl_file $work/site.acl")
	start_site
	two_uplinks
	brings_in
	brings_in_anew
	leads_out
	leads_out_anew
	carry
	held_by_one
	own_key near far
	own_key far near
	profiles
	end
}

main "$@"
