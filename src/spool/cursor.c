#include "config.h"

#include "spool/cursor.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "spool/checksum.h"
#include "spool/spool.h"

/* Magic, generation, seq; the checksum of these, xor the count of what was lost; that count. */
#define MAGIC	 UINT64_C(0x31525543504f4f53) /* "SOOPCUR1" */
#define SLOT_LEN 32

int
cursor_check_name(const char *name, struct fault *f)
{
	size_t len = strnlen(name, SPOOL_NAME_MAX + 1);

	if (len && len <= SPOOL_NAME_MAX && *name != '.' &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
			len)
		return 0;
	return fault_set(f, FAULT_USAGE,
		"'%.80s' is no name of a reader: letters, digits, '.', '_' and '-', at most %d",
		name, SPOOL_NAME_MAX);
}

static int
open_file(int dir, const char *name, int flags, struct fault *f)
{
	AUTO(auto_fd) int cursors = -1;
	int fd;

	if (cursor_check_name(name, f))
		return -1;
	cursors = file_open_dir_at(dir, CURSOR_DIR);
	fd = cursors < 0 ? -1 : file_open_at(cursors, name, flags, 0640);
	return fd < 0 ? fault_errno(f, "cannot open the cursor '%s'", name) : fd;
}

static void
put_slot(unsigned char slot[SLOT_LEN], uint64_t generation, uint64_t seq, uint32_t lost)
{
	uint64_t words[3] = {htole64(MAGIC), htole64(generation), htole64(seq)};
	uint32_t tail[2] = {0, htole32(lost)};

	memcpy(slot, words, sizeof(words));
	tail[0] = htole32(checksum(slot, sizeof(words)) ^ lost);
	memcpy(slot + sizeof(words), tail, sizeof(tail));
}

/* Whether a slot is good and newer than what was read. */
static bool
take_slot(const unsigned char slot[SLOT_LEN], struct cursor *cursor)
{
	unsigned char again[SLOT_LEN];
	uint64_t words[3];
	uint32_t tail[2];

	memcpy(words, slot, sizeof(words));
	memcpy(tail, slot + sizeof(words), sizeof(tail));
	put_slot(again, le64toh(words[1]), le64toh(words[2]), le32toh(tail[1]));
	if (memcmp(slot, again, SLOT_LEN) != 0 || le64toh(words[1]) <= cursor->generation)
		return false;
	cursor->generation = le64toh(words[1]);
	cursor->seq = le64toh(words[2]);
	cursor->lost = le32toh(tail[1]);
	return true;
}

static int
read_slots(struct cursor *cursor, const char *name, struct fault *f)
{
	unsigned char slots[2 * SLOT_LEN] = {0};

	if (pread(cursor->fd, slots, sizeof(slots), 0) < 0)
		return fault_errno(f, "cannot read the cursor '%s'", name);
	take_slot(slots, cursor);
	take_slot(slots + SLOT_LEN, cursor);
	return 0;
}

/* Opens one, and keeps others from it. */
static int
open_locked(int dir, const char *name, int flags, struct fault *f)
{
	AUTO(auto_fd) int fd = open_file(dir, name, flags, f);
	int ret = fd;

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? fault_set(f, FAULT_PRECONDITION,
					 "another process reads the spool as '%s'", name)
			       : fault_errno(f, "cannot lock the cursor '%s'", name);
	fd = -1;
	return ret;
}

int
cursor_open(int dir, const char *name, struct cursor *ret, struct fault *f)
{
	struct cursor cursor = {.fd = open_locked(dir, name, O_RDWR | O_CREAT, f)};

	if (cursor.fd < 0)
		return -1;
	if (read_slots(&cursor, name, f)) {
		close(cursor.fd);
		return -1;
	}
	*ret = cursor;
	return 0;
}

bool
cursor_is_unreadable(const struct fault *f)
{
	return f->code == FAULT_IO && (f->native == EIO || f->native == EISDIR ||
					      f->native == ELOOP || f->native == ENXIO);
}

