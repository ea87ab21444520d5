# shellcheck shell=sh disable=SC2154 # $top, $work and the rest are lib.sh's and site-lib.sh's
# load-lib: local devices under load, and the judgement on what became of their messages. Sourced
# behind site-lib.sh.

load_devices='thermo pump lamp'
load_pid=
loads=0

# start_load RATE: messages a second of all of them; what the site's broker took is in `taken`. No
# number of an earlier load comes again.
start_load()
{
	: >taken
	loads=$((loads + 1))
	# shellcheck disable=SC2086 # a list of words
	"$python" "$top/tests/integration/load.py" "$site_port" "$1" "$work/taken" $((loads * 10000000)) \
		$load_devices >load.out 2>load.err &
	load_pid=$!
	pids="$pids $load_pid"
}

# need_load: Debian's own Python, which has Debian's paho
need_load()
{
	python=/usr/bin/python3
	"$python" -c 'import paho.mqtt.client' 2>/dev/null || need python3-paho-mqtt
}

n_taken()
{
	wc -l <taken
}

# more_taken: whether as many were taken as $wanted says
more_taken()
{
	[ "$(n_taken)" -ge "$wanted" ]
}

# restart_cloud: kills the cloud's broker; it comes back on the port it had
restart_cloud()
{
	end_cloud KILL
	begin_cloud
}

# end_cloud SIGNAL
end_cloud()
{
	kill "-$1" "$broker_pid"
	wait "$broker_pid" 2>/dev/null || true
	broker_pid=
}

begin_cloud()
{
	: >"$work/broker.log"
	LD_PRELOAD="${ASAN_RUNTIME:-} $preload" ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-} \
		mosquitto -c "$work/mosquitto.conf" >>"$work/broker.out" 2>&1 &
	broker_pid=$!
	wait_for 20 broker_runs || die "the cloud's broker does not start again"
}

is_empty()
{
	[ ! -s "$1" ] || { head -n 20 "$1"; return 1; }
}

# judge DEVICE: what was taken of it is there, the first time in its order; counts duplicates
judge()
{
	pulled "$1"
	awk '!seen[$1]++' pulled >once
	awk -v device="$1" '$1 == device { print $2 }' taken | sort -n -u >wanted
	sort wanted >wanted.text
	sort once | comm -13 - wanted.text >missing
	check "nothing of $1 is missing ($(wc -l <wanted) taken, $(($(wc -l <pulled) - $(wc -l <once))) came twice)" \
		is_empty missing
	check "$1's are in their order" sort -n -c once
}

all_arrived()
{
	status '.spool.waiting == 0 and .uplink.in_flight == 0 and .uplink.state == "up"'
}

# stop_load: ends it, and waits until what was taken has arrived
stop_load()
{
	kill "$load_pid"
	check "every message that was sent was taken in the end" wait "$load_pid"
	check "the spool is empty in the end" wait_for 120 all_arrived
	note "$(n_taken) messages taken, $(cat load.out)"
}

# end_load: ends it, and judges what has arrived
end_load()
{
	stop_load
	judge_all
}

judge_all()
{
	for device in $load_devices; do
		judge "$device"
	done
}
