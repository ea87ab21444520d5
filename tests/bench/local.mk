# bench: what we cost beside what one would take instead; `make bench`
EXTRA_PROGRAMS += tests/bench/bench-jwt tests/bench/bench-mqtt tests/bench/bench-hop
dist_check_SCRIPTS += tests/bench/bench.sh
EXTRA_DIST += tests/bench/attack.sh tests/bench/hop.sh tests/bench/start.sh

tests_bench_bench_jwt_CFLAGS = $(AM_CFLAGS) $(P11KIT_CFLAGS)
tests_bench_bench_jwt_LDADD = src/token/libtoken.la src/jwt/libjwt.la src/base/libbase.la \
	$(LIBP11_LIBS) $(P11KIT_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

tests_bench_bench_mqtt_SOURCES = tests/bench/bench-mqtt.c tests/bench/wire.c tests/bench/wire.h
tests_bench_bench_mqtt_LDADD = src/base/libbase.la $(CRYPTO_LIBS) -lpthread

tests_bench_bench_hop_SOURCES = tests/bench/bench-hop.c tests/bench/wire.c tests/bench/wire.h
tests_bench_bench_hop_LDADD = src/spool/libspool.la src/base/libbase.la $(CRYPTO_LIBS) -lpthread

bench_loads = tests/bench/bench-jwt tests/bench/bench-mqtt tests/bench/bench-hop \
	tests/integration/free-port tests/integration/make-token tests/integration/crowd
bench: all $(bench_loads)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		$(SHELL) $(srcdir)/tests/bench/bench.sh
.PHONY: bench
CLEANFILES += bench.json
