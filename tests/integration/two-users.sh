#!/bin/sh
# The site's broker and the gateway as two users, with folders as systemd/tmpfiles.conf makes them:
# what the one writes the other reads, and nobody else does. Needs root, to become both.
set -eu

# shellcheck source=tests/integration/lib.sh
. "${top_srcdir:-.}/tests/integration/lib.sh"
# shellcheck source=tests/integration/site-lib.sh
. "$top/tests/integration/site-lib.sh"

# Numbers that no user has; the broker shares the gateway's group, as systemd/sysusers.conf has it.
broker=61111
gateway=61112
other=61113

become()
{
	echo "setpriv --reuid=$1 --regid=$1 --clear-groups"
}

# The path to the build may be closed to others.
copy_programs()
{
	chmod 711 "$work"
	install -d -m 755 "$work/bin"
	install -m 755 "$(command -v p11-gateway)" "$work/bin"
	PATH=$work/bin:$PATH
	install -m 644 "$build/src/plugin/.libs/p11_site.so" "$work"
}

# make_folders: a line of tmpfiles.conf each, under $work
make_folders()
{
	while read -r type path mode user group; do
		[ "$type" = d ] || continue
		case $user in mosquitto) user=$broker ;; p11-gateway) user=$gateway ;; esac
		case $group in p11-gateway) group=$gateway ;; esac
		install -d -m "$mode" -o "$user" -g "$group" "$work/root$path"
	done <"$top/systemd/tmpfiles.conf"
	chmod 711 "$work/root" "$work/root/var" "$work/root/var/lib" "$work/root/run" "$work/root/etc"
}

write_settings()
{
	spool=$work/root/var/lib/p11-gateway/spool
	run=$work/root/run/p11-gateway
	write_gateway_settings
	sed -i "s|^socket = .*site.sock|socket = $run/site.sock|; s|^path = .*|path = $spool|
		s|^socket = .*gw.status|socket = $run/gw.status|" gw.conf
	chown -R $gateway:$gateway "$work/token" gw.conf
	chmod 644 "$CA_DIR/root-ca.crt"
	chmod 711 "$CA_DIR"
	site_as="setpriv --reuid=$broker --regid=$broker --groups=$gateway"
	gateway_as=$(become "$gateway")
	site_plugin=$work/p11_site.so
	site_spool=$spool
	site_socket=$run/site.sock
	: >site.log
	chmod 666 site.log
	umask 022
}

# as USER COMMAND...
as()
{
	user=$1
	shift
	# shellcheck disable=SC2046 # words
	env "PATH=$PATH" $(become "$user") "$@"
}

asked()
{
	as "$gateway" "$work/bin/p11-gateway" status --socket "$run/gw.status" --json >status.json &&
		jq -e "$1" status.json
}

works_together()
{
	note "two users"
	start_site
	begin_gateway
	check "the gateway connects" wait_for 30 asked '.uplink.state == "up"'
	check "and reaches the site's broker" wait_for 20 asked '.site.connected'
	sends lamp -t /devices/lamp/events -m on
	check "what the broker wrote arrives" wait_for 20 has lamp on
	check "and is acknowledged" wait_for 20 asked '.spool.waiting == 0'
	hears lamp '/devices/lamp/config'
	p11-registry devices configs update --device=lamp --registry="$registry" \
		--config-data=fast >registry.out
	check "config comes down" wait_for 20 grep -q '/devices/lamp/config fast' lamp.heard
	stop_others
}

outlives_restarts()
{
	note "both start again"
	stop_site KILL
	stop_gateway KILL
	start_site
	sends lamp -t /devices/lamp/events -m off
	begin_gateway
	check "what the broker wrote arrives" wait_for 20 has lamp off
	check "they find each other" wait_for 20 asked '.site.connected'
}

keeps_out_others()
{
	note "any other user"
	check "cannot look into the spool" not as "$other" ls "$spool"
	check "cannot ask the gateway" not as "$other" "$work/bin/p11-gateway" status \
		--socket "$run/gw.status"
	check "cannot read the PIN" not as "$other" cat "${P11_GATEWAY_PIN_SOURCE#file:}"
	check "and the broker's user cannot either" not as "$broker" cat "${P11_GATEWAY_PIN_SOURCE#file:}"
}

main()
{
	if [ "$(id -u)" -ne 0 ]; then
		left_out "only root can become two users"
		exit 77
	fi
	need mosquitto mosquitto_pub mosquitto_sub jq setpriv sqlite3
	begin_site_test softhsm
	copy_programs
	make_folders
	write_settings
	works_together
	outlives_restarts
	keeps_out_others
	end
}

main "$@"
