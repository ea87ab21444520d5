# pki's unit tests
