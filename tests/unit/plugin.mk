# plugin's unit tests
UNIT_TESTS += tests/unit/test-sessions
tests_unit_test_sessions_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sessions_LDADD = src/plugin/libsessions.la src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS) -lmosquitto

