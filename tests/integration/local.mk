# tests/integration
scenario_helpers = tests/integration/lib.sh tests/integration/journey.sh tests/integration/bad-input.sh \
	tests/integration/gateway.sh tests/integration/hostile-cloud.sh tests/integration/site-lib.sh \
	tests/integration/load-lib.sh tests/integration/device-keys.sh tests/integration/poison.sh \
	tests/integration/ca-answers.sh
EXTRA_DIST += $(scenario_helpers) tests/integration/hostile-cloud.py tests/lsan.supp tests/tsan.supp

# a scenario x a token (x a kind of key)
SCENARIOS = \
	tests/integration/journey-softhsm-ec.test \
	tests/integration/journey-softhsm-rsa.test \
	tests/integration/journey-swtpm-ec.test \
	tests/integration/journey-swtpm-rsa.test \
	tests/integration/bad-input-softhsm.test \
	tests/integration/bad-input-swtpm.test \
	tests/integration/ca-answers-softhsm.test \
	tests/integration/ca-answers-swtpm.test \
	tests/integration/gateway-softhsm.test \
	tests/integration/gateway-swtpm.test \
	tests/integration/device-keys-softhsm.test \
	tests/integration/device-keys-swtpm.test \
	tests/integration/hostile-cloud-3.test \
	tests/integration/hostile-cloud-5.test \
	tests/integration/hostile-cloud-tls.test \
	tests/integration/poison-3.test \
	tests/integration/poison-5.test
dist_check_SCRIPTS += $(SCENARIOS)
TESTS += $(SCENARIOS)

# mqtt/ against a broker without the plugin
check_PROGRAMS += tests/integration/mqtt-client
tests_integration_mqtt_client_LDADD = src/mqtt/libmqtt.la src/base/libbase.la $(PAHO_LIBS) \
	$(SSL_LIBS) $(CRYPTO_LIBS)
dist_check_SCRIPTS += tests/integration/mqtt-broker.sh
TESTS += tests/integration/mqtt-broker.sh
EXTRA_DIST += tests/integration/hang-up.py

# a gateway's uplinks: profiles, two on one spool; as packaged, the broker and it are two users
dist_check_SCRIPTS += tests/integration/uplinks.sh tests/integration/two-users.sh
TESTS += tests/integration/uplinks.sh tests/integration/two-users.sh

# brokers that a gateway cannot use, or not as it is set
dist_check_SCRIPTS += tests/integration/other-brokers.sh
TESTS += tests/integration/other-brokers.sh

# a token that fails on demand
dist_check_SCRIPTS += tests/integration/token-faults.sh
TESTS += tests/integration/token-faults.sh

# a token that several processes use at once
dist_check_SCRIPTS += tests/integration/shared-token.sh
TESTS += tests/integration/shared-token.sh

# what the settings file says; what a running gateway outlives; a password that is no token
dist_check_SCRIPTS += tests/integration/settings.sh tests/integration/reload.sh \
	tests/integration/static-password.sh
TESTS += tests/integration/settings.sh tests/integration/reload.sh \
	tests/integration/static-password.sh

# devices that attach themselves, or are not wanted; what a cloud ends connections for
dist_check_SCRIPTS += tests/integration/attach.sh tests/integration/pace.sh
TESTS += tests/integration/attach.sh tests/integration/pace.sh

# what a gateway shows of itself
dist_check_SCRIPTS += tests/integration/metrics.sh
TESTS += tests/integration/metrics.sh
EXTRA_DIST += tests/integration/exposition.awk tests/integration/slow-http.py

# what a gateway tells systemd
dist_check_SCRIPTS += tests/integration/notify.sh
TESTS += tests/integration/notify.sh
EXTRA_DIST += tests/integration/notify.py

# ten thousand devices
dist_check_SCRIPTS += tests/integration/site-crowd.sh
TESTS += tests/integration/site-crowd.sh
EXTRA_DIST += tests/integration/site-crowd.py

# a crowd of names that the cloud does not know
dist_check_SCRIPTS += tests/integration/site-names.sh
TESTS += tests/integration/site-names.sh
EXTRA_DIST += tests/integration/site-names.py

# what was taken arrives, whatever is killed: a short form, and `make soak`
UNDER_LOAD = \
	tests/integration/clock.sh \
	tests/integration/expiry.sh \
	tests/integration/failover.sh \
	tests/integration/nothing-lost.sh \
	tests/integration/nothing-lost-swtpm.test \
	tests/integration/steady.sh
dist_check_SCRIPTS += $(UNDER_LOAD)
TESTS += $(UNDER_LOAD)
EXTRA_DIST += tests/integration/load.py

# a spool on a disk that fails, and one that is deleted
dist_check_SCRIPTS += tests/integration/bad-disk.sh
TESTS += tests/integration/bad-disk.sh

# another wall clock, for programs that preload it: without the sanitizers, so that any program can
check_LTLIBRARIES += tests/integration/wall-clock.la
tests_integration_wall_clock_la_SOURCES = tests/integration/wall-clock.c
tests_integration_wall_clock_la_CFLAGS = -std=gnu11 $(WARN_CFLAGS) $(HARDEN_CFLAGS)
tests_integration_wall_clock_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere $(HARDEN_LDFLAGS)

# With a TPM its power goes too. 120 renewals are those of a day of tokens of 12 minutes.
SOAK_ROUNDS = 100
SOAK_RENEWALS = 120
SOAK_SECONDS = 3600
soak: all $(check_PROGRAMS)
	$(AM_TESTS_ENVIRONMENT) ROUNDS=$(SOAK_ROUNDS) $(SHELL) $(srcdir)/tests/integration/nothing-lost.sh
	$(AM_TESTS_ENVIRONMENT) ROUNDS=$(SOAK_ROUNDS) TOKEN=swtpm $(SHELL) $(srcdir)/tests/integration/nothing-lost.sh
	$(AM_TESTS_ENVIRONMENT) RENEWALS=$(SOAK_RENEWALS) $(SHELL) $(srcdir)/tests/integration/expiry.sh
	$(AM_TESTS_ENVIRONMENT) LOAD_S=$(SOAK_SECONDS) $(SHELL) $(srcdir)/tests/integration/steady.sh
.PHONY: soak
