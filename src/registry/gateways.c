#include "config.h"

#include "registry/gateways.h"

#include "jwt/jwt.h"
#include "registry/look.h"
#include "registry/note.h"
#include "registry/store.h"

#define GATEWAYS_OF_A_DEVICE_MAX 10
#define DEVICES_OF_A_GATEWAY_MAX 10000

static int
count(struct registry *r, const char *sql, int64_t row, int64_t *ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool there;

	if (db_prepare(r, sql, &q, f, "i", row) || db_step(r, q, &there, f))
		return -1;
	*ret = there ? sqlite3_column_int64(q, 0) : 0;
	return 0;
}

/* The rows of a gateway and of a device that is none. */
static int
look_pair(struct registry *r, const struct rules_client *at, const char *gateway,
	const char *device, int64_t *ret_gateway, int64_t *ret_device, struct fault *f)
{
	int64_t is_gateway;

	if (look_device(r, at, gateway, ret_gateway, f) ||
		count(r, "SELECT gateway FROM devices WHERE id = ?", *ret_gateway, &is_gateway, f))
		return -1;
	if (!is_gateway)
		return fault_set(f, FAULT_USAGE,
			"'%s' is no gateway: create it with --device-type=gateway", gateway);
	if (look_device(r, at, device, ret_device, f) ||
		count(r, "SELECT gateway FROM devices WHERE id = ?", *ret_device, &is_gateway, f))
		return -1;
	if (is_gateway)
		return fault_set(f, FAULT_USAGE,
			"'%s' is a gateway itself: only a device can be bound to one", device);
	return 0;
}

int
gateways_bind(struct registry *r, const struct rules_client *at, const char *gateway,
	const char *device, struct fault *f)
{
	int64_t gateway_row, device_row, gateways, devices;

	if (look_pair(r, at, gateway, device, &gateway_row, &device_row, f) ||
		count(r, "SELECT count(*) FROM bindings WHERE device = ?", device_row, &gateways,
			f) ||
		count(r, "SELECT count(*) FROM bindings WHERE gateway = ?", gateway_row, &devices,
			f))
		return -1;
	if (gateways >= GATEWAYS_OF_A_DEVICE_MAX || devices >= DEVICES_OF_A_GATEWAY_MAX)
		return fault_set(f, FAULT_USAGE,
			"a device is bound to at most %d gateways, a gateway has at most %d "
			"devices",
			GATEWAYS_OF_A_DEVICE_MAX, DEVICES_OF_A_GATEWAY_MAX);
	if (db_run(r, "INSERT INTO bindings (gateway, device) VALUES (?, ?)", f, "ii", gateway_row,
		    device_row))
		return fault_prefix(f, "device '%s' and gateway '%s'", device, gateway);
	return note(r, at, device_row, "bound", f, "gateway=%s", gateway);
}

int
store_gateway_bind(struct registry *r, const struct rules_client *at, const char *gateway,
	const char *device, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;

	(void)open;
	if (db_begin(r, f) || gateways_bind(r, at, gateway, device, f))
		return -1;
	return db_commit(r, f);
}

int
store_gateway_unbind(struct registry *r, const struct rules_client *at, const char *gateway,
	const char *device, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t gateway_row, device_row;

	(void)open;
	if (db_begin(r, f) || look_pair(r, at, gateway, device, &gateway_row, &device_row, f) ||
		db_run(r, "DELETE FROM bindings WHERE gateway = ? AND device = ?", f, "ii",
			gateway_row, device_row))
		return -1;
	if (sqlite3_changes(r->db) == 0)
		return fault_set(f, FAULT_NOTFOUND, "device '%s' is not bound to gateway '%s'",
			device, gateway);
	if (note(r, at, device_row, "unbound", f, "gateway=%s", gateway))
		return -1;
	return db_commit(r, f);
}

int
store_gateway_list(struct registry *r, const struct rules_client *at, const char *gateway,
	json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	int64_t gateway_row;
	bool row;

	if (!list)
		return fault_nomem(f);
	if (look_device(r, at, gateway, &gateway_row, f) ||
		db_prepare(r,
			"SELECT d.name, d.num_id FROM bindings b JOIN devices d ON b.device = d.id"
			" WHERE b.gateway = ? ORDER BY d.name",
			&q, f, "i", gateway_row))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		if (look_append(list,
			    json_pack("{s:s, s:s}", "id", db_text(q, 0), "numId", db_text(q, 1)),
			    f))
			return -1;
	}
	*ret = TAKE(list);
	return 0;
}
