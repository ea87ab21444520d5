#include "config.h"

#include "spool/ages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "spool/checksum.h"

/*
 * A line with the checksum of the others in hexadecimal; a line with the boot's ID and when the
 * file was written; a line with number and time of each segment.
 */
#define FILE_NAME     "ages"
#define NEW_FILE_NAME "ages.new"
#define SUM_LEN	      9
#define FILE_LEN_MAX  (1024 * 1024)

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_LEN  36

/* Without an ID each boot is another one. */
static void
read_boot_id(char id[BOOT_ID_LEN + 1])
{
	AUTO(auto_file) FILE *file = fopen(BOOT_ID_PATH, "re");

	if (!file || fscanf(file, "%36s", id) != 1)
		strcpy(id, "-");
}

void
ages_clear(struct ages *ages)
{
	free(ages->items);
	*ages = (struct ages){NULL, 0};
}

int64_t
ages_find(const struct ages *ages, uint64_t first, int64_t now_ms)
{
	for (size_t i = 0; i < ages->n; i++) {
		if (ages->items[i].first == first)
			return ages->items[i].newest_ms < now_ms ? ages->items[i].newest_ms
								 : now_ms;
	}
	return now_ms;
}

/* Reads the whole file; an empty string when it cannot be, or the checksum does not fit. */
static void
read_text(int dir, char *text)
{
	AUTO(auto_fd) int fd = file_open_at(dir, FILE_NAME, O_RDONLY, 0);
	size_t len = 0;
	ssize_t n = 0;

	while (fd >= 0 && len < FILE_LEN_MAX &&
		(n = pread(fd, text + len, FILE_LEN_MAX - len, (off_t)len)) > 0)
		len += (size_t)n;
	if (n < 0 || len <= SUM_LEN ||
		strtoul(text, NULL, 16) != checksum(text + SUM_LEN, len - SUM_LEN))
		len = 0;
	text[len] = '\0';
}

/* Times of another boot become those before this one. */
static int
parse(char *text, struct ages *ages, struct fault *f)
{
	char saved_id[BOOT_ID_LEN + 1], id[BOOT_ID_LEN + 1], *rest = text + SUM_LEN, *line;
	int64_t saved_ms, offset_ms;
	size_t room = 0;

	line = strsep(&rest, "\n");
	if (!line || sscanf(line, "%36s %" SCNd64, saved_id, &saved_ms) != 2)
		return 0;
	read_boot_id(id);
	offset_ms = strcmp(id, saved_id) || !strcmp(id, "-") ? saved_ms : 0;
	while ((line = strsep(&rest, "\n"))) {
		struct age age;

		if (sscanf(line, "%" SCNx64 " %" SCNd64, &age.first, &age.newest_ms) != 2)
			continue;
		age.newest_ms -= offset_ms;
		if (ages->n == room) {
			struct age *more;

			room = room ? room * 2 : 32;
			more = reallocarray(ages->items, room, sizeof(*more));
			if (!more)
				return fault_nomem(f);
			ages->items = more;
		}
		ages->items[ages->n++] = age;
	}
	return 0;
}

int
ages_load(int dir, struct ages *ret, struct fault *f)
{
	AUTO(auto_free) char *text = malloc(FILE_LEN_MAX + 1);
	struct ages ages = {NULL, 0};

	if (!text)
		return fault_nomem(f);
	read_text(dir, text);
	if (*text && parse(text, &ages, f)) {
		ages_clear(&ages);
		return -1;
	}
	*ret = ages;
	return 0;
}

static void
print(FILE *out, const struct ages *ages, int64_t now_ms)
{
	char id[BOOT_ID_LEN + 1];

	read_boot_id(id);
	fprintf(out, "%08x\n%s %" PRId64 "\n", 0U, id, now_ms);
	for (size_t i = 0; i < ages->n; i++)
		fprintf(out, "%" PRIx64 " %" PRId64 "\n", ages->items[i].first,
			ages->items[i].newest_ms);
}

/* Not synced: a loss of power may cost the file, which makes the segments younger. */
static int
write_text(int dir, char *text, size_t len)
{
	AUTO(auto_fd) int fd = file_create_at(dir, NEW_FILE_NAME, 0640);
	char sum[SUM_LEN + 1];
	ssize_t n;

	snprintf(sum, sizeof(sum), "%08x\n", checksum(text + SUM_LEN, len - SUM_LEN));
	memcpy(text, sum, SUM_LEN);
	n = fd < 0 ? -1 : write(fd, text, len);
	if (n >= 0 && (size_t)n < len)
		errno = ENOSPC;
	return n != (ssize_t)len ? -1 : renameat(dir, NEW_FILE_NAME, dir, FILE_NAME);
}

int
ages_save(int dir, const struct ages *ages, int64_t now_ms, struct fault *f)
{
	AUTO(auto_free) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return fault_nomem(f);
	print(out, ages, now_ms);
	if (fclose(out))
		return fault_nomem(f);
	return write_text(dir, text, len) < 0
		       ? fault_errno(f, "cannot write down how old the spool's messages are")
		       : 0;
}
