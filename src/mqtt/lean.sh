#!/bin/sh
# Makes an archive of paho's static library that is to be linked with lean.c in place of paho's own
# records of memory and of calls, as paho's build option PAHO_HIGH_PERFORMANCE would leave them out.
#
#   usage: lean.sh AR OBJCOPY LIBPAHO-MQTT3AS.A OUTPUT
set -eu

main()
{
	[ $# = 4 ] || { echo "usage: lean.sh AR OBJCOPY ARCHIVE OUTPUT" >&2; exit 2; }
	rm -f "$4" "$4.tmp"
	cp "$3" "$4.tmp"
	chmod u+w "$4.tmp"
	"$1" d "$4.tmp" Heap.c.o StackTrace.c.o Log.c.o
	"$2" --redefine-sym recv=lean_recv --redefine-sym poll=lean_poll \
		--redefine-sym close=lean_close "$4.tmp"
	mv "$4.tmp" "$4"
}

main "$@"
