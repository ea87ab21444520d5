# mqtt: the only room that knows paho
noinst_LTLIBRARIES += src/mqtt/libmqtt.la src/mqtt/libpacket.la
src_mqtt_libpacket_la_SOURCES = src/mqtt/packet.c src/mqtt/packet.h
src_mqtt_libmqtt_la_SOURCES = \
	src/mqtt/blocking.c \
	src/mqtt/diagnose.c src/mqtt/diagnose.h \
	src/mqtt/drive.c \
	src/mqtt/guard.c src/mqtt/guard.h \
	src/mqtt/inside.h \
	src/mqtt/link.c \
	src/mqtt/mqtt.c src/mqtt/mqtt.h \
	src/mqtt/receive.c \
	src/mqtt/subscribe.c \
	src/mqtt/url.c src/mqtt/url.h \
	src/mqtt/window.c \
	src/mqtt/words.c src/mqtt/words.h
src_mqtt_libmqtt_la_LIBADD = src/mqtt/libpacket.la $(PAHO_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)

# What paho is linked with in place of its records, and of what it asks the system for.
noinst_LIBRARIES += src/mqtt/liblean.a
src_mqtt_liblean_a_SOURCES = \
	src/mqtt/lean.c src/mqtt/lean.h \
	src/mqtt/stream.c src/mqtt/stream.h \
	src/mqtt/turn.c src/mqtt/turn.h
src_mqtt_liblean_a_CFLAGS = $(AM_CFLAGS) -fPIC
EXTRA_src_mqtt_libmqtt_la_DEPENDENCIES = src/mqtt/libpaho-lean.a src/mqtt/liblean.a
EXTRA_DIST += src/mqtt/lean.sh
CLEANFILES += src/mqtt/libpaho-lean.a

src/mqtt/libpaho-lean.a: $(PAHO_ARCHIVE) $(srcdir)/src/mqtt/lean.sh src/mqtt/liblean.a
	$(AM_V_GEN)$(srcdir)/src/mqtt/lean.sh '$(AR)' '$(OBJCOPY)' '$(NM)' '$(PAHO_ARCHIVE)' $@
