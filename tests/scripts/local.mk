# tests of the scripts
dist_check_SCRIPTS += tests/scripts/pkcs11-setup.test
TESTS += tests/scripts/pkcs11-setup.test
