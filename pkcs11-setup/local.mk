pkcs11setupdir = $(pkgdatadir)/pkcs11-setup
dist_pkcs11setup_SCRIPTS = pkcs11-setup/softhsm pkcs11-setup/swtpm pkcs11-setup/tpm2
dist_pkcs11setup_DATA = pkcs11-setup/common.sh
