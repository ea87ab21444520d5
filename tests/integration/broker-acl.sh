#!/bin/sh
# What a device may do on the running broker, and how what p11-registry changes counts at once.
#
# shellcheck disable=SC2016 # topics begin with a dollar
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

own_messages_are_kept()
{
	check "an event is taken" client mosquitto_pub good -q 1 -t /devices/good/events -m event-1
	check "it is in the file" stored event-1
	check "an event in a subfolder is taken" \
		client mosquitto_pub good -q 1 -t /devices/good/events/temp/in -m event-2
	check "it is in the file" stored event-2
	check "a QoS 0 event is taken" \
		client mosquitto_pub good -q 0 -t /devices/good/events -m event-3
	check "it is in the file" wait_for 20 stored event-3
	check "an RSA device's event is taken" \
		client mosquitto_pub good-rsa -q 1 -t /devices/good-rsa/events -m event-4
	check "it is in the file" stored event-4
	check "a state is taken" client mosquitto_pub good -q 1 -t /devices/good/state -m state-1
	check "it is in the file" state_stored state-1
}

# gcloud gives the data in base64.
telemetry_is_pulled()
{
	p11-registry pubsub subscriptions pull pull --auto-ack --limit=100 --format=json >pulled
	for part in "$(printf event-2 | openssl base64)" '"deviceId": *"good"' \
		"\"projectId\": *\"$project\"" '"deviceRegistryId": *"reg"' \
		"\"deviceRegistryLocation\": *\"$region\"" '"subFolder": *"temp/in"'; do
		check "the telemetry has $part" says "$part" pulled
	done
}

# What a device says of itself in MQTT 5 is not believed: the attributes are the registry's.
the_backend_sees_events_with_their_attributes()
{
	from=projects/$project/topics/events/registries/reg/devices/good
	mark
	(in_place='exec' && backend mosquitto_sub -V mqttv5 -t 'projects/+/topics/#' -C 1 \
		-F '%t %r %p %P') >seen 2>&1 &
	pids="$pids $!"
	check "a service client subscribes" wait_for 20 since 'Sending SUBACK to backend'
	check "an event asks to be retained, and lies" client mosquitto_pub good -V mqttv5 -q 1 -r \
		-t /devices/good/events/temp/in -m retain-me -D publish user-property deviceId other
	check "the service client sees it" wait_for 20 says "^$from/events/temp/in 0 retain-me" seen
	num=$(p11-registry devices describe good --registry=reg --format=json | jq -r .numId)
	for pair in deviceId:good "deviceNumId:$num" deviceRegistryId:reg \
		"deviceRegistryLocation:$region" "projectId:$project" subFolder:temp/in; do
		check "with $pair" says "[ ]$pair( |$)" seen
	done
	check "and nothing the device says of itself" not says 'deviceId:other' seen
	backend mosquitto_pub -q 1 -r -t sentinel -m last
	backend mosquitto_sub -t 'projects/#' -t sentinel -C 1 -F '%t' >seen
	check "a later subscriber does not see it" same "$(cat seen)" sentinel
}

# watch_everything: a service client that writes all it sees to `all`
watch_everything()
{
	mark
	(in_place='exec' && backend mosquitto_sub -t '#') >all 2>&1 &
	everything=$!
	pids="$pids $everything"
	check "a service client sees everything" logged 'Sending SUBACK to backend'
}

# refused_topic TOPIC TEXT: the connection is closed, and nothing is kept or delivered
refused_topic()
{
	rm -f lines
	mkfifo lines
	mark
	(in_place='exec' && client mosquitto_pub good -q 1 -t "$1" -l) <lines >pub.out 2>&1 &
	publisher=$!
	pids="$pids $publisher"
	exec 3>lines
	printf '%s\n' "$2" >&3
	check "'$1' is refused" logged "p11_registry: closed client=$base/good reason=."
	check "and the connection closed" logged "Client $base/good disconnected"
	exec 3>&-
	kill "$publisher" 2>/dev/null || true
	wait "$publisher" || true
	check "and nothing kept" not stored "$2"
}

