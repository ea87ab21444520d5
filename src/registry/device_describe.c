#include "config.h"

#include "registry/store.h"

#include <string.h>

#include "jwt/jwt.h"
#include "registry/configs.h"
#include "registry/devices.h"
#include "registry/look.h"
#include "registry/metadata.h"
#include "registry/states.h"

/* A member that is left out without a time. */
static int
set_time(json_t *about, const char *member, int64_t seconds, struct fault *f)
{
	char time[32];

	if (seconds == 0)
		return 0;
	look_time(seconds, time, sizeof(time));
	return json_object_set_new(about, member, json_string(time)) ? fault_nomem(f) : 0;
}

/* Times of what the broker saw. */
static int
add_activity(struct registry *r, int64_t device, json_t *about, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r,
		    "SELECT heartbeat, event, config_sent, config_version, error, error_text"
		    " FROM activity WHERE device = ?",
		    &q, f, "i", device) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return 0;
	if (set_time(about, "lastHeartbeatTime", sqlite3_column_int64(q, 0), f) ||
		set_time(about, "lastEventTime", sqlite3_column_int64(q, 1), f) ||
		set_time(about, "lastConfigSendTime", sqlite3_column_int64(q, 2), f) ||
		set_time(about, "lastErrorTime", sqlite3_column_int64(q, 4), f))
		return -1;
	if (sqlite3_column_int64(q, 2) &&
		json_object_set_new(about, "lastConfigSentVersion", json_string(db_text(q, 3))))
		return fault_nomem(f);
	if (sqlite3_column_int64(q, 4) && json_object_set_new(about, "lastErrorStatus",
						  json_pack("{s:s}", "message", db_text(q, 5))))
		return fault_nomem(f);
	return 0;
}

static int
add_config(struct registry *r, int64_t device, json_t *about, struct fault *f)
{
	json_t *config;

	if (configs_describe(r, device, 0, &config, f))
		return -1;
	return json_object_set_new(about, "config", config) ? fault_nomem(f) : 0;
}

/* The newest state, and when it came. */
static int
add_state(struct registry *r, int64_t device, json_t *about, struct fault *f)
{
	AUTO(auto_json) json_t *states = NULL;
	json_t *newest;

	if (states_list(r, device, 1, &states, f))
		return -1;
	newest = json_array_get(states, 0);
	if (newest && (json_object_set(about, "state", newest) ||
			      json_object_set(about, "lastStateTime",
				      json_object_get(newest, "updateTime"))))
		return fault_nomem(f);
	return 0;
}

static int
add_credentials(struct registry *r, const struct rules_client *at, json_t *about, struct fault *f)
{
	json_t *credentials;

	if (store_credential_list(r, at, &credentials, f))
		return -1;
	return json_object_set_new(about, "credentials", credentials) ? fault_nomem(f) : 0;
}

static int
read_row(struct registry *r, const struct rules_client *at, int64_t device, json_t **ret,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *about = NULL;
	json_t *metadata;
	bool row;

	if (db_prepare(r,
		    "SELECT " DEVICES_COLUMNS ", log_level, metadata FROM devices WHERE id = ?", &q,
		    f, "i", device) ||
		db_step(r, q, &row, f))
		return -1;
	about = devices_summary(q, at);
	if (!about)
		return fault_nomem(f);
	if (*db_text(q, 5) && json_object_set_new(about, "logLevel", json_string(db_text(q, 5))))
		return fault_nomem(f);
	if (metadata_read(db_text(q, 6), &metadata, f))
		return -1;
	if (json_object_set_new(about, "metadata", metadata))
		return fault_nomem(f);
	*ret = TAKE(about);
	return 0;
}

int
store_device_describe(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f)
{
	AUTO(auto_json) json_t *about = NULL;
	int64_t device;

	if (look_device(r, at, at->device, &device, f) || read_row(r, at, device, &about, f) ||
		add_credentials(r, at, about, f) || add_config(r, device, about, f) ||
		add_state(r, device, about, f) || add_activity(r, device, about, f))
		return -1;
	*ret = TAKE(about);
	return 0;
}
