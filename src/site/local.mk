# site: what the site's broker and a gateway say to each other
noinst_LTLIBRARIES += src/site/libsite.la
src_site_libsite_la_SOURCES = \
	src/site/channel.c src/site/channel.h \
	src/site/filter.c src/site/filter.h \
	src/site/frame.c src/site/frame.h
src_site_libsite_la_LIBADD = $(CRYPTO_LIBS)
