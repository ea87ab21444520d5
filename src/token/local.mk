# token: the only room that knows PKCS#11, p11-kit and libp11
noinst_LTLIBRARIES += src/token/libtoken.la
src_token_libtoken_la_SOURCES = \
	src/token/cert.c \
	src/token/check.c \
	src/token/ckr.c src/token/ckr.h \
	src/token/find.c \
	src/token/inside.h \
	src/token/key.c \
	src/token/keygen.c \
	src/token/list.c \
	src/token/login.c \
	src/token/module.c \
	src/token/pin.c \
	src/token/public.c \
	src/token/token.c src/token/token.h \
	src/token/uri.c \
	src/token/use.c
src_token_libtoken_la_CFLAGS = $(AM_CFLAGS) $(P11KIT_CFLAGS) $(LIBP11_CFLAGS)
src_token_libtoken_la_LIBADD = src/base/libbase.la $(P11KIT_LIBS) $(LIBP11_LIBS) $(CRYPTO_LIBS)
