# p11-registry: the operator's program
bin_PROGRAMS += p11-registry
p11_registry_SOURCES = \
	src/cmd/p11-registry/cas.c \
	src/cmd/p11-registry/commands.c src/cmd/p11-registry/commands.h \
	src/cmd/p11-registry/commands_send.c \
	src/cmd/p11-registry/configs.c \
	src/cmd/p11-registry/credentials.c \
	src/cmd/p11-registry/device_lists.c \
	src/cmd/p11-registry/devices.c \
	src/cmd/p11-registry/export.c \
	src/cmd/p11-registry/gateways.c \
	src/cmd/p11-registry/import.c \
	src/cmd/p11-registry/keys.c src/cmd/p11-registry/keys.h \
	src/cmd/p11-registry/logs.c \
	src/cmd/p11-registry/main.c \
	src/cmd/p11-registry/metadata.c src/cmd/p11-registry/metadata.h \
	src/cmd/p11-registry/output.c \
	src/cmd/p11-registry/pubsub.c \
	src/cmd/p11-registry/registries.c \
	src/cmd/p11-registry/states.c \
	src/cmd/p11-registry/stream.c src/cmd/p11-registry/stream.h
p11_registry_CFLAGS = $(AM_CFLAGS) $(PIE_CFLAGS)
p11_registry_LDFLAGS = $(AM_LDFLAGS) $(PIE_LDFLAGS)
p11_registry_LDADD = src/registry/libregistry.la src/registry/librules.la src/jwt/libjwt.la src/pki/libpki.la \
	src/base/libbase.la $(SQLITE_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS)
