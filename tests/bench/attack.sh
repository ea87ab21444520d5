# shellcheck shell=sh disable=SC2154 # what bench.sh has set
# attack: how long the answers to a well-behaved client take beside each attack of the tests, and
# beside nothing. Sourced by bench.sh.

attack_seconds=${BENCH_ATTACK_SECONDS:-10}
programs=$top/tests/integration

# attacker PROGRAM ARGUMENT...: a client of another machine, which takes no processor time from the
# broker; the broker closes its connection, so that what it prints does not matter
attacker()
{
	attack=$1
	shift
	chrt --idle 0 python3 -B "$programs/$attack" "$@" >"$work/attack.log" 2>&1 || sleep 0.05
}

# jwt NAME: a token of that device of the registry, by its key file
jwt()
{
	"$build/tests/integration/make-token" "$work/$1.key" bench -10 3000
}

# device NAME: registers it in $P11_REGISTRY_DB with a key file
device()
{
	openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key"
	openssl pkey -in "$work/$1.key" -pubout -out "$work/$1.pub"
	registry devices create "$1" --registry=bench --public-key="path=$work/$1.pub,type=es256-pem"
}

# p99 KIND: of the milliseconds in $work/answers
p99()
{
	awk -v kind="$1" '$1 == kind { print $2 }' "$work/answers" | sort -n |
		awk '{ line[NR] = $1 } END { print line[int((NR * 99 + 99) / 100)] }'
}

# beside_attack WHAT COMMAND [ARGUMENT...]: the well-behaved client while the command runs again and
# again; sets $ping and $publish to the p99 of the answers. Its own arguments are $well_behaved.
beside_attack()
{
	: >"$work/answers"
	# shellcheck disable=SC2086 # a list of words
	python3 -B "$programs/innocent.py" $well_behaved >"$work/innocent.log" 2>&1 &
	innocent=$!
	pids="$pids $innocent"
	until [ -s "$work/answers" ]; do
		kill -0 "$innocent" 2>/dev/null || die "no answer: $(cat "$work/innocent.log")"
		sleep 0.05
	done
	: >"$work/answers"
	what=$1
	shift
	until=$(($(date +%s) + attack_seconds))
	while [ "$(date +%s)" -lt "$until" ]; do
		"$@"
	done
	kill "$innocent"
	wait "$innocent" || die "$what: $(cat "$work/innocent.log")"
	ping=$(p99 ping) publish=$(p99 publish)
}

nothing()
{
	sleep "$attack_seconds"
}

# attack_rows WHAT COMMAND [ARGUMENT...]: beside what $idle_ping and $idle_publish are
attack_rows()
{
	beside_attack "$@"
	compare "PINGRESP ms p99, $1" "idle" "$ping" "$idle_ping" "<= 3"
	compare "PUBACK ms p99, $1" "idle" "$publish" "$idle_publish" "<= 3"
}

idle()
{
	beside_attack "nothing" nothing
	idle_ping=$ping idle_publish=$publish
}

flood_events()
{
	attacker flood.py "$port" "$devices/flood" flood 100 262144 "$flood_jwt"
}

# fill_subscription: messages of 256 KiB, for a deletion to delete. The kernel writes them to the disk
# before that.
fill_subscription()
{
	registry pubsub topics create large
	registry pubsub subscriptions create large --topic=large
	registry registries create large --event-notification-config=topic=large
	sqlite3 "$P11_REGISTRY_DB" "PRAGMA busy_timeout = 10000; PRAGMA secure_delete = OFF;
		CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS
			(VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4000) SELECT i FROM n;
		BEGIN;
		INSERT INTO messages (id, published, waiting, attributes, data)
			SELECT i, strftime('%s'), 1, '{}', zeroblob(262144) FROM n;
		INSERT INTO deliveries (subscription, number, message)
			SELECT s.id, i, i FROM subscriptions s, n WHERE s.name = 'large';
		COMMIT;" >/dev/null
	sync -f "$work"
}

# Once: what is left of the time passes without it.
delete_subscription()
{
	"$build/p11-registry" pubsub subscriptions delete large >/dev/null 2>&1 || sleep 0.2
}

# flood_filters: SUBSCRIBEs, until the broker closes the connection
flood_filters()
{
	attacker broker-audit.py subscribe "$port" "$devices/flood" "$flood_jwt" 20000 flood
}

knock()
{
	attacker broker-audit.py refused "$port" "$devices/flood" wrong 500
}

# with_limits: settings of a broker, without those that open its limits
with_limits()
{
	sed '/^plugin_opt_max_/d'
}

# cloud_attacks: at a broker with the registry's plugin and its presets
cloud_attacks()
{
	export P11_REGISTRY_DB="$work/attack.db" P11_REGISTRY_PROJECT=bench
	export P11_REGISTRY_REGION=us-central1
	registry pubsub topics create events
	registry pubsub subscriptions create all --topic=events
	registry registries create bench --event-notification-config=topic=events
	device innocent
	device flood
	plugin_conf "$P11_REGISTRY_DB" | with_limits >"$work/attacked.conf"
	start_broker attacked
	devices=projects/bench/locations/us-central1/registries/bench/devices
	well_behaved="$port $devices/innocent innocent $work/answers $(jwt innocent)"
	flood_jwt=$(jwt flood)
	idle
	attack_rows "a flood of events of 256 KiB" flood_events
	attack_rows "a flood of SUBSCRIBEs" flood_filters
	attack_rows "strangers that connect" knock
	fill_subscription
	attack_rows "a deletion of 1 GiB" delete_subscription
}

name_crowd()
{
	attacker site-names.py "$port" 2000 10
}

leave_wills()
{
	attacker site-wills.py "$port" bench bench 100 65536
}

# site_attacks: at a site's broker with the site's plugin and its presets
site_attacks()
{
	spool=$work/attacked
	printf 'pattern readwrite #\n' >"$work/hop.acl"
	hop_site_conf "$spool" ours | with_limits >"$work/site.conf"
	start_broker site
	well_behaved="$port innocent innocent $work/answers"
	idle
	attack_rows "a crowd of new names" name_crowd
	attack_rows "clients with wills" leave_wills
}

attack_part()
{
	command -v python3 >/dev/null || die "the attacks need python3"
	make_passwords
	cloud_attacks
	site_attacks
}
