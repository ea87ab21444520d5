# tests of the scripts
EXTRA_DIST += tests/scripts/style

dist_check_SCRIPTS += tests/scripts/ca.test
TESTS += tests/scripts/ca.test

dist_check_SCRIPTS += tests/scripts/pkcs11-setup.test
TESTS += tests/scripts/pkcs11-setup.test

dist_check_SCRIPTS += tests/scripts/readme.test
TESTS += tests/scripts/readme.test

dist_check_SCRIPTS += tests/scripts/man.test
TESTS += tests/scripts/man.test

dist_check_SCRIPTS += tests/scripts/registry.test
TESTS += tests/scripts/registry.test

dist_check_SCRIPTS += tests/scripts/verify.test
TESTS += tests/scripts/verify.test

dist_check_SCRIPTS += tests/scripts/move.test
TESTS += tests/scripts/move.test

dist_check_SCRIPTS += tests/scripts/systemd.test
TESTS += tests/scripts/systemd.test

dist_check_SCRIPTS += tests/scripts/seccomp.test
TESTS += tests/scripts/seccomp.test

dist_check_SCRIPTS += tests/scripts/service.test
TESTS += tests/scripts/service.test

dist_check_SCRIPTS += tests/scripts/terminal.test
TESTS += tests/scripts/terminal.test
