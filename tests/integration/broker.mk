# the running broker with p11_registry.so
check_PROGRAMS += tests/integration/attack tests/integration/crowd tests/integration/door \
	tests/integration/free-port \
	tests/integration/make-token tests/integration/topics
tests_integration_attack_SOURCES = tests/integration/attack.c \
	tests/integration/raw-mqtt.c tests/integration/raw-mqtt.h \
	tests/integration/broker-token.c tests/integration/broker-token.h
tests_integration_attack_LDADD = src/base/libbase.la $(CRYPTO_LIBS)
tests_integration_crowd_SOURCES = tests/integration/crowd.c \
	tests/integration/raw-mqtt.c tests/integration/raw-mqtt.h \
	tests/integration/broker-token.c tests/integration/broker-token.h
tests_integration_crowd_LDADD = src/base/libbase.la $(CRYPTO_LIBS)
tests_integration_door_LDADD = src/spool/libspool.la src/site/libsite.la src/base/libbase.la $(CRYPTO_LIBS)
tests_integration_topics_SOURCES = tests/integration/topics.c \
	tests/integration/raw-mqtt.c tests/integration/raw-mqtt.h \
	tests/integration/broker-token.c tests/integration/broker-token.h
tests_integration_topics_LDADD = src/base/libbase.la $(CRYPTO_LIBS)
tests_integration_make_token_SOURCES = tests/integration/make-token.c \
	tests/integration/broker-token.c tests/integration/broker-token.h
tests_integration_make_token_LDADD = src/base/libbase.la $(CRYPTO_LIBS)

# Without the sanitizers, so that any program loads it.
check_LTLIBRARIES += tests/integration/slow-disk.la
tests_integration_slow_disk_la_SOURCES = tests/integration/slow-disk.c
tests_integration_slow_disk_la_CFLAGS = -std=gnu11 $(WARN_CFLAGS) $(HARDEN_CFLAGS)
tests_integration_slow_disk_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere $(HARDEN_LDFLAGS)

check_LTLIBRARIES += tests/integration/bad-disk.la
tests_integration_bad_disk_la_SOURCES = tests/integration/bad-disk.c
tests_integration_bad_disk_la_CFLAGS = -std=gnu11 $(WARN_CFLAGS) $(HARDEN_CFLAGS)
tests_integration_bad_disk_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere $(HARDEN_LDFLAGS)

BROKER_TESTS = tests/integration/broker-acl.sh tests/integration/broker-attack.sh \
	tests/integration/broker-audit.sh tests/integration/broker-bounds.sh \
	tests/integration/broker-crowd.sh tests/integration/broker-damage.sh tests/integration/broker-limits.sh \
	tests/integration/broker-offline.sh tests/integration/broker-per-listener.sh \
	tests/integration/broker-restore.sh \
	tests/integration/broker-site.sh \
	tests/integration/broker-start.sh \
	tests/integration/iot-core.sh \
	tests/integration/jit.sh \
	tests/integration/site-wills.sh \
	tests/integration/slow-disk.sh \
	tests/integration/spool.sh
EXTRA_DIST += tests/integration/broker-lib.sh tests/integration/broker-audit.py \
	tests/integration/flood.py tests/integration/iot-core.py \
	tests/integration/innocent.py tests/integration/ping.py tests/integration/site-attack.py \
	tests/integration/site-wills.py \
	tests/integration/speak.py tests/integration/wire.py
dist_check_SCRIPTS += $(BROKER_TESTS)
TESTS += $(BROKER_TESTS)
