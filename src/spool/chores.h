/*
 * chores: what a thread does for a writer of a spool while another one appends to it, in steps:
 * those that wait for the disk, and those that have the writer to themselves, under a lock.
 *
 * Who appends has the writer to itself, too; meanwhile only as long as spool_is_quick().
 */
#ifndef SPOOL_CHORES_H
#define SPOOL_CHORES_H

#include "spool/ages.h"
#include "spool/front.h"
#include "spool/spool.h"

/*
 * Whether spool_append() has no need of the disk for a message: there is room in the front.
 *
 * Has the writer to itself.
 */
bool spool_is_quick(const struct spool_writer *writer, const struct spool_message *message);

/*
 * What is first to be brought from the front to the disk, which front_copy() does.
 *
 * Returns whether there is anything.  Has the writer to itself.
 */
bool spool_unsettled(const struct spool_writer *writer, struct front_part *ret);

/* Bytes of all of it.  Has the writer to itself. */
int64_t spool_unsettled_bytes(const struct spool_writer *writer);

/*
 * Notes that a part is on the disk.
 *
 * Returns 0; else FAULT_IO when it cannot leave the front.  Has the writer to itself.
 */
int spool_settled(struct spool_writer *writer, const struct front_part *part, struct fault *f);

/*
 * A segment, or the whole front, was removed from memory. The messages that were not on the disk
 * yet are lost. The writer makes another front when there is none.
 *
 * Returns how many bytes were lost.  Has the writer to itself.
 */
int64_t spool_lose_front(struct spool_writer *writer);

/*
 * Makes the link to the front again when it leads elsewhere.
 *
 * front  the writer's, taken when that was ours
 *
 * Returns 0; else FAULT_IO.  Blocks: on the disk.
 */
int spool_keep_front(struct spool_writer *writer, int front, struct fault *f);

/* Whether the directory is the one that the spool's path leads to.  Blocks: on the disk. */
bool spool_is_in_place(const struct spool_writer *writer);

/*
 * Opens the directory that is in the place of the writer's. One that was removed is made again with
 * its owner and mode, unless the file system that it was on is not there.
 *
 * Returns 0; else as spool_writer_open(), FAULT_IO too.  Blocks: on the disk.
 */
int spool_open_place(
	const struct spool_writer *writer, struct spool_writer **ret_fresh, struct fault *f);

/*
 * Goes on in that directory. What is in the front comes there, from its beginning; what was only in
 * the old one stays there. No number is given again.
 *
 * fresh  from spool_open_place(); consumed
 *
 * Returns 0; else with everything as it was, FAULT_CONFIG when that is another spool, whose numbers
 * are those of messages in the front; FAULT_IO, FAULT_NOMEM.  Has the writer to itself.
 */
int spool_take_place(struct spool_writer *writer, struct spool_writer *fresh, struct fault *f);

/* All of that, when the directory is not in its place. Returns 0; else as these. */
int spool_return(struct spool_writer *writer, struct fault *f);

/*
 * Notes whether the directory is missing, and whether that was noted last: spool_is_quick() is
 * false then.  Has the writer to itself.
 */
void spool_note_place(struct spool_writer *writer, bool kept);
bool spool_is_displaced(const struct spool_writer *writer);

/* The directory of the front; -1 when there is none. */
int spool_front(const struct spool_writer *writer);

/*
 * The first message that readers need.
 *
 * Returns 0; else FAULT_IO.  Blocks: on the disk.
 */
int spool_find_held(const struct spool_writer *writer, uint64_t *ret_held, struct fault *f);

/*
 * A segment that is to be deleted.
 *
 * reason     why what is in it is dropped; NULL when it is done with
 * held, end  the first message that counts as dropped, and the first that is not in it
 */
struct spool_victim {
	uint64_t first, held, end;
	bool in_front;
	const char *reason;
};

/*
 * The oldest segment, when it is done with or too old.
 *
 * held    from spool_find_held()
 * now_ms  as for spool_tick()
 *
 * Returns whether it is.  Has the writer to itself.
 */
bool spool_find_victim(
	struct spool_writer *writer, uint64_t held, int64_t now_ms, struct spool_victim *ret);

/*
 * Counts the messages that are dropped with a segment, and deletes it. Messages that cannot be read
 * count for the device DROPS_UNKNOWN. Anything but a regular file is moved to the quarantine.
 *
 * Returns 0; else FAULT_IO, FAULT_NOMEM.  Blocks: on the disk.
 */
int spool_delete(struct spool_writer *writer, const struct spool_victim *victim, struct fault *f);

/* Forgets the oldest segment, which was deleted.  Has the writer to itself. */
void spool_deleted(struct spool_writer *writer);

/* Writes down what was dropped. Returns 0; else FAULT_IO.  Blocks: on the disk. */
int spool_note_drops(struct spool_writer *writer, struct fault *f);

/*
 * Whether it is time to save how old the segments are, which ages_save() does: once for each writer
 * that is opened, then each hour, or more often where little is old.
 *
 * now_ms  as for spool_tick()
 * ret     free with ages_clear()
 *
 * Returns whether it is.  Has the writer to itself.
 */
bool spool_ages_due(struct spool_writer *writer, int64_t now_ms, struct ages *ret);

/* Saves and clears them. Returns 0; else FAULT_IO, FAULT_NOMEM.  Blocks: on the disk. */
int spool_save_ages(
	const struct spool_writer *writer, struct ages *ages, int64_t now_ms, struct fault *f);

/*
 * Returns 0; else what was wrong with the front, which is tried again when nothing is in it.  Has
 * the writer to itself.
 */
int spool_tell_front(struct spool_writer *writer, struct fault *f);

#endif
