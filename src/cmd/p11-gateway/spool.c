#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "jwt/jwt.h"
#include "spool/spool.h"

#define SHOWN_MAX 128

/* Letters of a point in time as RFC 3339 has it, with its NUL. */
#define TIME_SIZE 32

struct spool_command {
	char *spool;
	char *reader;
	bool json;
};

#define SPOOL_SETTING \
	{ \
		"spool", 's', SETTING_TEXT, offsetof(struct spool_command, spool), \
			.preset = "/var/lib/p11-gateway/spool", .env = "P11_GATEWAY_SPOOL", \
			.value = "DIR", .help = "where the site's messages are" \
	}

#define READER_SETTING \
	{ \
		"reader", 'r', SETTING_TEXT, offsetof(struct spool_command, reader), \
			.value = "NAME", .help = "only what this uplink is not done with" \
	}

static const struct setting show_settings[] = {
	SPOOL_SETTING,
	{"json", 0, SETTING_FLAG, offsetof(struct spool_command, json),
		.help = "print it as one JSON object"},
	{NULL},
};

static const struct setting message_settings[] = {
	SPOOL_SETTING,
	READER_SETTING,
	{NULL},
};

static const struct setting forget_settings[] = {
	SPOOL_SETTING,
	{NULL},
};

static void
format_time(int64_t ms, char text[TIME_SIZE])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm parts;

	if (!gmtime_r(&seconds, &parts) || !strftime(text, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts))
		strcpy(text, "?");
}

/* --- show ------------------------------------------------------------------------------------ */

/* Messages from seq on. */
static json_int_t
waiting_from(const struct spool_extent *extent, uint64_t seq)
{
	if (seq < extent->first)
		seq = extent->first;
	return extent->first && extent->next > seq ? (json_int_t)(extent->next - seq) : 0;
}

struct listing {
	const struct spool_extent *extent;
	json_t *list;
};

static int
add_reader(void *with, const char *name, uint64_t seq, uint64_t lost, struct fault *f)
{
	const struct listing *listing = with;
	json_t *entry = json_pack("{s:s, s:I, s:I, s:I}", "name", name, "seq", (json_int_t)seq,
		"waiting", waiting_from(listing->extent, seq), "lost", (json_int_t)lost);

	return json_array_append_new(listing->list, entry) ? fault_nomem(f) : 0;
}

static int
add_drop(void *with, const char *device, const char *reason, uint64_t n, struct fault *f)
{
	const struct listing *listing = with;
	/* JSON cannot have what is not UTF-8. */
	AUTO(auto_json) json_t *name = json_string(device);
	AUTO(auto_free) char *fit = name ? NULL : text_fit(device, strlen(device));
	json_t *entry = json_pack("{s:s, s:s, s:I}", "device", name ? device : fit, "reason",
		reason, "messages", (json_int_t)n);

	return json_array_append_new(listing->list, entry) ? fault_nomem(f) : 0;
}

static void
print_reader(const json_t *reader)
{
	json_int_t lost = json_integer_value(json_object_get(reader, "lost"));

	printf("reader   %-24s %" JSON_INTEGER_FORMAT " waiting",
		json_string_value(json_object_get(reader, "name")),
		json_integer_value(json_object_get(reader, "waiting")));
	if (lost)
		printf(", %" JSON_INTEGER_FORMAT " lost", lost);
	putchar('\n');
}

static void
print_show(const json_t *all)
{
	const char *oldest = json_string_value(json_object_get(all, "oldest"));
	json_t *entry;
	size_t i;

	printf("%" JSON_INTEGER_FORMAT " messages, %" JSON_INTEGER_FORMAT " bytes%s%s\n",
		json_integer_value(json_object_get(all, "messages")),
		json_integer_value(json_object_get(all, "bytes")), oldest ? ", since " : "",
		oldest ? oldest : "");
	json_array_foreach(json_object_get(all, "readers"), i, entry) print_reader(entry);
	json_array_foreach(json_object_get(all, "dropped"), i, entry)
	{
		printf("dropped  %-24s %" JSON_INTEGER_FORMAT " (%s)\n",
			json_string_value(json_object_get(entry, "device")),
			json_integer_value(json_object_get(entry, "messages")),
			json_string_value(json_object_get(entry, "reason")));
	}
}

static int
finish_output(struct fault *f)
{
	if (fflush(stdout) || ferror(stdout))
		return fault_errno(f, "cannot write to standard output");
	return 0;
}

static int
run_show(void *values, int argc, char **argv, struct fault *f)
{
	const struct spool_command *v = values;
	struct spool_extent extent;
	struct listing listing = {.extent = &extent};
	AUTO(auto_json) json_t *readers = json_array();
	AUTO(auto_json) json_t *dropped = json_array();
	AUTO(auto_json) json_t *all = NULL;
	char oldest[TIME_SIZE];
	int rc;

	(void)argc, (void)argv;
	if (spool_extent(v->spool, &extent, f))
		return -1;
	listing.list = readers;
	if (spool_cursors(v->spool, add_reader, &listing, f))
		return -1;
	/* The rest is shown all the same when this cannot be read. */
	listing.list = dropped;
	rc = spool_drops(v->spool, add_drop, &listing, f);
	format_time(extent.oldest_ms, oldest);
	all = json_pack("{s:I, s:I, s:I, s:I, s:s?, s:O, s:O}", "messages",
		waiting_from(&extent, 0), "bytes", (json_int_t)extent.bytes, "first_seq",
		(json_int_t)extent.first, "next_seq", (json_int_t)extent.next, "oldest",
		extent.oldest_ms ? oldest : NULL, "readers", readers, "dropped", dropped);
	if (!all)
		return fault_nomem(f);
	if (v->json) {
		if (put_json(all, f))
			return -1;
	} else if (make_fit(all, f)) {
		return -1;
	} else {
		print_show(all);
	}
	return rc ? rc : finish_output(f);
}

