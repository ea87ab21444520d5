# gateway's unit tests: the decisions; tests/integration/gateway.sh has the whole
UNIT_TESTS += tests/unit/test-gateway
tests_unit_test_gateway_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_gateway_LDADD = src/gateway/libdecide.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-devices
tests_unit_test_devices_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_devices_LDADD = src/gateway/libdecide.la src/base/libbase.la $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-poison
tests_unit_test_poison_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_poison_LDADD = src/gateway/libdecide.la src/base/libbase.la $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-metrics
tests_unit_test_metrics_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_metrics_LDADD = src/gateway/libdecide.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)
