# base: faults, log, clean-up, secrets, files, base64url, settings and commands
noinst_LTLIBRARIES += src/base/libbase.la
src_base_libbase_la_SOURCES = \
	src/base/auto.h \
	src/base/base64url.c src/base/base64url.h \
	src/base/clock.c src/base/clock.h \
	src/base/command.c src/base/command.h \
	src/base/fault.c src/base/fault.h \
	src/base/file.c src/base/file.h \
	src/base/hash.c src/base/hash.h \
	src/base/heap.c src/base/heap.h \
	src/base/ini.c src/base/ini.h \
	src/base/list.c src/base/list.h \
	src/base/log.c src/base/log.h \
	src/base/notify.c src/base/notify.h \
	src/base/process.c src/base/process.h \
	src/base/secret.c src/base/secret.h \
	src/base/setting.c src/base/setting.h \
	src/base/table.c src/base/table.h \
	src/base/text.c src/base/text.h \
	src/base/thread.c src/base/thread.h \
	src/base/times.c src/base/times.h
src_base_libbase_la_CFLAGS = $(AM_CFLAGS) $(XXHASH_CFLAGS)
src_base_libbase_la_LIBADD = $(CRYPTO_LIBS)
