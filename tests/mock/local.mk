# mock: a PKCS#11 module that fails on demand. Without the sanitizers, so that any program loads it.
check_LTLIBRARIES += tests/mock/mock-pkcs11.la
tests_mock_mock_pkcs11_la_SOURCES = \
	tests/mock/attrs.c \
	tests/mock/call.c \
	tests/mock/faults.c \
	tests/mock/functions.h \
	tests/mock/keys.c \
	tests/mock/mock.h \
	tests/mock/module.c \
	tests/mock/names.c \
	tests/mock/objects.c \
	tests/mock/session.c \
	tests/mock/sign.c \
	tests/mock/store.c \
	tests/mock/unsupported.c
tests_mock_mock_pkcs11_la_CFLAGS = -std=gnu11 $(WARN_CFLAGS) $(HARDEN_CFLAGS) $(CRYPTO_CFLAGS) \
	$(P11KIT_CFLAGS)
# -rpath makes libtool build a check_ library shared. -z nodelete: the counts of calls and the
# objects outlive a dlclose, as a token outlives its module.
tests_mock_mock_pkcs11_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere \
	-export-symbols-regex '^C_GetFunctionList$$' $(HARDEN_LDFLAGS) -Wl,-z,nodelete
tests_mock_mock_pkcs11_la_LIBADD = $(CRYPTO_LIBS)

check_PROGRAMS += tests/mock/test-mock
tests_mock_test_mock_CFLAGS = $(AM_CFLAGS) $(P11KIT_CFLAGS)
tests_mock_test_mock_LDADD = $(P11KIT_LIBS)

dist_check_SCRIPTS += tests/mock/mock.test
TESTS += tests/mock/mock.test
