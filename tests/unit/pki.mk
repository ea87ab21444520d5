# pki's unit tests
UNIT_TESTS += tests/unit/test-pki
tests_unit_test_pki_SOURCES = tests/unit/test-pki.c tests/unit/soft-key.h tests/unit/unit.h
tests_unit_test_pki_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_pki_LDADD = src/pki/libpki.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-crl
tests_unit_test_crl_SOURCES = tests/unit/test-crl.c tests/unit/soft-cert.h
tests_unit_test_crl_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_crl_LDADD = src/pki/libpki.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-bundle
tests_unit_test_bundle_SOURCES = tests/unit/test-bundle.c tests/unit/soft-cert.h tests/unit/soft-key.h \
	tests/unit/unit.h
tests_unit_test_bundle_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_bundle_LDADD = src/pki/libpki.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)
