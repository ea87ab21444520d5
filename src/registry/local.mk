# registry: rules are pure and stand alone; the file is the only thing that knows SQLite
noinst_LTLIBRARIES += src/registry/librules.la
src_registry_librules_la_SOURCES = src/registry/rules.c src/registry/rules.h
src_registry_librules_la_LIBADD = $(JANSSON_LIBS)
