#include "config.h"

#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "registry/changes.h"

static void *
copy(const void *data, size_t len)
{
	char *bytes = malloc(len + 1);

	if (!bytes)
		return NULL;
	if (len)
		memcpy(bytes, data, len);
	bytes[len] = '\0';
	return bytes;
}

int
registry_config(
	struct registry *registry, int64_t device_row, struct registry_config *ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	struct registry_config config = {.version = 1};
	bool row;

	if (changes_see(registry, f) ||
		db_prepare(registry,
			"SELECT version, data FROM configs WHERE device = ? ORDER BY version DESC"
			" LIMIT 1",
			&q, f, "i", device_row) ||
		db_step(registry, q, &row, f))
		return -1;
	if (row) {
		config.version = sqlite3_column_int64(q, 0);
		config.len = (size_t)sqlite3_column_bytes(q, 1);
	}
	if (config.len) {
		config.data = copy(sqlite3_column_blob(q, 1), config.len);
		if (!config.data)
			return fault_nomem(f);
	}
	*ret = config;
	return 0;
}

void
registry_command_clear(struct registry_command *command)
{
	free(command->subfolder);
	free(command->data);
	*command = (struct registry_command){0};
}

int
registry_next_command(struct registry *registry, time_t now, struct registry_command *ret,
	bool *ret_there, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(registry_command_clear) struct registry_command command = {0};
	bool row;

	if (db_prepare(registry,
		    "SELECT id, device, subfolder, data FROM commands"
		    " WHERE id > ? AND done = 0 AND expires > ? ORDER BY id LIMIT 1",
		    &q, f, "ii", registry->last_command, (int64_t)now) ||
		db_step(registry, q, &row, f))
		return -1;
	if (row) {
		command.id = sqlite3_column_int64(q, 0);
		command.device_row = sqlite3_column_int64(q, 1);
		command.subfolder = strdup(db_text(q, 2));
		command.len = (size_t)sqlite3_column_bytes(q, 3);
		command.data = copy(sqlite3_column_blob(q, 3), command.len);
		if (!command.subfolder || !command.data)
			return fault_nomem(f);
		registry->last_command = command.id;
	}
	*ret_there = row;
	*ret = command;
	command = (struct registry_command){0};
	return 0;
}

int
registry_commands_wait(struct registry *registry, time_t now, bool *ret_waits, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;

	if (db_prepare(registry, "SELECT 1 FROM commands WHERE done = 0 AND expires > ? LIMIT 1",
		    &q, f, "i", (int64_t)now))
		return -1;
	return db_step(registry, q, ret_waits, f);
}

int
registry_answer_command(
	struct registry *registry, int64_t id, bool sent, const char *outcome, struct fault *f)
{
	return db_run(registry, "UPDATE commands SET done = ?, outcome = ? WHERE id = ?", f, "iti",
		(int64_t)(sent ? 1 : 2), outcome, id);
}