other_topics_close_the_connection()
{
	watch_everything
	refused_topic /devices/other/events theirs-1
	refused_topic /devices/other/state theirs-2
	refused_topic /devices/good/config theirs-3
	refused_topic /devices/good/commands/x theirs-4
	refused_topic devices/good/events theirs-5
	refused_topic /devices/good/eventsx theirs-6
	# shellcheck disable=SC2016 # no variable
	refused_topic '$CONTROL/dynamic-security/v1' theirs-7
	head -c 66000 /dev/zero | tr '\0' s >large
	mark
	client mosquitto_pub good -q 0 -t /devices/good/state -f large || true
	check "a state over 64 KB is refused" logged "p11_registry: closed client=$base/good reason=."
	backend mosquitto_pub -q 1 -t sentinel -m last-of-all
	check "the backend saw the end" wait_for 20 says last-of-all all
	check "and nothing of them" not grep theirs- all
	kill "$everything"
}

# subscribes NAME FILTER yes|no
subscribes()
{
	granted=no
	client mosquitto_sub "$1" -t "$2" -q 1 -E -d >sub.out 2>&1 || true
	! grep -q 'Subscribed (mid: .*): [01]$' sub.out || granted=yes
	check "$1 subscribes to '$2': $3" same "$granted" "$3"
}

# shellcheck disable=SC2016 # filters begin with '$'
only_own_subscriptions_are_granted()
{
	subscribes good /devices/good/config yes
	subscribes good '/devices/good/commands/#' yes
	subscribes good /devices/good/commands no
	subscribes good /devices/other/config no
	subscribes good '/devices/other/commands/#' no
	subscribes good '/devices/+/config' no
	subscribes good '/devices/#' no
	subscribes good '#' no
	subscribes good '+/devices/good/config' no
	subscribes good /devices/good/events no
	subscribes good '$SYS/#' no
	subscribes good '$share/g/devices/good/config' no
	listen good -t '/devices/good/commands/#' -t /devices/good/config
	check "a command is sent" send_command good switch-on lamp
	check "it arrives" wait_for 20 says '^switch-on$' good.sub
	check "a config is given" give_config good config-1
	check "it arrives" wait_for 20 says '^config-1$' good.sub
	backend mosquitto_pub -q 1 -t /devices/good/commands/lamp -m not-from-us
	backend mosquitto_pub -q 1 -t /devices/good/config -m not-from-us
	check "another command is sent" send_command good switch-off lamp
	check "it arrives" wait_for 20 says '^switch-off$' good.sub
	check "what others publish there does not" not says not-from-us good.sub
	kill "$listener"
}

a_blocked_device_is_put_out()
{
	listen good -t '/devices/good/commands/#'
	rm -f lines
	mkfifo lines
	(in_place='exec' && client mosquitto_pub other -q 1 -t /devices/other/events -l) \
		<lines >pub.out 2>&1 &
	publisher=$!
	pids="$pids $publisher"
	exec 3>lines
	echo before-block >&3
	check "a device publishes" wait_for 20 stored before-block
	mark
	p11-registry devices update good --registry=reg --blocked >>registry.out
	p11-registry devices update other --registry=reg --blocked >>registry.out
	check "a blocked device is put out" logged "p11_registry: closing client=$base/good reason=.*block"
	check "its connection is closed" logged "Client $base/good (been )?disconnected"
	check "it is refused from then on" logged "p11_registry: refused client=$base/good reason=.*block"
	check "its client gives up" ends "$listener"
	check "so is the other" logged "p11_registry: closing client=$base/other reason=.*block"
	echo after-block >&3 || true
	check "it is refused from then on" logged "p11_registry: refused client=$base/other reason=.*block"
	exec 3>&-
	kill "$publisher" 2>/dev/null || true
	wait "$publisher" || true
	check "and nothing more of it is kept" not stored after-block
	p11-registry devices update good --registry=reg --no-blocked >>registry.out
	p11-registry devices update other --registry=reg --no-blocked >>registry.out
	check "no longer blocked, it is let in" \
		client mosquitto_pub good -q 1 -t /devices/good/events -m unblocked
}

