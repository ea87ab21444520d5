#!/bin/sh
# Makes an archive of paho's static library that is to be linked with lean.c in place of paho's own
# records of memory and of calls, as paho's build option PAHO_HIGH_PERFORMANCE would leave them out.
#
#   usage: lean.sh AR OBJCOPY NM LIBPAHO-MQTT3AS.A OUTPUT
set -eu

# replace SYMBOL FUNCTION: a library that does without is another than we know.
replace()
{
	$nm -u "$out.tmp" 2>/dev/null | grep -q " U $1\$" || { echo "paho uses no $1" >&2; exit 1; }
	$objcopy --redefine-sym "$1=$2" "$out.tmp"
}

main()
{
	[ $# = 5 ] || { echo "usage: lean.sh AR OBJCOPY NM ARCHIVE OUTPUT" >&2; exit 2; }
	ar=$1 objcopy=$2 nm=$3 out=$5
	rm -f "$out" "$out.tmp"
	cp "$4" "$out.tmp"
	chmod u+w "$out.tmp"
	$ar d "$out.tmp" Heap.c.o StackTrace.c.o Log.c.o
	replace recv lean_recv
	replace poll lean_poll
	replace close lean_close
	replace writev lean_writev
	replace SSL_write lean_ssl_write
	replace pthread_cond_timedwait lean_cond_timedwait
	mv "$out.tmp" "$out"
}

main "$@"
