# pki
