/*
 * spool: the log between a site's broker and the cloud: messages go in before their sender is told
 * that they arrived, and out when the cloud says so.
 *
 * A directory holds segments (files of records, oldest first), a cursor for each reader, what was
 * dropped, and segments that readers set aside: the last few with damage, and those of an older
 * version. The newest segments may be in memory first (front.h). One process writes, others read;
 * each may be killed at any moment.
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/fault.h"

/* Bytes a message may have. */
#define SPOOL_DEVICE_MAX  255
#define SPOOL_TOPIC_MAX	  65535
#define SPOOL_PAYLOAD_MAX (256 * 1024)

/* Letters, digits, '.', '_' and '-' of a reader's name. */
#define SPOOL_NAME_MAX 64

/* Bytes a spool must be allowed to have. */
#define SPOOL_SIZE_MIN (4 * 1024 * 1024)

/*
 * seq      counts the messages of a spool, from 1; the spool sets it
 * time_ms  when it was taken, Unix milliseconds; the spool sets it
 * qos      0..2, as it was published
 * device   who published it
 */
struct spool_message {
	uint64_t seq;
	int64_t time_ms;
	int qos;
	const char *device;
	const char *topic;
	const void *payload;
	size_t len;
};

enum spool_when_full {
	SPOOL_REFUSE,	   /* take no message: its sender keeps it */
	SPOOL_DROP_OLDEST, /* make room */
	SPOOL_DROP_NEWEST, /* say that the message was taken, and forget it */
};

/*
 * max_bytes  of all segments; SPOOL_SIZE_MIN or more
 * max_age_s  older messages are dropped, a sixteenth of it too late at most; 0: never. A message's
 *            age is the time that the system ran since it came (ages.h): the wall clock is not
 *            asked, so that no step of it makes a message old
 * when_full  what happens to a message that there is no room for
 * power      whether a message is on the disk when spool_append() returns, and survives a loss of
 *            power; else it is with the kernel, and survives the end of every process
 * hold       the reader that keeps messages here; NULL: each one does
 * front      a directory in memory where segments begin, without `power`; NULL: they begin on the
 *            disk
 */
struct spool_options {
	int64_t max_bytes;
	int64_t max_age_s;
	enum spool_when_full when_full;
	bool power;
	const char *hold;
	const char *front;
};

struct spool_writer;

/*
 * Opens a spool for writing; makes what is missing of it. What is there is read to its end once.
 *
 * dir      the directory; made when its parent is there
 * options  `hold` and `front` are copied
 *
 * Returns 0; else FAULT_CONFIG when another process writes there, an option is out of bounds or the
 * front not in memory; FAULT_IO, FAULT_NOTFOUND, FAULT_NOMEM.  Blocks: on the disk.
 * Threads: one a writer.
 */
int spool_writer_open(const char *dir, const struct spool_options *options,
	struct spool_writer **ret_writer, struct fault *f);

/* Brings what is in the front to the disk; without success it stays there. NULL is allowed. */
void spool_writer_close(struct spool_writer *writer);

AUTO_DEFINE(spool_writer, struct spool_writer, spool_writer_close);

/*
 * Takes a message. When it returns 0 the message survives, or was dropped because that is what
 * `when_full` says, and counted. When its directory was removed or replaced, the writer continues
 * in the directory that is there now, or makes it again with its owner and mode.
 *
 * Returns 0; else, with nothing taken, FAULT_INVALID when it is larger than a message may be,
 * FAULT_PRECONDITION when the spool is full, FAULT_IO when the disk fails or is full, or the file
 * or the directory was deleted; FAULT_CONFIG when another spool is in the directory's place. With
 * FAULT_IO readers may get the message all the same, and again when it is appended again.
 * Blocks: on the disk, unless spool_is_quick() (chores.h).
 */
int spool_append(struct spool_writer *writer, const struct spool_message *message, struct fault *f);

/*
 * Deletes what every reader that counts has done with, drops what is too old, and writes down what
 * was dropped. To be called now and then; a call within a second of the last one does nothing.
 *
 * now_ms  CLOCK_BOOTTIME: it cannot be set, and counts the time in which the system is suspended
 *
 * Returns 0; else FAULT_IO, with everything kept that could not be deleted, or why there is no
 * front.
 */
int spool_tick(struct spool_writer *writer, int64_t now_ms, struct fault *f);

/* Bytes of all segments. */
int64_t spool_writer_bytes(const struct spool_writer *writer);

struct spool_reader;

/*
 * Opens a spool for reading, from where this reader's cursor stands.
 *
 * name  the reader's; NULL reads everything that is there and moves no cursor
 *
 * Returns 0; else FAULT_NOTFOUND when there is no spool, FAULT_PRECONDITION while another process
 * reads by that name, FAULT_USAGE for a name that is not valid, FAULT_IO, FAULT_NOMEM.
 */
