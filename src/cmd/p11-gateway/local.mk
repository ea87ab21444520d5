# p11-gateway: the agent's program
bin_PROGRAMS += p11-gateway
p11_gateway_SOURCES = \
	src/cmd/p11-gateway/cert.c \
	src/cmd/p11-gateway/commands.c src/cmd/p11-gateway/commands.h \
	src/cmd/p11-gateway/csr.c \
	src/cmd/p11-gateway/jwt.c \
	src/cmd/p11-gateway/keygen.c \
	src/cmd/p11-gateway/main.c \
	src/cmd/p11-gateway/pubkey.c \
	src/cmd/p11-gateway/publish.c \
	src/cmd/p11-gateway/run.c \
	src/cmd/p11-gateway/selfsign.c \
	src/cmd/p11-gateway/spool.c \
	src/cmd/p11-gateway/status.c \
	src/cmd/p11-gateway/tokens.c \
	src/cmd/p11-gateway/x5c.c
p11_gateway_CFLAGS = $(AM_CFLAGS) $(PIE_CFLAGS)
p11_gateway_LDFLAGS = $(AM_LDFLAGS) $(PIE_LDFLAGS)
p11_gateway_LDADD = src/gateway/libgateway.la src/registry/librules.la src/mqtt/libmqtt.la src/token/libtoken.la \
	src/jwt/libjwt.la src/pki/libpki.la src/base/libbase.la \
	$(PAHO_LIBS) $(LIBP11_LIBS) $(P11KIT_LIBS) $(JANSSON_LIBS) $(SSL_LIBS) $(CRYPTO_LIBS)
