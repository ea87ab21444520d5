/* Opens a spool for writing, with what is there of it, and closes it. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "spool/cursor.h"
#include "spool/writer.h"

#define LOCK_NAME "lock"

/* Readers are other users of the same group, whatever the umask; what they make is the group's. */
#define CURSOR_DIR_MODE 02770

/* A spool's bound is given back in such parts, and no segment is larger. */
#define SEGMENTS_A_SPOOL 16

/* Empties the front; as far as the disk takes it. */
static void
settle_all(struct spool_writer *w)
{
	struct front_part part;
	bool failed = false;

	while (!failed && spool_unsettled(w, &part))
		failed = front_copy(&part, NULL) || spool_settled(w, &part, NULL);
	front_remove(w->dir, w->front);
	close(w->front);
}

static void
save_ages(struct spool_writer *w)
{
	int64_t now = clock_ms(CLOCK_BOOTTIME);
	struct ages ages;

	w->aged_ms = WRITER_NEVER_MS;
	if (!w->drops || !spool_ages_due(w, now, &ages))
		return;
	spool_save_ages(w, &ages, now, NULL);
}

void
spool_writer_close(struct spool_writer *w)
{
	if (!w)
		return;
	if (w->drops)
		drops_flush(w->drops, NULL);
	save_ages(w);
	drops_free(w->drops);
	writer_seal(w);
	if (w->front >= 0)
		settle_all(w);
	walk_clear(&w->walk);
	if (w->lock >= 0)
		close(w->lock);
	if (w->dir >= 0)
		close(w->dir);
	place_clear(&w->place);
	free(w->segments);
	free(w->record);
	free(w->parent);
	free(w->hold);
	free(w);
}

/* Looks at what has a segment's name; what is not a file, or cannot be looked at, has no bytes. */
static void
look_at(int rc, struct stat *about)
{
	if (rc < 0 || !S_ISREG(about->st_mode))
		*about = (struct stat){.st_size = 0};
}

static int
add_found(struct spool_writer *w, uint64_t first, const struct ages *ages, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1];
	struct segment segment = {.first = first};
	struct stat about, settled;

	segment_name(first, name);
	look_at(segment_stat(w->dir, first, &about), &about);
	look_at(fstatat(w->dir, name, &settled, AT_SYMLINK_NOFOLLOW), &settled);
	segment.bytes = about.st_size;
	segment.in_front = w->front >= 0 && faccessat(w->front, name, F_OK, 0) == 0;
	/* More than there is was never taken, and is written over. */
	segment.settled = settled.st_size <= about.st_size ? settled.st_size : 0;
	segment.newest_ms = ages_find(ages, first, clock_ms(CLOCK_BOOTTIME));
	return writer_add(w, &segment, f);
}

static int
add_all_found(struct spool_writer *w, struct fault *f)
{
	struct segment_list list;
	struct ages ages;
	int rc = 0;

	if (ages_load(w->dir, &ages, f))
		return -1;
	if (segment_list(w->dir, &list, f)) {
		ages_clear(&ages);
		return -1;
	}
	for (size_t i = 0; i < list.n && !rc; i++)
		rc = add_found(w, list.first[i], &ages, f);
	segment_list_clear(&list);
	ages_clear(&ages);
	return rc;
}

/* No number is given twice: what a segment lost at its end may have had as many as fit there. */
static int
past_cursor(void *with, const char *name, const struct cursor *cursor, struct fault *f)
{
	struct spool_writer *w = with;

	(void)name, (void)f;
	if (cursor->seq > w->next)
		w->next = cursor->seq;
	return 0;
}

static int
find_next(struct spool_writer *w, struct fault *f)
{
	struct spool_extent extent;

	if (walk_extent(&w->walk, w->dir, &extent, f))
		return -1;
	w->next = extent.next;
	return cursor_each(w->dir, past_cursor, w, f);
}

