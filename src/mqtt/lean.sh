#!/bin/sh
# Makes an archive of paho's static library that is to be linked with lean.c, stream.c and turn.c in
# place of paho's own records of memory and calls, and of what it asks the system for: bytes,
# threads and locks.
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
	replace connect stream_connect
	replace shutdown stream_shutdown
	replace close stream_close
	replace recv stream_recv
	replace writev stream_writev
	replace poll stream_poll
	replace SSL_connect stream_ssl_connect
	replace SSL_shutdown stream_ssl_shutdown
	replace SSL_read stream_ssl_read
	replace SSL_pending stream_ssl_pending
	replace SSL_write stream_ssl_write
	replace pthread_create turn_thread_create
	replace pthread_cond_timedwait turn_cond_timedwait
	replace pthread_mutex_lock turn_lock
	replace pthread_mutex_unlock turn_lock
	replace usleep turn_sleep
	replace pthread_setname_np turn_set_name
	mv "$out.tmp" "$out"
}

main "$@"
