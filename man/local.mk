# man pages, by hand in mdoc
dist_man_MANS += man/p11-gateway.1 man/p11-registry.1 man/p11_registry.so.8
