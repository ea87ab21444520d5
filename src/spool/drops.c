#include "config.h"

#include "spool/drops.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define FILE_NAME     "drops"
#define NEW_FILE_NAME "drops.new"
#define REASON_MAX    15

struct drop {
	uint64_t n;
	char reason[REASON_MAX + 1];
	char device[];
};

struct drops {
	int dir;
	void *tree;
	size_t n;
	bool changed;
};

static int
compare(const void *a, const void *b)
{
	const struct drop *x = a, *y = b;
	int rc = strcmp(x->device, y->device);

	return rc ? rc : strcmp(x->reason, y->reason);
}

static struct drop *
make(const char *device, const char *reason)
{
	size_t size = strlen(device) + 1;
	struct drop *drop = calloc(1, sizeof(*drop) + size);

	if (!drop)
		return NULL;
	snprintf(drop->reason, sizeof(drop->reason), "%s", reason);
	memcpy(drop->device, device, size);
	/* One line each. */
	for (char *at = drop->device; *at; at++)
		*at = *at == '\n' ? '?' : *at;
	return drop;
}

void
drops_add(struct drops *drops, const char *device, const char *reason, uint64_t n)
{
	AUTO(auto_free) struct drop *drop = make(device, reason);
	struct drop **found;

	if (!drop)
		return;
	found = tfind(drop, &drops->tree, compare);
	if (!found && drops->n >= DROPS_DEVICES_MAX && strcmp(device, DROPS_OTHERS) != 0) {
		drops_add(drops, DROPS_OTHERS, reason, n);
		return;
	}
	if (!found) {
		found = tsearch(drop, &drops->tree, compare);
		if (!found)
			return;
		drop = NULL;
		drops->n++;
	}
	(*found)->n += n;
	drops->changed = true;
}

int
drops_each(int dir, spool_drop_fn *each, void *with, struct fault *f)
{
	int fd = file_open_at(dir, FILE_NAME, O_RDONLY, 0), rc = 0;
	AUTO(auto_file) FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	AUTO(auto_free) char *line = NULL;
	size_t size = 0;

	if (!file && errno == ENOENT)
		return 0;
	if (!file) {
		fault_errno(f, "cannot read what the spool dropped");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (!rc && getline(&line, &size, file) > 0) {
		char reason[REASON_MAX + 1];
		uint64_t n;
		int device;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%" SCNu64 "\t%15[a-z]\t%n", &n, reason, &device) == 2)
			rc = each(with, line + device, reason, n, f);
	}
	if (!rc && ferror(file))
		rc = fault_errno(f, "cannot read what the spool dropped");
	return rc;
}

static int
load(void *with, const char *device, const char *reason, uint64_t n, struct fault *f)
{
	(void)f;
	drops_add(with, device, reason, n);
	return 0;
}

int
drops_open(int dir, struct drops **ret_drops, struct fault *f)
{
	AUTO(auto_drops) struct drops *drops = calloc(1, sizeof(*drops));

	if (!drops)
		return fault_nomem(f);
	drops->dir = dir;
	drops_each(dir, load, drops, NULL);
	drops->changed = false;
	*ret_drops = TAKE(drops);
	return 0;
}

void
drops_free(struct drops *drops)
{
	if (!drops)
		return;
	tdestroy(drops->tree, free);
	free(drops);
}

static void
write_one(const void *node, VISIT visit, void *file)
{
	const struct drop *drop = *(const struct drop *const *)node;

	if (visit == postorder || visit == leaf)
		fprintf(file, "%" PRIu64 "\t%s\t%s\n", drop->n, drop->reason, drop->device);
}

/* Not synced: a loss of power may cost the count of the last seconds, never the broker's time. */
int
drops_flush(struct drops *drops, struct fault *f)
{
	int fd, failed;
	FILE *file;

	if (!drops->changed)
		return 0;
	fd = file_create_at(drops->dir, NEW_FILE_NAME, 0640);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file) {
		fault_errno(f, "cannot write down what the spool dropped");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	twalk_r(drops->tree, write_one, file);
	failed = ferror(file);
	if (fclose(file) || failed ||
		renameat(drops->dir, NEW_FILE_NAME, drops->dir, FILE_NAME) < 0)
		return fault_errno(f, "cannot write down what the spool dropped");
	drops->changed = false;
	return 0;
}
