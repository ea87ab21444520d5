#include "config.h"

#include "registry/states.h"

#include "jwt/jwt.h"
#include "registry/look.h"
#include "registry/store.h"

#define KEPT 10

int
states_list(struct registry *r, int64_t device, int64_t limit, json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	char time[32];
	bool row;

	if (!list)
		return fault_nomem(f);
	if (db_prepare(r,
		    "SELECT updated, data FROM states WHERE device = ? ORDER BY id DESC LIMIT ?",
		    &q, f, "ii", device, limit))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		if (look_append(list,
			    json_pack("{s:s, s:o}", "updateTime",
				    look_time(sqlite3_column_int64(q, 0), time, sizeof(time)),
				    "binaryData",
				    look_base64(
					    sqlite3_column_blob(q, 1), sqlite3_column_bytes(q, 1))),
			    f))
			return -1;
	}
	*ret = TAKE(list);
	return 0;
}

int
store_state_list(struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f)
{
	int64_t device;

	if (look_device(r, at, at->device, &device, f))
		return -1;
	return states_list(r, device, KEPT, ret, f);
}