devices_come_and_go()
{
	make_key late ec
	check "an unknown device is refused" \
		not client mosquitto_pub late -q 1 -t /devices/late/events -m too-early
	register late
	check "once created, it is let in" \
		client mosquitto_pub late -q 1 -t /devices/late/events -m in-time
	listen late -t /devices/late/config
	mark
	p11-registry devices delete late --registry=reg --quiet >>registry.out
	check "once deleted, it is put out" logged "p11_registry: closing client=$base/late reason=."
	check "and its client gives up" ends "$listener"
	check "and it is refused" \
		not client mosquitto_pub late -q 1 -t /devices/late/events -m too-late
}

the_connection_ends_with_the_token()
{
	issued=-3600 expires=-596
	listen good -t /devices/good/config
	issued='' expires=''
	check "a token at the end of its time is closed" \
		logged "p11_registry: closing client=$base/good reason=.*time is over"
	check "its connection too" logged "Client $base/good (been )?disconnected"
	check "the same token is refused then" ends "$listener"
}

# attach_for SECONDS: other, through the hub, with a token that is good for so long
attach_for()
{
	mark
	printf '/devices/other/attach {"authorization":"%s"}\n' \
		"$("$helpers/make-token" other.key "$project" -3600 $((-600 + $1)))" >&3
	check "a device attaches with its token" \
		logged "p11_registry: attached client=$base/other gateway=hub"
}

past()
{
	[ "$(date +%s)" -ge "$1" ]
}

an_attached_device_goes_with_its_own_token()
{
	gone="p11_registry: detached client=$base/other gateway=hub reason=.*time is over"
	a_hub_speaks
	attach_for 4
	kill -STOP "$broker_pid"
	wait_for 20 past "$(($(date +%s) + 5))"
	echo "/devices/other/events after-its-token" >&3
	kill -CONT "$broker_pid"
	check "a message after its token's end detaches it" logged "$gone"
	attach_for 3
	check "the end does, without one" logged "$gone"
	exec 3>&-
	wait "$hub" || true
	check "the gateway goes" logged "p11_registry: disconnected client=$base/hub"
	check "and what came after the end is not kept" not stored after-its-token
}

a_takeover_leaves_the_new_connection()
{
	listen good -t '/devices/good/commands/#'
	first=$listener
	kill -STOP "$first"
	listen good -t '/devices/good/commands/#'
	check "the old connection is closed" logged "Client $base/good already connected"
	check "a command is sent" send_command good to-the-new
	check "the new one works" wait_for 20 says '^to-the-new$' good.sub
	kill -9 "$first"
	kill "$listener"
	wait "$first" "$listener" || true
}

a_reload_keeps_good_connections()
{
	listen good -t '/devices/good/commands/#'
	mark
	kill -HUP "$broker_pid"
	check "the broker reloads" logged 'Reloading config'
	check "a command is sent" send_command good after-reload
	check "a device's connection lives through it" wait_for 20 says '^after-reload$' good.sub
	mark
	p11-registry devices update good --registry=reg --blocked >>registry.out
	check "and is put out when blocked" logged "p11_registry: closing client=$base/good reason=.*block"
	check "once" same "$(grep -c "closing client=$base/good reason=.*block" "$work/broker.log")" 2
	check "its client gives up" ends "$listener"
	p11-registry devices update good --registry=reg --no-blocked >>registry.out
}

# What is changed of a registry is looked at again in each of its devices, not by the list of changes.
a_config_beside_a_change_of_the_registry_arrives()
{
	listen good -t /devices/good/config
	kill -STOP "$broker_pid"
	give_config good beside-a-change
	p11-registry registries update reg --log-level=debug >>registry.out
	kill -CONT "$broker_pid"
	check "a config given beside a change of the registry arrives" \
		wait_for 20 says '^beside-a-change$' good.sub
	p11-registry registries update reg --log-level=info >>registry.out
	kill "$listener"
}

