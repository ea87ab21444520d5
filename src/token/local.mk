# token: the only room that knows PKCS#11, p11-kit and libp11
noinst_LTLIBRARIES += src/token/libtoken.la
src_token_libtoken_la_SOURCES = \
	src/token/about.c \
	src/token/cert.c \
	src/token/cert_find.c \
	src/token/cert_import.c \
	src/token/check.c \
	src/token/ckr.c src/token/ckr.h \
	src/token/find.c \
	src/token/identity.c \
	src/token/inside.h \
	src/token/key.c \
	src/token/keygen.c \
	src/token/list.c \
	src/token/login.c \
	src/token/match.c \
	src/token/module.c \
	src/token/object.c \
	src/token/pin.c \
	src/token/places.c \
	src/token/prove.c \
	src/token/public.c \
	src/token/token.c src/token/token.h \
	src/token/uri.c \
	src/token/use.c
src_token_libtoken_la_CFLAGS = $(AM_CFLAGS) $(P11KIT_CFLAGS) $(LIBP11_CFLAGS)
src_token_libtoken_la_LIBADD = src/base/libbase.la $(P11KIT_LIBS) $(LIBP11_LIBS) $(CRYPTO_LIBS)
