# bench: what we cost beside what one would take instead; `make bench`
EXTRA_PROGRAMS += tests/bench/bench-jwt tests/bench/bench-mqtt
dist_check_SCRIPTS += tests/bench/bench.sh

tests_bench_bench_jwt_CFLAGS = $(AM_CFLAGS) $(P11KIT_CFLAGS)
tests_bench_bench_jwt_LDADD = src/token/libtoken.la src/jwt/libjwt.la src/base/libbase.la \
	$(LIBP11_LIBS) $(P11KIT_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

tests_bench_bench_mqtt_LDADD = src/base/libbase.la $(CRYPTO_LIBS) -lpthread

bench_loads = tests/bench/bench-jwt tests/bench/bench-mqtt tests/integration/free-port
bench: all $(bench_loads)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		$(SHELL) $(srcdir)/tests/bench/bench.sh
.PHONY: bench
CLEANFILES += bench.json
