# mqtt's unit tests; tests/integration/mqtt-broker.sh has the rest
UNIT_TESTS += tests/unit/test-mqtt
tests_unit_test_mqtt_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_mqtt_LDADD = src/mqtt/libmqtt.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(PAHO_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
