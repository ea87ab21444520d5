# gateway: `p11-gateway run`; the only room that knows libuv and microhttpd
noinst_LTLIBRARIES += src/gateway/libgateway.la src/gateway/libdecide.la
src_gateway_libdecide_la_SOURCES = \
	src/gateway/attach_queue.c src/gateway/attach_queue.h \
	src/gateway/backoff.c src/gateway/backoff.h \
	src/gateway/devices.c src/gateway/devices.h \
	src/gateway/devices_attach.c src/gateway/devices_due.c src/gateway/devices_inside.h \
	src/gateway/devices_messages.c src/gateway/devices_state.c src/gateway/devices_wanted.c \
	src/gateway/ledger.c src/gateway/ledger.h \
	src/gateway/listen.c src/gateway/listen.h \
	src/gateway/metrics.c src/gateway/metrics.h \
	src/gateway/pace.c src/gateway/pace.h \
	src/gateway/poison.c src/gateway/poison.h \
	src/gateway/poison_flight.c \
	src/gateway/poison_topic.c src/gateway/poison_topic.h \
	src/gateway/route.c src/gateway/route.h \
	src/gateway/settings.c src/gateway/settings.h src/gateway/settings_finish.c \
	src/gateway/tally.c src/gateway/tally.h \
	src/gateway/template.c src/gateway/template.h
src_gateway_libdecide_la_LIBADD = src/site/libsite.la src/registry/librules.la
src_gateway_libgateway_la_SOURCES = \
	src/gateway/answers.c \
	src/gateway/attach.c \
	src/gateway/check.c src/gateway/check.h \
	src/gateway/cloud.c \
	src/gateway/credential.c src/gateway/credential.h \
	src/gateway/down.c \
	src/gateway/gateway.c src/gateway/gateway.h \
	src/gateway/inside.h \
	src/gateway/local.c \
	src/gateway/observe.c \
	src/gateway/pump.c \
	src/gateway/scrape.c \
	src/gateway/signer.c \
	src/gateway/status.c
src_gateway_libgateway_la_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS) $(MICROHTTPD_CFLAGS)
src_gateway_libgateway_la_LIBADD = src/gateway/libdecide.la src/spool/libspool.la $(UV_LIBS) \
	$(MICROHTTPD_LIBS)
