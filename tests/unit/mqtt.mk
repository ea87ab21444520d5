# mqtt's unit tests; tests/integration/mqtt-broker.sh has what arrives and who is refused
UNIT_TESTS += tests/unit/test-mqtt
tests_unit_test_mqtt_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_mqtt_LDADD = src/mqtt/libmqtt.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(PAHO_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

# Runs against the broker that its driver starts.
check_PROGRAMS += tests/unit/test-mqtt-broker
tests_unit_test_mqtt_broker_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_mqtt_broker_LDADD = src/mqtt/libmqtt.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(PAHO_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

dist_check_SCRIPTS += tests/unit/mqtt-broker.test
if HAVE_CMOCKA
TESTS += tests/unit/mqtt-broker.test
endif

UNIT_TESTS += tests/unit/test-stream
tests_unit_test_stream_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_stream_LDADD = src/mqtt/liblean.a $(CMOCKA_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
