# jwt's unit tests
UNIT_TESTS += tests/unit/test-jwt
tests_unit_test_jwt_SOURCES = tests/unit/test-jwt.c tests/unit/soft-key.h tests/unit/unit.h
tests_unit_test_jwt_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_jwt_LDADD = src/jwt/libjwt.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)
