# spool: the log between a site's broker and the cloud
noinst_LTLIBRARIES += src/spool/libspool.la
src_spool_libspool_la_SOURCES = \
	src/spool/ages.c src/spool/ages.h \
	src/spool/aside.c src/spool/aside.h \
	src/spool/checksum.c src/spool/checksum.h \
	src/spool/chores.c src/spool/chores.h \
	src/spool/cursor.c src/spool/cursor.h \
	src/spool/drops.c src/spool/drops.h \
	src/spool/front.c src/spool/front.h \
	src/spool/loss.c \
	src/spool/open.c \
	src/spool/place.c src/spool/place.h \
	src/spool/reader.c src/spool/reader.h \
	src/spool/record.c src/spool/record.h \
	src/spool/relocate.c \
	src/spool/salvage.c src/spool/salvage.h \
	src/spool/segment.c src/spool/segment.h \
	src/spool/spool.h \
	src/spool/timely.c src/spool/timely.h \
	src/spool/walk.c src/spool/walk.h \
	src/spool/writer.c src/spool/writer.h
