# plugin's unit tests
UNIT_TESTS += tests/unit/test-sessions
tests_unit_test_sessions_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sessions_LDADD = src/plugin/libsessions.la src/registry/librules.la src/base/libbase.la \
	$(CMOCKA_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS) -lmosquitto

UNIT_TESTS += tests/unit/test-journal-queue
tests_unit_test_journal_queue_SOURCES = tests/unit/test-journal-queue.c tests/unit/soft-store.h
tests_unit_test_journal_queue_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_journal_queue_LDADD = src/plugin/libsessions.la $(ADMIT_LDADD) -lmosquitto

UNIT_TESTS += tests/unit/test-log-limits
tests_unit_test_log_limits_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_log_limits_LDADD = src/plugin/libsessions.la src/registry/librules.la \
	src/base/libbase.la $(CMOCKA_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-speakers
tests_unit_test_speakers_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_speakers_LDADD = src/plugin/libspeakers.la src/site/libsite.la src/registry/librules.la \
	src/base/libbase.la $(CMOCKA_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-waker
tests_unit_test_waker_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_waker_LDADD = src/plugin/libsessions.la $(ADMIT_LDADD)

UNIT_TESTS += tests/unit/test-will
tests_unit_test_will_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_will_LDADD = src/plugin/libspeakers.la src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-retained
tests_unit_test_retained_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_retained_LDADD = src/plugin/libspeakers.la src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-broker-config
tests_unit_test_broker_config_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_broker_config_LDADD = src/plugin/libspeakers.la src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)