/* Makes a file with the first slot, and locks it before anybody knows it. */
static int
make_file(int cursors, const char *name, struct cursor *ret)
{
	AUTO(auto_fd) int fd = file_open_at(cursors, name, O_RDWR | O_CREAT | O_TRUNC, 0640);
	struct cursor cursor = {.fd = fd};

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || cursor_move(&cursor, 0, 0, NULL) ||
		fdatasync(fd) < 0)
		return -1;
	*ret = cursor;
	fd = -1;
	return 0;
}

int
cursor_renew(int dir, const char *name, struct cursor *ret, struct fault *f)
{
	AUTO(auto_fd) int cursors = file_open_dir_at(dir, CURSOR_DIR);
	char old[SPOOL_NAME_MAX + 2], new[SPOOL_NAME_MAX + 6];
	struct cursor cursor = {.fd = -1};

	snprintf(old, sizeof(old), ".%s", name);
	snprintf(new, sizeof(new), ".%s.new", name);
	if (cursors < 0 || make_file(cursors, new, &cursor) < 0)
		return fault_errno(f, "cannot write the cursor '%s'", name);
	if (renameat(cursors, name, cursors, old) < 0 ||
		renameat(cursors, new, cursors, name) < 0) {
		fault_errno(f, "cannot replace the cursor '%s'", name);
		cursor_close(&cursor);
		return -1;
	}
	*ret = cursor;
	return 0;
}

int
cursor_move(struct cursor *cursor, uint64_t seq, uint64_t lost, struct fault *f)
{
	unsigned char slot[SLOT_LEN];
	uint64_t generation = cursor->generation + 1;
	uint64_t sum = cursor->lost + lost;
	uint32_t now = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
	ssize_t n;

	put_slot(slot, generation, seq, now);
	n = pwrite(cursor->fd, slot, SLOT_LEN, generation % 2 ? SLOT_LEN : 0);
	if (n >= 0 && n != SLOT_LEN)
		errno = ENOSPC;
	if (n != SLOT_LEN)
		return fault_errno(f, "cannot write the cursor");
	cursor->generation = generation;
	cursor->seq = seq;
	cursor->lost = now;
	return 0;
}

void
cursor_close(struct cursor *cursor)
{
	if (cursor->fd >= 0)
		close(cursor->fd);
	cursor->fd = -1;
}

int
cursor_read(int dir, const char *name, struct cursor *ret, struct fault *f)
{
	struct cursor cursor = {.fd = open_file(dir, name, O_RDONLY, f)};
	int rc;

	if (cursor.fd < 0)
		return -1;
	rc = read_slots(&cursor, name, f);
	cursor_close(&cursor);
	if (!rc)
		*ret = cursor;
	return rc;
}

int
cursor_forget(int dir, const char *name, struct fault *f)
{
	AUTO(auto_fd) int cursors = -1, fd = -1;
	struct fault why = FAULT_INIT;

	fd = open_locked(dir, name, O_RDWR, &why);
	if (fd < 0 && !cursor_is_unreadable(&why)) {
		if (f)
			*f = why;
		return -1;
	}
	cursors = file_open_dir_at(dir, CURSOR_DIR);
	if (cursors < 0 || unlinkat(cursors, name, 0) < 0)
		return fault_errno(f, "cannot delete the cursor '%s'", name);
	return 0;
}

static int
each_entry(int dir, DIR *stream, cursor_fn *each, void *with, struct fault *f)
{
	struct dirent *entry;

	while ((errno = 0, entry = readdir(stream))) {
		struct cursor cursor = {.fd = -1};
		struct fault why = FAULT_INIT;
		int rc;

		if (cursor_check_name(entry->d_name, NULL))
			continue;
		/* One that was deleted since is none. */
		if (cursor_read(dir, entry->d_name, &cursor, &why) && why.code == FAULT_NOTFOUND)
			continue;
		rc = each(with, entry->d_name, &cursor, f);
		if (rc)
			return rc;
	}
	return errno ? fault_errno(f, "cannot read the spool's cursors") : 0;
}

int
cursor_each(int dir, cursor_fn *each, void *with, struct fault *f)
{
	int fd = file_open_dir_at(dir, CURSOR_DIR), rc;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream) {
		fault_errno(f, "cannot open the spool's cursors");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	rc = each_entry(dir, stream, each, with, f);
	closedir(stream);
	return rc;
}
