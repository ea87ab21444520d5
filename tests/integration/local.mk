# tests/integration
scenario_helpers = tests/integration/lib.sh tests/integration/journey.sh tests/integration/bad-input.sh \
	tests/integration/gateway.sh tests/integration/hostile-cloud.sh tests/integration/site-lib.sh
EXTRA_DIST += $(scenario_helpers) tests/integration/hostile-cloud.py tests/lsan.supp tests/tsan.supp

# a scenario x a token (x a kind of key)
SCENARIOS = \
	tests/integration/journey-softhsm-ec.test \
	tests/integration/journey-softhsm-rsa.test \
	tests/integration/journey-swtpm-ec.test \
	tests/integration/journey-swtpm-rsa.test \
	tests/integration/bad-input-softhsm.test \
	tests/integration/bad-input-swtpm.test \
	tests/integration/gateway-softhsm.test \
	tests/integration/gateway-swtpm.test \
	tests/integration/hostile-cloud-3.test \
	tests/integration/hostile-cloud-5.test
dist_check_SCRIPTS += $(SCENARIOS)
TESTS += $(SCENARIOS)

# mqtt/ against a broker without the plugin
check_PROGRAMS += tests/integration/mqtt-client
tests_integration_mqtt_client_LDADD = src/mqtt/libmqtt.la src/base/libbase.la $(PAHO_LIBS) \
	$(SSL_LIBS) $(CRYPTO_LIBS)
dist_check_SCRIPTS += tests/integration/mqtt-broker.sh
TESTS += tests/integration/mqtt-broker.sh

# ten thousand devices
dist_check_SCRIPTS += tests/integration/site-crowd.sh
TESTS += tests/integration/site-crowd.sh
EXTRA_DIST += tests/integration/site-crowd.py

# what was taken arrives, whatever is killed: a short form, and `make soak`
dist_check_SCRIPTS += tests/integration/nothing-lost.sh
TESTS += tests/integration/nothing-lost.sh
EXTRA_DIST += tests/integration/load.py
SOAK_ROUNDS = 100
soak: all $(check_PROGRAMS)
	$(AM_TESTS_ENVIRONMENT) ROUNDS=$(SOAK_ROUNDS) $(SHELL) $(srcdir)/tests/integration/nothing-lost.sh
.PHONY: soak