/* A directory is on the disk when the one that it is in is. */
static int
sync_parent(const struct spool_writer *w)
{
	AUTO(auto_fd) int parent = openat(w->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return parent < 0 ? -1 : fsync(parent);
}

/* The mode is set on the descriptor: a gateway may put a link to another directory in its place. */
static int
make_cursors(const struct spool_writer *w)
{
	bool made = mkdirat(w->dir, CURSOR_DIR, CURSOR_DIR_MODE) == 0;
	AUTO(auto_fd) int fd = -1;

	if (!made && errno != EEXIST)
		return -1;
	fd = file_open_dir_at(w->dir, CURSOR_DIR);
	return fd < 0 || (made && fchmod(fd, CURSOR_DIR_MODE) < 0) ? -1 : 0;
}

static int
open_dir(struct spool_writer *w, const char *dir, struct fault *f)
{
	bool made = mkdir(dir, 0750) == 0;

	if (!made && errno != EEXIST)
		return fault_errno(f, "cannot make the spool %s", dir);
	w->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->dir < 0)
		return fault_errno(f, "cannot open the spool %s", dir);
	if (place_init(&w->place, dir, w->dir, f))
		return -1;
	if (made && w->options.power && sync_parent(w) < 0) {
		fault_errno(f, "cannot write the spool %s to the disk", dir);
		/* The next time it is to be made, not found. */
		rmdir(dir);
		return -1;
	}
	if (make_cursors(w) < 0)
		return fault_errno(f, "cannot make %s/" CURSOR_DIR " for its group", dir);
	w->lock = file_open_at(w->dir, LOCK_NAME, O_RDWR | O_CREAT, 0640);
	if (w->lock < 0)
		return fault_errno(f, "cannot write to the spool %s", dir);
	if (flock(w->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK
		       ? fault_set(f, FAULT_CONFIG, "another broker writes to the spool %s", dir)
		       : fault_errno(f, "cannot lock the spool %s", dir);
}

static int
check_options(const struct spool_options *options, struct fault *f)
{
	if (options->max_bytes < SPOOL_SIZE_MIN)
		return fault_set(f, FAULT_CONFIG, "a spool needs %d bytes or more", SPOOL_SIZE_MIN);
	if (options->max_age_s < 0)
		return fault_set(f, FAULT_CONFIG, "a spool's greatest age is 0 or more");
	return options->hold ? cursor_check_name(options->hold, f) : 0;
}

static int
copy_options(struct spool_writer *w, const struct spool_options *options, struct fault *f)
{
	w->options = *options;
	w->hold = options->hold ? strdup(options->hold) : NULL;
	w->parent = options->front ? strdup(options->front) : NULL;
	return (options->hold && !w->hold) || (options->front && !w->parent) ? fault_nomem(f) : 0;
}

/* One that is whole leaves the front, which then has room for another one. */
static void
choose_segment_max(struct spool_writer *w, const struct spool_options *options)
{
	w->segment_max = options->max_bytes / SEGMENTS_A_SPOOL;
	if (w->segment_max > SEGMENT_LEN_MAX)
		w->segment_max = SEGMENT_LEN_MAX;
	if (options->front && w->segment_max > w->front_max / 2)
		w->segment_max = w->front_max / 2;
}

int
spool_writer_open(const char *dir, const struct spool_options *options,
	struct spool_writer **ret_writer, struct fault *f)
{
	AUTO(auto_spool_writer) struct spool_writer *w = NULL;

	if (check_options(options, f))
		return -1;
	w = calloc(1, sizeof(*w));
	if (!w)
		return fault_nomem(f);
	w->dir = w->lock = w->fd = w->front = w->walk.fd = -1;
	w->aged_ms = WRITER_NEVER_MS;
	if (options->front && front_check(options->front, &w->front_max, f))
		return -1;
	choose_segment_max(w, options);
	if (copy_options(w, options, f) || open_dir(w, dir, f) ||
		front_find(w->dir, &w->front, f) || add_all_found(w, f) || find_next(w, f) ||
		drops_open(w->dir, &w->drops, f))
		return -1;
	*ret_writer = TAKE(w);
	return 0;
}
