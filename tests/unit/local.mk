# Unit tests: one program a module. Each room's list stands in its own lines.
UNIT_TESTS =
EXTRA_DIST += tests/unit/unit.h tests/unit/soft-client.h tests/unit/soft-dir.h
if HAVE_CMOCKA
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)
endif
include tests/unit/jwt.mk
include tests/unit/pki.mk
include tests/unit/token.mk
include tests/unit/mqtt.mk
include tests/unit/registry.mk
include tests/unit/plugin.mk
include tests/unit/site.mk
include tests/unit/gateway.mk
include tests/unit/spool.mk

UNIT_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)

UNIT_TESTS += tests/unit/test-base64url
tests_unit_test_base64url_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_base64url_LDADD = src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-fault
tests_unit_test_fault_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_fault_LDADD = src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-file
tests_unit_test_file_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_file_LDADD = src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-heap
tests_unit_test_heap_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_heap_LDADD = src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-ini
tests_unit_test_ini_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ini_LDADD = src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-log
tests_unit_test_log_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_log_LDADD = src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-setting
tests_unit_test_setting_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_setting_LDADD = src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-text
tests_unit_test_text_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_text_LDADD = src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-table
tests_unit_test_table_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_table_LDADD = src/base/libbase.la $(CMOCKA_LIBS) $(CRYPTO_LIBS)
