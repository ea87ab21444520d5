# mqtt: the only room that knows paho
noinst_LTLIBRARIES += src/mqtt/libmqtt.la
src_mqtt_libmqtt_la_SOURCES = \
	src/mqtt/blocking.c \
	src/mqtt/diagnose.c src/mqtt/diagnose.h \
	src/mqtt/inside.h \
	src/mqtt/link.c \
	src/mqtt/mqtt.c src/mqtt/mqtt.h \
	src/mqtt/receive.c \
	src/mqtt/subscribe.c \
	src/mqtt/url.c src/mqtt/url.h \
	src/mqtt/window.c \
	src/mqtt/words.c src/mqtt/words.h
src_mqtt_libmqtt_la_LIBADD = $(PAHO_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
