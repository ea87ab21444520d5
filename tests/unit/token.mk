# token's unit tests
UNIT_TESTS += tests/unit/test-token-uri
tests_unit_test_token_uri_CFLAGS = $(UNIT_CFLAGS) $(P11KIT_CFLAGS)
tests_unit_test_token_uri_LDADD = src/token/libtoken.la $(CMOCKA_LIBS) $(CRYPTO_LIBS) $(P11KIT_LIBS)

# Runs against the token that its environment names: the drivers below make one each.
check_PROGRAMS += tests/unit/test-token
tests_unit_test_token_SOURCES = tests/unit/test-token.c tests/unit/one-cert.h
tests_unit_test_token_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_token_LDADD = src/token/libtoken.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test-token-mock
tests_unit_test_token_mock_SOURCES = tests/unit/test-token-mock.c tests/unit/mock-token.h \
	tests/unit/one-cert.h tests/unit/soft-cert.h tests/unit/soft-key.h tests/unit/unit.h
tests_unit_test_token_mock_CFLAGS = $(UNIT_CFLAGS) $(P11KIT_CFLAGS)
tests_unit_test_token_mock_LDADD = src/token/libtoken.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test-token-names
tests_unit_test_token_names_SOURCES = tests/unit/test-token-names.c tests/unit/mock-token.h \
	tests/unit/soft-cert.h tests/unit/soft-key.h tests/unit/unit.h
tests_unit_test_token_names_CFLAGS = $(UNIT_CFLAGS) $(P11KIT_CFLAGS)
tests_unit_test_token_names_LDADD = src/token/libtoken.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

check_PROGRAMS += tests/unit/test-token-certs
tests_unit_test_token_certs_SOURCES = tests/unit/test-token-certs.c tests/unit/mock-token.h \
	tests/unit/soft-cert.h tests/unit/soft-key.h tests/unit/unit.h
tests_unit_test_token_certs_CFLAGS = $(UNIT_CFLAGS) $(P11KIT_CFLAGS)
tests_unit_test_token_certs_LDADD = src/token/libtoken.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

TOKEN_DRIVERS = tests/unit/token-softhsm.test tests/unit/token-swtpm.test tests/unit/token-mock.test
dist_check_SCRIPTS += $(TOKEN_DRIVERS)
if HAVE_CMOCKA
TESTS += $(TOKEN_DRIVERS)
endif
