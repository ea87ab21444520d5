# pki: requests, certificates, names and public keys
noinst_LTLIBRARIES += src/pki/libpki.la
src_pki_libpki_la_SOURCES = \
	src/pki/bundle.c src/pki/bundle.h \
	src/pki/cert.h \
	src/pki/check.c \
	src/pki/crl.c src/pki/crl.h \
	src/pki/describe.c src/pki/describe.h \
	src/pki/identity.c src/pki/identity.h \
	src/pki/key.c src/pki/key.h \
	src/pki/make.c \
	src/pki/name.c src/pki/name.h \
	src/pki/verify.c src/pki/verify.h
src_pki_libpki_la_LIBADD = $(JANSSON_LIBS) $(CRYPTO_LIBS)
