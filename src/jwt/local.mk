# jwt: claims, sign, parse, verify
noinst_LTLIBRARIES += src/jwt/libjwt.la
src_jwt_libjwt_la_SOURCES = \
	src/jwt/claims.c src/jwt/claims.h \
	src/jwt/jwt.c src/jwt/jwt.h \
	src/jwt/kind.h \
	src/jwt/parse.c \
	src/jwt/sign.c \
	src/jwt/verify.c \
	src/jwt/x5c.c src/jwt/x5c.h
src_jwt_libjwt_la_LIBADD = $(JANSSON_LIBS) $(CRYPTO_LIBS)