/* --- list and export ------------------------------------------------------------------------- */

typedef int message_fn(const struct spool_message *message, struct fault *f);

struct search {
	const char *name;
	uint64_t seq;
	bool found;
};

static int
find_reader(void *with, const char *name, uint64_t seq, uint64_t lost, struct fault *f)
{
	struct search *search = with;

	(void)lost, (void)f;
	if (search->name && !strcmp(name, search->name)) {
		search->seq = seq;
		search->found = true;
	}
	return 0;
}

/* The first message that is asked for. */
static int
find_first(const struct spool_command *v, uint64_t *ret, struct fault *f)
{
	struct search search = {.name = v->reader};

	/* A directory without cursors is no spool. */
	if (spool_cursors(v->spool, find_reader, &search, f))
		return -1;
	if (v->reader && !search.found)
		return fault_set(f, FAULT_NOTFOUND, "no reader '%s': see 'p11-gateway spool show'",
			v->reader);
	*ret = search.seq;
	return 0;
}

/* What comes in meanwhile is not waited for: a busy site would have no end. */
static int
each_message(const struct spool_command *v, message_fn *put, struct fault *f)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct spool_message message;
	struct spool_extent extent;
	struct fault damage = FAULT_INIT;
	uint64_t first;
	unsigned faults = 0;
	bool any = true;

	if (spool_extent(v->spool, &extent, f) || find_first(v, &first, f) ||
		spool_reader_open(v->spool, NULL, &reader, f))
		return -1;
	while (any && !ferror(stdout)) {
		if (spool_next(reader, &message, &any, &damage)) {
			if (damage.code != FAULT_INVALID) {
				*f = damage;
				return -1;
			}
			log_warn("%s", damage.text);
			faults++;
			any = true;
			continue;
		}
		if (any && message.seq >= extent.next)
			break;
		if (any && message.seq >= first && put(&message, &damage)) {
			log_warn("%s", damage.text);
			faults++;
		}
	}
	if (finish_output(f))
		return -1;
	if (faults)
		return fault_set(f, FAULT_IO, "%u parts of the spool could not be read", faults);
	return 0;
}

static int
list_one(const struct spool_message *m, struct fault *f)
{
	char device[SHOWN_MAX], topic[4 * SHOWN_MAX], when[TIME_SIZE];

	(void)f;
	format_time(m->time_ms, when);
	text_show(m->device, device, sizeof(device));
	text_show(m->topic, topic, sizeof(topic));
	printf("%" PRIu64 "  %s  %s  %s  qos %d  %zu bytes\n", m->seq, when, *device ? device : "-",
		topic, m->qos, m->len);
	return 0;
}

static int
run_list(void *values, int argc, char **argv, struct fault *f)
{
	(void)argc, (void)argv;
	return each_message(values, list_one, f);
}

static int
export_one(const struct spool_message *m, struct fault *f)
{
	/* Of EVP_EncodeBlock(): four characters for three bytes, and a NUL. */
	AUTO(auto_free) unsigned char *payload = malloc((m->len + 2) / 3 * 4 + 1);
	AUTO(auto_json) json_t *object = NULL;

	if (!payload)
		return fault_nomem(f);
	EVP_EncodeBlock(payload, m->payload, (int)m->len);
	object = json_pack("{s:I, s:I, s:s, s:s, s:i, s:s}", "seq", (json_int_t)m->seq, "time_ms",
		(json_int_t)m->time_ms, "device", m->device, "topic", m->topic, "qos", m->qos,
		"payload", (const char *)payload);
	if (!object)
		return fault_set(f, FAULT_INVALID,
			"message %" PRIu64 " has a topic or a device that is not UTF-8", m->seq);
	return put_json_line(object, f);
}

static int
run_export(void *values, int argc, char **argv, struct fault *f)
{
	(void)argc, (void)argv;
	return each_message(values, export_one, f);
}

/* --- forget ---------------------------------------------------------------------------------- */

static int
run_forget(void *values, int argc, char **argv, struct fault *f)
{
	const struct spool_command *v = values;

	(void)argc;
	return spool_forget(v->spool, argv[0], f);
}

const struct command command_spool_show = {
	.name = "spool show",
	.operands = "",
	.settings = show_settings,
	.values_size = sizeof(struct spool_command),
	.summary = "Show what waits in a site's spool, for which uplink, and what was dropped",
	.run = run_show,
};

const struct command command_spool_list = {
	.name = "spool list",
	.operands = "",
	.settings = message_settings,
	.values_size = sizeof(struct spool_command),
	.summary = "List a spool's messages, a line each",
	.run = run_list,
};

const struct command command_spool_export = {
	.name = "spool export",
	.operands = "",
	.settings = message_settings,
	.values_size = sizeof(struct spool_command),
	.summary = "Print a spool's messages as lines of JSON, payloads in base64",
	.description = "Nothing is changed, and a gateway may run meanwhile.",
	.run = run_export,
};

const struct command command_spool_forget = {
	.name = "spool forget",
	.operands = "READER",
	.min = 1,
	.max = 1,
	.settings = forget_settings,
	.values_size = sizeof(struct spool_command),
	.summary = "Keep nothing more for an uplink that was taken out of service",
	.run = run_forget,
};
