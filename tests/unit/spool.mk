# spool's unit tests
UNIT_TESTS += tests/unit/test-spool
tests_unit_test_spool_SOURCES = tests/unit/test-spool.c tests/unit/soft-spool.h
tests_unit_test_spool_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_spool_LDADD = src/spool/libspool.la src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)
UNIT_TESTS += tests/unit/test-timely
tests_unit_test_timely_SOURCES = tests/unit/test-timely.c tests/unit/soft-spool.h
tests_unit_test_timely_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_timely_LDADD = src/spool/libspool.la src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)
UNIT_TESTS += tests/unit/test-power
tests_unit_test_power_SOURCES = tests/unit/test-power.c tests/unit/soft-spool.h
tests_unit_test_power_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_power_LDADD = src/spool/libspool.la src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)
UNIT_TESTS += tests/unit/test-front
tests_unit_test_front_SOURCES = tests/unit/test-front.c tests/unit/soft-spool.h
tests_unit_test_front_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_front_LDADD = src/spool/libspool.la src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)