int spool_reader_open(
	const char *dir, const char *name, struct spool_reader **ret_reader, struct fault *f);

/* NULL is allowed. */
void spool_reader_close(struct spool_reader *reader);

AUTO_DEFINE(spool_reader, struct spool_reader, spool_reader_close);

/*
 * The next message.
 *
 * ret_message  what it points to is valid until the next call
 * ret_any      false when there was none when the last of them were read: spool_reader_fd() tells
 *              when to ask again
 *
 * The reader tries for 30 s to read what the disk cannot read. Then a reader with a name skips it
 * when the disk accepts a write. A disk that accepts none may be gone as a whole and come back. The
 * reader reads around unreadable blocks of a segment. It skips a segment that cannot be opened, or
 * is not a regular file, when there is a newer one. It replaces an unreadable cursor and reads
 * everything again. A reader without a name skips immediately.
 *
 * Returns 0; else FAULT_INVALID when messages were lost, with the reason, once; the next call
 * continues after them. FAULT_CONFIG when a newer version of this software
 * wrote what comes next, FAULT_IO, FAULT_NOMEM: the next call tries again.
 */
int spool_next(struct spool_reader *reader, struct spool_message *ret_message, bool *ret_any,
	struct fault *f);

/* The directory is where it was; was replaced, and is elsewhere; or was removed. */
enum spool_place { SPOOL_KEPT, SPOOL_REPLACED, SPOOL_REMOVED };

/*
 * Whether the spool's path still leads to the directory that is read. If not, another reader reads
 * what is there now. Of a directory that was removed, the file that is open can be read to its end.
 */
enum spool_place spool_reader_place(const struct spool_reader *reader);

/*
 * Whether some of what comes next was read from the disk already. Without it spool_next() asks the
 * system: who has something to do first does that.
 */
bool spool_has_read_ahead(const struct spool_reader *reader);

/* A descriptor that becomes readable when there may be something new; spool_next() empties it. */
int spool_reader_fd(const struct spool_reader *reader);

/*
 * Says that every message before seq is done with: it need not be kept for this reader, and is not
 * read again by one that is opened later.
 *
 * Returns 0; else FAULT_IO: the messages may come again.
 */
int spool_acknowledge(struct spool_reader *reader, uint64_t seq, struct fault *f);

/*
 * How many messages this reader could not read, since its cursor was made: the disk could not read
 * them, they were damaged, or their file was deleted. What the writer dropped does not count. After
 * damage at the end of a file it is the greatest number that may have been there.
 */
uint64_t spool_lost(const struct spool_reader *reader);

/* Goes back to the first message that is not done with. */
void spool_rewind(struct spool_reader *reader);

/*
 * first, next  the oldest message, and the one that will come next
 * oldest_ms    when the oldest was taken; 0 without one
 * bytes        of all segments
 */
struct spool_extent {
	uint64_t first, next;
	int64_t oldest_ms;
	int64_t bytes;
};

/* What a spool holds, as far as its segments' names and the last one tell. */
int spool_extent(const char *dir, struct spool_extent *ret, struct fault *f);

/*
 * When the first message was taken that is not before seq: as long as it waits, how old what waits
 * is. Reads a segment up to it.
 *
 * ret_ms  Unix milliseconds; 0 when there is no such message
 *
 * Returns 0; else FAULT_NOTFOUND when there is no spool, FAULT_IO, FAULT_NOMEM.
 */
int spool_taken(const char *dir, uint64_t seq, int64_t *ret_ms, struct fault *f);

/*
 * Called with each reader, the number of the first message that it is not done with, and how many
 * messages before that it could not read.
 */
typedef int spool_cursor_fn(
	void *with, const char *name, uint64_t seq, uint64_t lost, struct fault *f);

/* Returns 0, or what `each` returned when that was not 0; else FAULT_IO. */
int spool_cursors(const char *dir, spool_cursor_fn *each, void *with, struct fault *f);

/* Called with how many messages of a device were dropped in all, and why. */
typedef int spool_drop_fn(
	void *with, const char *device, const char *reason, uint64_t n, struct fault *f);

/* Returns as spool_cursors(). */
int spool_drops(const char *dir, spool_drop_fn *each, void *with, struct fault *f);

/*
 * Forgets a reader, so that nothing is kept for it.
 *
 * Returns 0; else FAULT_NOTFOUND, FAULT_PRECONDITION while it reads, FAULT_USAGE, FAULT_IO.
 */
int spool_forget(const char *dir, const char *name, struct fault *f);

#endif
