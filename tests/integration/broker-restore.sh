#!/bin/sh
# A registry's file that is restored from a copy, and credentials that are deleted, beside a running
# broker: nobody keeps a connection, or gets one, by what the file no longer says.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/broker-lib.sh
. "${top_srcdir:-.}/tests/integration/broker-lib.sh"

credentials()
{
	p11-registry devices credentials "$@" --registry=reg --quiet >>registry.out
}

# gone NAME REASON: the device's connection was ended with that reason since the mark, and is closed
gone()
{
	check "$1 is put out: $2" logged "p11_registry: closing client=$base/$1 reason=$2"
	check "its connection is closed" logged "Client $base/$1 (been )?disconnected"
}

a_restore_opens_no_door()
{
	check "first is let in" client mosquitto_pub first -q 1 -t /devices/first/events -m event-1
	sqlite3 "$P11_REGISTRY_DB" ".backup $work/copy.db"
	register second
	listen second -t /devices/second/config -t '/devices/second/commands/#'
	mark
	sqlite3 "$P11_REGISTRY_DB" ".restore $work/copy.db"
	register third
	gone second 'the device was deleted'
	check "its client gives up" ends "$listener"
	p11-registry devices configs update --device=third --registry=reg --config-data=secret \
		>>registry.out
	cp third.key kept.key
	cp second.key third.key
	check "its key opens no other door" \
		not client mosquitto_pub third -q 1 -t /devices/third/events -m by-the-wrong-key
	check "nor does anything of it stay" not stored by-the-wrong-key
	mv kept.key third.key
	check "the other's does" client mosquitto_pub third -q 1 -t /devices/third/events -m event-2
	check "what was there before is still let in" \
		client mosquitto_pub first -q 1 -t /devices/first/events -m event-3
	check "what came later got nothing of the other's" not says secret second.sub
	listen third -t '/devices/third/commands/#'
	check "a command is sent after a restore" send_command third go-on
	check "it arrives" wait_for 20 says '^go-on$' third.sub
	kill "$listener"
}

a_deleted_credential_ends_the_connection()
{
	register keyed
	make_key spare ec
	credentials create --device=keyed --path=spare.pub --type=es256-pem
	listen keyed -t /devices/keyed/config -t '/devices/keyed/commands/#'
	mark
	credentials delete 1 --device=keyed
	check "a command is sent" send_command keyed still-here
	check "another credential's end is no end" wait_for 20 says '^still-here$' keyed.sub
	check "it stays" not since "closing client=$base/keyed"
	mark
	credentials delete 0 --device=keyed
	gone keyed 'its credential was deleted'
	check "its client gives up" ends "$listener"
}

a_cleared_credential_ends_the_connection()
{
	credentials create --device=keyed --path=keyed.pub --type=es256-pem
	listen keyed -t /devices/keyed/config
	mark
	credentials clear --device=keyed
	gone keyed 'its credential was deleted'
	check "its client gives up" ends "$listener"
}

# An import that replaces a device keeps who has the same key, and ends who has not.
an_import_that_replaces_ends_the_connection()
{
	credentials create --device=keyed --path=keyed.pub --type=es256-pem
	p11-registry export --registry=reg >same.json
	listen keyed -t /devices/keyed/config -t '/devices/keyed/commands/#'
	mark
	p11-registry import same.json --registry=reg --update-existing >>registry.out
	check "a command is sent" send_command keyed the-same-key
	check "who is imported with the same key stays" wait_for 20 says '^the-same-key$' keyed.sub
	check "it was not closed" not since "closing client=$base/keyed"
	# shellcheck disable=SC2016 # $key is jq's
	jq -c --rawfile key spare.pub \
		'if .id == "keyed" then .credentials[0].publicKey.key = $key else . end' \
		same.json >other.json
	p11-registry import other.json --registry=reg --update-existing >>registry.out
	gone keyed 'its credential was deleted'
	check "its client gives up" ends "$listener"
}

# A gateway's own device goes, and the gateway stays.
an_attached_device_goes_with_its_credential()
{
	register child
	a_hub_speaks
	mark
	printf '/devices/child/attach {"authorization":"%s"}\n' \
		"$("$helpers/make-token" child.key "$project" -10 3000)" >&3
	check "a device attaches with its token" logged "p11_registry: attached client=$base/child"
	mark
	credentials clear --device=child
	check "it is detached with its credential" logged \
		"p11_registry: detached client=$base/child gateway=hub reason=its credential was deleted"
	echo '/devices/hub/events still-there' >&3
	check "its gateway stays" wait_for 20 stored still-there
	exec 3>&-
	wait "$hub" || true
}

main()
{
	need mosquitto mosquitto_pub mosquitto_sub mosquitto_passwd openssl sqlite3 jq /usr/bin/python3
	begin_broker_test
	make_registry
	p11-registry pubsub subscriptions create pull --topic=events >>registry.out
	register first
	register_gateway hub device-auth-token-only
	start_plain_broker "plugin_opt_db_file $P11_REGISTRY_DB"
	a_restore_opens_no_door
	a_deleted_credential_ends_the_connection
	a_cleared_credential_ends_the_connection
	an_import_that_replaces_ends_the_connection
	an_attached_device_goes_with_its_credential
	end_broker
	end
}

main "$@"