a_device_has_no_will()
{
	watch_everything
	listen good -t /devices/good/config --will-topic /devices/good/events --will-payload my-will
	mark
	kill -9 "$listener"
	wait "$listener" || true
	check "a device dies" logged "Client $base/good (closed its connection|disconnected)"
	backend mosquitto_pub -q 1 -t sentinel -m after-the-death
	check "the backend sees what comes after" wait_for 20 says after-the-death all
	check "but no will" not grep my-will all
	check "nor is it kept" not stored my-will
	kill "$everything"
}

nobody_else_is_let_in()
{
	check "a wrong password is refused" not mosquitto_pub -h 127.0.0.1 -p "$port" -i backend \
		-u backend -P wrong -t x -m x
	check "no password is refused" not mosquitto_pub -h 127.0.0.1 -p "$port" -i stranger \
		-t x -m x
	check "a service's password is no device's" not mosquitto_pub -h 127.0.0.1 -p "$port" \
		-i "$base/good" -u backend -P backend -t /devices/good/events -m x
	check "a session to be kept is refused" not client mosquitto_sub good -c -t x -E
}

# While another holds the file, nothing is acknowledged, and nobody else is disturbed.
a_file_that_fails_loses_nothing()
{
	mkfifo sql
	sqlite3 "$P11_REGISTRY_DB" <sql >sql.out 2>&1 &
	locker=$!
	pids="$pids $locker"
	exec 4>sql
	echo 'BEGIN IMMEDIATE; SELECT 1;' >&4
	check "the file is locked" wait_for 20 test -s sql.out
	mark
	(in_place='exec' && client mosquitto_pub good -q 1 -t /devices/good/events -m while-locked) \
		>pub.out 2>&1 &
	publisher=$!
	pids="$pids $publisher"
	check "a message that cannot be kept is not taken" \
		logged "p11_registry: closed client=$base/good reason=."
	check "a service client is served meanwhile" backend mosquitto_pub -q 1 -t x -m x
	check "nor acknowledged" not since "Sending PUBACK to $base/good"
	exec 4>&-
	wait "$locker" || true
	kill "$publisher" 2>/dev/null || true
	wait "$publisher" || true
	check "sent again once it can be kept, it is taken" \
		client mosquitto_pub good -q 1 -t /devices/good/events -m while-locked
	check "and kept" stored while-locked
}

without_a_topic_the_connection_is_closed()
{
	p11-registry registries create bare >>registry.out
	make_key lone ec
	p11-registry devices create lone --registry=bare --public-key=path=lone.pub,type=es256-pem \
		>>registry.out
	base=${base%/reg/devices}/bare/devices
	mark
	client mosquitto_pub lone -q 0 -t /devices/lone/events -m lost || true
	check "an event of a registry without a topic is refused" \
		logged "p11_registry: closed client=$base/lone reason=."
}

main()
{
	need mosquitto mosquitto_pub mosquitto_sub mosquitto_passwd openssl sqlite3 /usr/bin/python3
	begin_broker_test
	make_registry
	p11-registry pubsub subscriptions create pull --topic=events >>registry.out
	register good
	register good-rsa rsa
	register other
	register_gateway hub device-auth-token-only
	start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB"
	own_messages_are_kept
	telemetry_is_pulled
	the_backend_sees_events_with_their_attributes
	other_topics_close_the_connection
	only_own_subscriptions_are_granted
	a_blocked_device_is_put_out
	devices_come_and_go
	the_connection_ends_with_the_token
	an_attached_device_goes_with_its_own_token
	a_takeover_leaves_the_new_connection
	a_reload_keeps_good_connections
	a_config_beside_a_change_of_the_registry_arrives
	a_device_has_no_will
	nobody_else_is_let_in
	a_file_that_fails_loses_nothing
	without_a_topic_the_connection_is_closed
	end_broker
	end
}

main "$@"
