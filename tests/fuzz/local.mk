# Fuzz targets. With --enable-fuzzing they are libFuzzer's programs; else replay.c runs each over its
# corpus, in `make check`.
FUZZERS = tests/fuzz/fuzz-cert tests/fuzz/fuzz-device tests/fuzz/fuzz-jwt tests/fuzz/fuzz-site \
	tests/fuzz/fuzz-packet tests/fuzz/fuzz-settings tests/fuzz/fuzz-spool tests/fuzz/fuzz-uri
check_PROGRAMS += $(FUZZERS)
if FUZZING
FUZZ_REPLAY =
else
FUZZ_REPLAY = tests/fuzz/replay.c
TESTS += tests/fuzz/replay.test
endif
dist_check_SCRIPTS += tests/fuzz/replay.test
EXTRA_DIST += tests/fuzz/replay.c

tests_fuzz_fuzz_cert_SOURCES = tests/fuzz/fuzz-cert.c
nodist_tests_fuzz_fuzz_cert_SOURCES = $(FUZZ_REPLAY)
tests_fuzz_fuzz_cert_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_cert_LDADD = src/pki/libpki.la src/base/libbase.la $(JANSSON_LIBS) $(CRYPTO_LIBS)

tests_fuzz_fuzz_device_SOURCES = tests/fuzz/fuzz-device.c
nodist_tests_fuzz_fuzz_device_SOURCES = $(FUZZ_REPLAY)
tests_fuzz_fuzz_device_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_device_LDADD = src/registry/librules.la src/base/libbase.la $(JANSSON_LIBS) \
	$(CRYPTO_LIBS)

tests_fuzz_fuzz_jwt_SOURCES = tests/fuzz/fuzz-jwt.c
nodist_tests_fuzz_fuzz_jwt_SOURCES = $(FUZZ_REPLAY)
tests_fuzz_fuzz_jwt_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_jwt_LDADD = src/registry/librules.la src/jwt/libjwt.la src/base/libbase.la \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)

tests_fuzz_fuzz_site_SOURCES = tests/fuzz/fuzz-site.c
nodist_tests_fuzz_fuzz_site_SOURCES = $(FUZZ_REPLAY)
tests_fuzz_fuzz_site_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_site_LDADD = src/site/libsite.la src/base/libbase.la $(CRYPTO_LIBS)

tests_fuzz_fuzz_packet_SOURCES = tests/fuzz/fuzz-packet.c
nodist_tests_fuzz_fuzz_packet_SOURCES = $(FUZZ_REPLAY)
tests_fuzz_fuzz_packet_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_packet_LDADD = src/mqtt/libpacket.la src/base/libbase.la $(CRYPTO_LIBS)

tests_fuzz_fuzz_settings_SOURCES = tests/fuzz/fuzz-settings.c
nodist_tests_fuzz_fuzz_settings_SOURCES = $(FUZZ_REPLAY)
tests_fuzz_fuzz_settings_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_settings_LDADD = src/gateway/libdecide.la src/base/libbase.la $(JANSSON_LIBS) \
	$(CRYPTO_LIBS)

tests_fuzz_fuzz_spool_SOURCES = tests/fuzz/fuzz-spool.c
nodist_tests_fuzz_fuzz_spool_SOURCES = $(FUZZ_REPLAY)
tests_fuzz_fuzz_spool_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_spool_LDADD = src/spool/libspool.la src/base/libbase.la $(CRYPTO_LIBS)

tests_fuzz_fuzz_uri_SOURCES = tests/fuzz/fuzz-uri.c
nodist_tests_fuzz_fuzz_uri_SOURCES = $(FUZZ_REPLAY)
tests_fuzz_fuzz_uri_CFLAGS = $(AM_CFLAGS) $(P11KIT_CFLAGS)
tests_fuzz_fuzz_uri_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_uri_LDADD = src/token/libtoken.la src/base/libbase.la $(LIBP11_LIBS) \
	$(P11KIT_LIBS) $(CRYPTO_LIBS)

EXTRA_DIST += \
	tests/fuzz/corpus/cert/crl.pem \
	tests/fuzz/corpus/cert/dns \
	tests/fuzz/corpus/cert/ec-public.pem \
	tests/fuzz/corpus/cert/ec.der \
	tests/fuzz/corpus/cert/ec.pem \
	tests/fuzz/corpus/cert/email \
	tests/fuzz/corpus/cert/explicit-public.pem \
	tests/fuzz/corpus/cert/ip \
	tests/fuzz/corpus/cert/name \
	tests/fuzz/corpus/cert/rsa-ca.der \
	tests/fuzz/corpus/cert/rsa-public.pem \
	tests/fuzz/corpus/cert/truncated.der \
	tests/fuzz/corpus/cert/uri \
	tests/fuzz/corpus/cert/weak-public.pem \
	tests/fuzz/corpus/device/attach \
	tests/fuzz/corpus/device/bytes \
	tests/fuzz/corpus/device/client-id \
	tests/fuzz/corpus/device/commands \
	tests/fuzz/corpus/device/config \
	tests/fuzz/corpus/device/errors \
	tests/fuzz/corpus/device/events \
	tests/fuzz/corpus/device/share \
	tests/fuzz/corpus/jwt/claims \
	tests/fuzz/corpus/jwt/crit \
	tests/fuzz/corpus/jwt/duplicate \
	tests/fuzz/corpus/jwt/es256 \
	tests/fuzz/corpus/jwt/hs256 \
	tests/fuzz/corpus/jwt/none \
	tests/fuzz/corpus/jwt/padded \
	tests/fuzz/corpus/jwt/rs256 \
	tests/fuzz/corpus/jwt/types \
	tests/fuzz/corpus/jwt/x5c \
	tests/fuzz/corpus/jwt/x5c-types \
	tests/fuzz/corpus/jwt/x5c-url \
	tests/fuzz/corpus/packet/connack \
	tests/fuzz/corpus/packet/disconnect \
	tests/fuzz/corpus/packet/long-properties \
	tests/fuzz/corpus/packet/publish \
	tests/fuzz/corpus/packet/suback \
	tests/fuzz/corpus/settings/braces \
	tests/fuzz/corpus/settings/comments \
	tests/fuzz/corpus/settings/crlf \
	tests/fuzz/corpus/settings/long \
	tests/fuzz/corpus/settings/nul \
	tests/fuzz/corpus/settings/password \
	tests/fuzz/corpus/settings/section \
	tests/fuzz/corpus/settings/twice \
	tests/fuzz/corpus/settings/whole \
	tests/fuzz/corpus/site/filter \
	tests/fuzz/corpus/site/frames \
	tests/fuzz/corpus/site/short \
	tests/fuzz/corpus/spool/damaged \
	tests/fuzz/corpus/spool/records \
	tests/fuzz/corpus/spool/segment \
	tests/fuzz/corpus/spool/torn \
	tests/fuzz/corpus/uri/cut \
	tests/fuzz/corpus/uri/empty \
	tests/fuzz/corpus/uri/full \
	tests/fuzz/corpus/uri/pin-value \
	tests/fuzz/corpus/uri/settings \
	tests/fuzz/corpus/uri/tpm
