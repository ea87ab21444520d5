# registry's unit tests
UNIT_TESTS += tests/unit/test-rules
tests_unit_test_rules_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_rules_LDADD = src/registry/librules.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-topic
tests_unit_test_topic_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_topic_LDADD = src/registry/librules.la src/base/libbase.la $(CMOCKA_LIBS) \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-registry
tests_unit_test_registry_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_registry_LDADD = src/registry/libregistry.la src/registry/librules.la \
	src/jwt/libjwt.la src/pki/libpki.la src/base/libbase.la $(CMOCKA_LIBS) $(SQLITE_LIBS) \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)

ADMIT_LDADD = src/registry/libregistry.la src/registry/librules.la \
	src/jwt/libjwt.la src/pki/libpki.la src/base/libbase.la $(CMOCKA_LIBS) $(SQLITE_LIBS) \
	$(JANSSON_LIBS) $(CRYPTO_LIBS)

UNIT_TESTS += tests/unit/test-jit
tests_unit_test_jit_SOURCES = tests/unit/test-jit.c tests/unit/soft-registry.h
tests_unit_test_jit_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_jit_LDADD = $(ADMIT_LDADD)

UNIT_TESTS += tests/unit/test-revoked
tests_unit_test_revoked_SOURCES = tests/unit/test-revoked.c tests/unit/soft-registry.h
tests_unit_test_revoked_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_revoked_LDADD = $(ADMIT_LDADD)

UNIT_TESTS += tests/unit/test-configs
tests_unit_test_configs_SOURCES = tests/unit/test-configs.c tests/unit/soft-store.h
tests_unit_test_configs_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_configs_LDADD = $(ADMIT_LDADD)

UNIT_TESTS += tests/unit/test-lists
tests_unit_test_lists_SOURCES = tests/unit/test-lists.c tests/unit/soft-store.h
tests_unit_test_lists_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_lists_LDADD = $(ADMIT_LDADD)

UNIT_TESTS += tests/unit/test-migration
tests_unit_test_migration_SOURCES = tests/unit/test-migration.c tests/unit/soft-store.h tests/unit/schema-1.h
tests_unit_test_migration_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_migration_LDADD = $(ADMIT_LDADD)

UNIT_TESTS += tests/unit/test-store
tests_unit_test_store_SOURCES = tests/unit/test-store.c tests/unit/soft-store.h
tests_unit_test_store_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_store_LDADD = $(ADMIT_LDADD)

UNIT_TESTS += tests/unit/test-audit
tests_unit_test_audit_SOURCES = tests/unit/test-audit.c tests/unit/soft-store.h
tests_unit_test_audit_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_audit_LDADD = $(ADMIT_LDADD)

UNIT_TESTS += tests/unit/test-restore
tests_unit_test_restore_SOURCES = tests/unit/test-restore.c tests/unit/soft-store.h \
	tests/unit/soft-key.h
tests_unit_test_restore_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_restore_LDADD = $(ADMIT_LDADD)

UNIT_TESTS += tests/unit/test-attached
tests_unit_test_attached_SOURCES = tests/unit/test-attached.c tests/unit/soft-store.h \
	tests/unit/soft-key.h
tests_unit_test_attached_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_attached_LDADD = $(ADMIT_LDADD)

UNIT_TESTS += tests/unit/test-retention
tests_unit_test_retention_SOURCES = tests/unit/test-retention.c tests/unit/soft-store.h
tests_unit_test_retention_CFLAGS = $(UNIT_CFLAGS) $(SQLITE_CFLAGS)
tests_unit_test_retention_LDADD = $(ADMIT_LDADD)
