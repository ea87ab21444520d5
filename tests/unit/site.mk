# site's unit tests
UNIT_TESTS += tests/unit/test-site
tests_unit_test_site_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_site_LDADD = src/site/libsite.la src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)
