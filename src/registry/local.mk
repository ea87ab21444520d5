# registry: rules are pure and stand alone; the rest knows SQLite
noinst_LTLIBRARIES += src/registry/librules.la src/registry/libregistry.la
src_registry_librules_la_SOURCES = \
	src/registry/attach.c src/registry/attach.h \
	src/registry/limits.c src/registry/limits.h \
	src/registry/rules.c src/registry/rules.h \
	src/registry/topic.c src/registry/topic.h
src_registry_librules_la_LIBADD = $(JANSSON_LIBS)

src_registry_libregistry_la_SOURCES = \
	src/registry/admit.c src/registry/admit.h \
	src/registry/activity.c \
	src/registry/attached.c \
	src/registry/audit.c src/registry/audit.h \
	src/registry/batch.c src/registry/batch.h \
	src/registry/cas.c src/registry/cas.h \
	src/registry/changes.c src/registry/changes.h \
	src/registry/commands.c \
	src/registry/configs.c src/registry/configs.h \
	src/registry/credentials.c src/registry/credentials.h \
	src/registry/db.c src/registry/db.h \
	src/registry/device_credentials.c \
	src/registry/device_describe.c \
	src/registry/device_list.c \
	src/registry/devices.c src/registry/devices.h \
	src/registry/downlink.c \
	src/registry/gateways.c src/registry/gateways.h \
	src/registry/jit.c src/registry/jit.h \
	src/registry/logs.c \
	src/registry/look.c src/registry/look.h \
	src/registry/messages.c \
	src/registry/metadata.c src/registry/metadata.h \
	src/registry/move.h \
	src/registry/move_emqx.c \
	src/registry/move_in.c \
	src/registry/move_out.c \
	src/registry/move_read.c src/registry/move_read.h \
	src/registry/move_registry.c \
	src/registry/note.c src/registry/note.h \
	src/registry/pubsub.c \
	src/registry/registries.c \
	src/registry/registry.c src/registry/registry.h \
	src/registry/retention.c src/registry/retention.h \
	src/registry/revoked.c src/registry/revoked.h \
	src/registry/route.c src/registry/route.h \
	src/registry/schema.c \
	src/registry/settings.c src/registry/settings.h \
	src/registry/states.c src/registry/states.h \
	src/registry/store.h \
	src/registry/telemetry.c
src_registry_libregistry_la_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
src_registry_libregistry_la_LIBADD = $(SQLITE_LIBS)
