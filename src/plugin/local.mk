# plugin: the mosquitto plugins, thin, and what of them runs without a broker
plugin_LTLIBRARIES += src/plugin/p11_registry.la
noinst_LTLIBRARIES += src/plugin/libsessions.la
src_plugin_libsessions_la_SOURCES = \
	src/plugin/allowance.c src/plugin/allowance.h \
	src/plugin/attributes.c src/plugin/attributes.h \
	src/plugin/journal_queue.c src/plugin/journal_queue.h \
	src/plugin/log_limits.c src/plugin/log_limits.h \
	src/plugin/roster.c src/plugin/roster.h \
	src/plugin/sessions.c src/plugin/sessions.h \
	src/plugin/version.c src/plugin/version.h \
	src/plugin/waker.c src/plugin/waker.h

src_plugin_p11_registry_la_SOURCES = \
	src/plugin/broker.c src/plugin/broker.h \
	src/plugin/broker_config.c src/plugin/broker_config.h \
	src/plugin/downlink.c \
	src/plugin/gateway.c \
	src/plugin/journal.c src/plugin/journal.h \
	src/plugin/options.c src/plugin/options.h \
	src/plugin/plugin.h \
	src/plugin/registry.c \
	src/plugin/registry_options.c src/plugin/registry_options.h \
	src/plugin/uplink.c \
	src/plugin/watch.c
src_plugin_p11_registry_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-export-symbols-regex '^mosquitto_plugin_(version|init|cleanup)$$'
src_plugin_p11_registry_la_LIBADD = src/plugin/libsessions.la src/registry/libregistry.la \
	src/registry/librules.la src/jwt/libjwt.la src/pki/libpki.la src/base/libbase.la \
	$(SQLITE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)

# the site's
plugin_LTLIBRARIES += src/plugin/p11_site.la
noinst_LTLIBRARIES += src/plugin/libspeakers.la
src_plugin_libspeakers_la_SOURCES = \
	src/plugin/broker_config.c src/plugin/broker_config.h \
	src/plugin/door.c src/plugin/door.h \
	src/plugin/name_file.c src/plugin/name_file.h \
	src/plugin/name_limit.c src/plugin/name_limit.h \
	src/plugin/retained.c src/plugin/retained.h \
	src/plugin/speakers.c src/plugin/speakers.h \
	src/plugin/will.c src/plugin/will.h
src_plugin_p11_site_la_SOURCES = \
	src/plugin/broker.c src/plugin/broker.h \
	src/plugin/options.c src/plugin/options.h \
	src/plugin/site.c \
	src/plugin/site_accept.c \
	src/plugin/site_deliver.c \
	src/plugin/site_identity.c \
	src/plugin/site_log.c \
	src/plugin/site_options.c src/plugin/site_options.h \
	src/plugin/site_plugin.h \
	src/plugin/version.c src/plugin/version.h
src_plugin_p11_site_la_LDFLAGS = $(src_plugin_p11_registry_la_LDFLAGS)
src_plugin_p11_site_la_LIBADD = src/plugin/libspeakers.la src/site/libsite.la src/spool/libspool.la \
	src/registry/librules.la src/base/libbase.la $(JANSSON_LIBS) $(CRYPTO_LIBS)
