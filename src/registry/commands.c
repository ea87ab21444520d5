#include "config.h"

#include "registry/store.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "registry/look.h"
#include "registry/note.h"

/* Rows that a killed sender left go after this long, a few each time that one is added. */
#define STALE_S 60

/* What may stand in a topic that the broker delivers: UTF-8, without wildcards and empty parts. */
static int
check_subfolder(const char *subfolder, struct fault *f)
{
	size_t len = strlen(subfolder);
	json_t *text = json_string(subfolder);
	bool good = text && len <= RULES_SUBFOLDER_MAX && !strpbrk(subfolder, "+#") &&
		    !strstr(subfolder, "//") &&
		    !(len && (subfolder[0] == '/' || subfolder[len - 1] == '/'));

	json_decref(text);
	for (size_t i = 0; good && i < len; i++)
		good = (unsigned char)subfolder[i] >= 0x20 && subfolder[i] != 0x7f;
	if (good)
		return 0;
	return fault_set(f, FAULT_USAGE,
		"the subfolder '%.80s' is not a text of at most %d bytes without + and #, with "
		"something between its slashes",
		subfolder, RULES_SUBFOLDER_MAX);
}

int
store_command_put(struct registry *r, const struct rules_client *at,
	const struct store_command *command, time_t now, int64_t *ret_id, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t device, id;

	(void)open;
	if (check_subfolder(command->subfolder, f))
		return -1;
	if (command->len > RULES_COMMAND_MAX)
		return fault_set(f, FAULT_USAGE, "a command has at most %d bytes, not %zu",
			RULES_COMMAND_MAX, command->len);
	if (db_begin(r, f) || look_device(r, at, at->device, &device, f) ||
		db_run(r,
			"DELETE FROM commands WHERE id IN"
			" (SELECT id FROM commands WHERE expires < ? ORDER BY id LIMIT 4)",
			f, "i", (int64_t)now - STALE_S) ||
		db_run(r,
			"INSERT INTO commands (device, subfolder, data, expires)"
			" VALUES (?, ?, ?, ?)",
			f, "itbi", device, command->subfolder, command->len ? command->data : "",
			command->len, (int64_t)command->expires))
		return -1;
	id = sqlite3_last_insert_rowid(r->db);
	if (db_commit(r, f))
		return -1;
	*ret_id = id;
	return 0;
}

static int
read_answer(struct registry *r, int64_t id, struct store_answer *ret, int64_t *ret_device,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r, "SELECT done, outcome, device, subfolder FROM commands WHERE id = ?", &q,
		    f, "i", id) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_NOTFOUND,
			"the device was deleted while the command waited to be sent");
	ret->done = sqlite3_column_int(q, 0);
	snprintf(ret->outcome, sizeof(ret->outcome), "%s", db_text(q, 1));
	snprintf(ret->subfolder, sizeof(ret->subfolder), "%s", db_text(q, 3));
	*ret_device = sqlite3_column_int64(q, 2);
	return 0;
}

int
store_command_look(struct registry *r, int64_t id, struct store_answer *ret, struct fault *f)
{
	int64_t device;

	return read_answer(r, id, ret, &device, f);
}

int
store_command_end(struct registry *r, const struct rules_client *at, int64_t id,
	const char *without, struct store_answer *ret, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	struct store_answer answer;
	int64_t device;

	(void)open;
	if (db_begin(r, f) || read_answer(r, id, &answer, &device, f) ||
		note(r, at, device, answer.done == 1 ? "command sent" : "command not sent", f,
			"subfolder=%s outcome=%s", answer.subfolder,
			answer.done ? answer.outcome : without) ||
		db_run(r, "DELETE FROM commands WHERE id = ?", f, "i", id) || db_commit(r, f))
		return -1;
	*ret = answer;
	return 0;
}
