cadir = $(pkgdatadir)/ca
dist_ca_SCRIPTS = ca/ca
dist_ca_DATA = ca/common.sh ca/names.sh ca/openssl.cnf ca/request.sh ca/san.sh
caprofilesdir = $(cadir)/profiles
dist_caprofiles_DATA = ca/profiles/device ca/profiles/iot-ca ca/profiles/root ca/profiles/server
