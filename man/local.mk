# man pages, by hand in mdoc
dist_man_MANS += man/p11-gateway.1 man/p11-registry.1 man/p11_registry.so.8 \
	man/p11-gateway.conf.5 man/p11-gateway-security.7 man/p11-gateway@.service.8 \
	man/p11_site.so.8
