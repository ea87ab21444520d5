#include "config.h"

#include "plugin/name_file.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/thread.h"
#include "registry/rules.h"

#define NEW_FILE_NAME NAME_FILE_NAME ".new"

#define SAVE_MS 60000

/* Names, each with its line end. */
#define FILE_MAX ((size_t)NAME_LIMIT_KNOWN_MAX * (RULES_ID_MAX + 1))

/*
 * dir        the directory's name: it may be made anew
 * saved      name_limit_added() as of the last attempt to write, at saved_ms
 * writing    there is a thread to be joined; done: it has finished
 * text       what the thread writes; it and `fault` are the thread's own meanwhile
 */
struct name_file {
	char *dir;
	struct name_limit *limit;
	uint64_t saved;
	int64_t saved_ms;
	pthread_t thread;
	bool writing;
	atomic_bool done;
	char *text;
	size_t len;
	struct fault fault;
};

static int
open_dir(const struct name_file *file)
{
	return open(file->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
read_names(struct name_file *file)
{
	AUTO(auto_fd) int dir = open_dir(file);
	AUTO(auto_file) FILE *stream = NULL;
	char line[RULES_ID_MAX + 2];
	int fd = dir < 0 ? -1 : file_open_at(dir, NAME_FILE_NAME, O_RDONLY, 0);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (size < 0 || (size_t)size > FILE_MAX || lseek(fd, 0, SEEK_SET) < 0 ||
		!(stream = fdopen(fd, "r"))) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (fgets(line, sizeof(line), stream)) {
		size_t len = strcspn(line, "\n");

		line[len] = '\0';
		if (rules_is_device(line, len))
			name_limit_remember(file->limit, line, NULL);
	}
}

int
name_file_open(
	const char *dir, struct name_limit *limit, struct name_file **ret_file, struct fault *f)
{
	struct name_file *file = calloc(1, sizeof(*file));

	if (!file)
		return fault_nomem(f);
	file->dir = strdup(dir);
	if (!file->dir) {
		free(file);
		return fault_nomem(f);
	}
	file->limit = limit;
	read_names(file);
	file->saved = name_limit_added(limit);
	*ret_file = file;
	return 0;
}

static int
write_names(const struct name_file *file, struct fault *f)
{
	AUTO(auto_fd) int dir = open_dir(file);
	int fd = dir < 0 ? -1 : file_create_at(dir, NEW_FILE_NAME, 0640);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");
	bool failed;

	if (!stream) {
		fault_errno(f, "cannot write the file of known devices");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	failed = fwrite(file->text, 1, file->len, stream) != file->len;
	if (fclose(stream) || failed || renameat(dir, NEW_FILE_NAME, dir, NAME_FILE_NAME) < 0)
		return fault_errno(f, "cannot write the file of known devices");
	return 0;
}

/* In a thread of its own: a disk may take seconds. */
static void *
write_in_thread(void *with)
{
	struct name_file *file = with;

	write_names(file, &file->fault);
	atomic_store(&file->done, true);
	return NULL;
}

static int
take_text(struct name_file *file, struct fault *f)
{
	free(TAKE(file->text));
	file->saved = name_limit_added(file->limit);
	return name_limit_text(file->limit, &file->text, &file->len, f);
}

static int
start(struct name_file *file, struct fault *f)
{
	if (take_text(file, f))
		return -1;
	file->fault = (struct fault)FAULT_INIT;
	atomic_store(&file->done, false);
	if (thread_start(&file->thread, write_in_thread, file, f))
		return -1;
	file->writing = true;
	return 0;
}

/* Waits for the thread, if there is one. */
static int
finish(struct name_file *file, struct fault *f)
{
	if (!file->writing)
		return 0;
	pthread_join(file->thread, NULL);
	file->writing = false;
	if (file->fault.code == FAULT_NONE)
		return 0;
	if (f)
		*f = file->fault;
	return -1;
}

int
name_file_tick(struct name_file *file, int64_t now_ms, struct fault *f)
{
	if (file->writing)
		return atomic_load(&file->done) ? finish(file, f) : 0;
	if (file->saved == name_limit_added(file->limit) || now_ms - file->saved_ms < SAVE_MS)
		return 0;
	file->saved_ms = now_ms;
	return start(file, f);
}

void
name_file_close(struct name_file *file)
{
	if (!file)
		return;
	finish(file, NULL);
	if (file->saved != name_limit_added(file->limit) && take_text(file, NULL) == 0)
		write_names(file, NULL);
	free(file->text);
	free(file->dir);
	free(file);
}
