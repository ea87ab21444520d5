#include "config.h"

#include "registry/db.h"

#include <stdio.h>

#define APPLICATION_ID 0x70313172 /* "p11r" */

/*
 * Each row brings the file from the version that is its index to the next. A row that was released
 * is never changed: a change is a new row.
 *
 * A message's id is when it came, in microseconds since 1970; `waiting` counts the subscriptions
 * that hold it, which number theirs as they come. Other times are in seconds since 1970.
 *
 * `changes` tells a running broker which devices to look at again: 0 stands for all of them, NULL
 * for none. It holds the newest rows, and a broker that missed some looks at all devices. Each row
 * has a random stamp. A broker that no longer finds the newest row that it saw knows that the file
 * was restored from a copy. For that reason credentials and bindings that are created have a row.
 *
 * `class` of an audit line is 'operator', 'device' or 'stranger'. `causer` is the device whose
 * connection caused the line, 0 for none, and `number` counts that device's lines of the class.
 * `audit_rings` counts the lines of each class.
 *
 * Deliveries are numbered without gaps as they are added. `bytes` of a delivery is what retention.h
 * counts for its message, `total_bytes` the sum of that over all deliveries that its subscription
 * ever got, up to this one. What waits is therefore known from the newest delivery and from what is
 * `gone`, and an insert writes no other row. `device_bytes` is the same sum over the deliveries of
 * its device: those that wait are between the oldest and the newest. Deliveries of version 2 have
 * no device and count 0 bytes, so that a large file is migrated quickly. A subscription that is
 * `deleting` gets no more messages.
 *
 * A config's version 1 is empty unless a row says otherwise. `done` of a command is 0 while no
 * broker answered, 1 when it was sent, 2 when it could not be; `outcome` says why.
 */
static const char *const migrations[] = {
	"CREATE TABLE registries ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  project TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,"
	"  created INTEGER NOT NULL,"
	"  UNIQUE (project, region, name));"
	"CREATE TABLE registry_cas ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  registry INTEGER NOT NULL REFERENCES registries ON DELETE CASCADE,"
	"  pem TEXT NOT NULL);"
	"CREATE INDEX registry_cas_registry ON registry_cas (registry);"
	"CREATE TABLE topics ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  project TEXT NOT NULL, name TEXT NOT NULL,"
	"  UNIQUE (project, name));"
	"CREATE TABLE notifications ("
	"  registry INTEGER NOT NULL REFERENCES registries ON DELETE CASCADE,"
	"  position INTEGER NOT NULL,"
	"  subfolder TEXT NOT NULL,"
	"  topic INTEGER NOT NULL REFERENCES topics,"
	"  PRIMARY KEY (registry, position)) WITHOUT ROWID;"
	"CREATE TABLE subscriptions ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  project TEXT NOT NULL, name TEXT NOT NULL,"
	"  topic INTEGER NOT NULL REFERENCES topics,"
	"  dropped INTEGER NOT NULL DEFAULT 0,"
	"  UNIQUE (project, name));"
	"CREATE INDEX subscriptions_topic ON subscriptions (topic);"
	"CREATE TABLE messages ("
	"  id INTEGER PRIMARY KEY,"
	"  published INTEGER NOT NULL,"
	"  waiting INTEGER NOT NULL,"
	"  attributes TEXT NOT NULL,"
	"  data BLOB NOT NULL);"
	"CREATE TABLE deliveries ("
	"  subscription INTEGER NOT NULL REFERENCES subscriptions ON DELETE CASCADE,"
	"  number INTEGER NOT NULL,"
	"  message INTEGER NOT NULL,"
	"  PRIMARY KEY (subscription, number)) WITHOUT ROWID;"
	"CREATE TRIGGER deliveries_done AFTER DELETE ON deliveries BEGIN"
	"  DELETE FROM messages WHERE id = old.message AND waiting <= 1;"
	"  UPDATE messages SET waiting = waiting - 1 WHERE id = old.message;"
	"END;"
	"CREATE TABLE devices ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  registry INTEGER NOT NULL REFERENCES registries,"
	"  name TEXT NOT NULL,"
	"  num_id INTEGER NOT NULL UNIQUE,"
	"  gateway INTEGER NOT NULL,"
	"  auth_method TEXT,"
	"  blocked INTEGER NOT NULL,"
	"  created INTEGER NOT NULL,"
	"  UNIQUE (registry, name));"
	"CREATE TABLE credentials ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
	"  format TEXT NOT NULL,"
	"  pem TEXT NOT NULL,"
	"  expires INTEGER NOT NULL);"
	"CREATE INDEX credentials_device ON credentials (device);"
	"CREATE TABLE bindings ("
	"  gateway INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
	"  device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
	"  PRIMARY KEY (gateway, device)) WITHOUT ROWID;"
	"CREATE INDEX bindings_device ON bindings (device);"
	"CREATE TABLE states ("
	"  id INTEGER PRIMARY KEY,"
	"  device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
	"  updated INTEGER NOT NULL,"
	"  data BLOB NOT NULL);"
	"CREATE INDEX states_device ON states (device);",

	"ALTER TABLE registries ADD COLUMN log_level TEXT NOT NULL DEFAULT 'INFO';"
	"ALTER TABLE registries ADD COLUMN mqtt INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE registries ADD COLUMN state_topic INTEGER REFERENCES topics;"
	"ALTER TABLE registries ADD COLUMN jit TEXT;"
	"ALTER TABLE devices ADD COLUMN log_level TEXT;"
	"ALTER TABLE devices ADD COLUMN metadata TEXT;"
	"CREATE INDEX devices_gateways ON devices (registry, name) WHERE gateway;"
	"CREATE INDEX devices_blocked ON devices (registry, name) WHERE blocked;"
	"CREATE TABLE configs ("
	"  id INTEGER PRIMARY KEY,"
	"  device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
	"  version INTEGER NOT NULL,"
	"  updated INTEGER NOT NULL,"
	"  data BLOB NOT NULL,"
	"  UNIQUE (device, version));"
	"CREATE TABLE commands ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,"
	"  subfolder TEXT NOT NULL,"
	"  data BLOB NOT NULL,"
	"  expires INTEGER NOT NULL,"
	"  done INTEGER NOT NULL DEFAULT 0,"
	"  outcome TEXT NOT NULL DEFAULT '');"
	"CREATE INDEX commands_device ON commands (device);"
	"CREATE TABLE activity ("
	"  device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE,"
	"  heartbeat INTEGER NOT NULL DEFAULT 0,"
	"  event INTEGER NOT NULL DEFAULT 0,"
	"  config_sent INTEGER NOT NULL DEFAULT 0,"
	"  config_version INTEGER NOT NULL DEFAULT 0,"
	"  error INTEGER NOT NULL DEFAULT 0,"
	"  error_text TEXT NOT NULL DEFAULT '');"
	"CREATE TABLE audit ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  time INTEGER NOT NULL,"
	"  project TEXT NOT NULL, region TEXT NOT NULL,"
	"  registry TEXT NOT NULL, device TEXT NOT NULL,"
	"  event TEXT NOT NULL,"
	"  detail TEXT NOT NULL);"
	"CREATE INDEX audit_device ON audit (registry, device);"
	"CREATE TABLE changes ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  device INTEGER NOT NULL);"
	"CREATE TRIGGER changes_bounded AFTER INSERT ON changes BEGIN"
	"  DELETE FROM changes WHERE id <= new.id - 100000;"
	"END;"
	"CREATE TRIGGER device_changed AFTER UPDATE OF blocked, gateway, auth_method, log_level"
	" ON devices BEGIN"
	"  INSERT INTO changes (device) VALUES (new.id);"
	"END;"
	"CREATE TRIGGER device_deleted AFTER DELETE ON devices BEGIN"
	"  INSERT INTO changes (device) VALUES (old.id);"
	"END;"
	"CREATE TRIGGER device_unbound AFTER DELETE ON bindings BEGIN"
	"  INSERT INTO changes (device) VALUES (old.device);"
	"END;"
	"CREATE TRIGGER config_changed AFTER INSERT ON configs BEGIN"
	"  INSERT INTO changes (device) VALUES (new.device);"
	"END;"
	"CREATE TRIGGER registry_changed AFTER UPDATE OF mqtt, log_level ON registries BEGIN"
	"  INSERT INTO changes (device) VALUES (0);"
	"END;",

	"ALTER TABLE subscriptions ADD COLUMN deleting INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE subscriptions ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE subscriptions ADD COLUMN gone_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE deliveries ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE deliveries ADD COLUMN total_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE deliveries ADD COLUMN device INTEGER;"
	"ALTER TABLE deliveries ADD COLUMN device_bytes INTEGER NOT NULL DEFAULT 0;"
	"UPDATE subscriptions SET gone ="
	" (SELECT coalesce(max(number), 0) - count(*) FROM deliveries WHERE subscription = id);"
	"CREATE INDEX deliveries_device ON deliveries"
	"  (subscription, device, number, bytes, device_bytes) WHERE device IS NOT NULL;"
	"DROP TRIGGER deliveries_done;"
	"CREATE TRIGGER deliveries_done AFTER DELETE ON deliveries BEGIN"
	"  DELETE FROM messages WHERE id = old.message AND waiting <= 1;"
	"  UPDATE messages SET waiting = waiting - 1 WHERE id = old.message;"
	"  UPDATE subscriptions SET gone = gone + 1, gone_bytes = gone_bytes + old.bytes"
	"  WHERE id = old.subscription;"
	"END;"
	"CREATE INDEX notifications_topic ON notifications (topic);"
	"CREATE INDEX registries_state_topic ON registries (state_topic);",

	"DROP TABLE changes;"
	"CREATE TABLE changes ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  device INTEGER,"
	"  stamp INTEGER NOT NULL DEFAULT (random()));"
	"INSERT INTO changes (device) VALUES (0);"
	"CREATE TRIGGER changes_bounded AFTER INSERT ON changes BEGIN"
	"  DELETE FROM changes WHERE id <= new.id - 100000;"
	"END;"
	"CREATE TRIGGER device_bound AFTER INSERT ON bindings BEGIN"
	"  INSERT INTO changes (device) VALUES (NULL);"
	"END;"
	"CREATE TRIGGER credential_added AFTER INSERT ON credentials BEGIN"
	"  INSERT INTO changes (device) VALUES (NULL);"
	"END;"
	"CREATE TRIGGER credential_changed AFTER UPDATE OF device, pem ON credentials BEGIN"
	"  INSERT INTO changes (device) VALUES (old.device);"
	"END;"
	"CREATE TRIGGER credential_deleted AFTER DELETE ON credentials BEGIN"
	"  INSERT INTO changes (device) VALUES (old.device);"
	"END;"
	"CREATE TABLE classed ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  time INTEGER NOT NULL,"
	"  project TEXT NOT NULL, region TEXT NOT NULL,"
	"  registry TEXT NOT NULL, device TEXT NOT NULL,"
	"  event TEXT NOT NULL,"
	"  detail TEXT NOT NULL,"
	"  class TEXT NOT NULL,"
	"  causer INTEGER NOT NULL,"
	"  number INTEGER NOT NULL);"
	"INSERT INTO classed SELECT id, time, project, region, registry, device, event, detail, "
	"class,"
	"  0, row_number() OVER (PARTITION BY class ORDER BY id)"
	" FROM (SELECT *, CASE"
	"  WHEN event = 'refused' THEN 'stranger'"
	"  WHEN event IN ('registry created', 'registry updated', 'registry deleted', 'CA added',"
	"   'CA deleted', 'created', 'updated', 'blocked', 'unblocked', 'deleted',"
	"   'credential added', 'credential updated', 'credential deleted', 'credentials cleared',"
	"   'bound', 'unbound', 'config updated', 'command sent', 'command not sent')"
	"   THEN 'operator'"
	"  ELSE 'device' END AS class FROM audit);"
	"DROP TABLE audit;"
	"ALTER TABLE classed RENAME TO audit;"
	"CREATE INDEX audit_device ON audit (registry, device);"
	"CREATE INDEX audit_class ON audit (class);"
	"CREATE UNIQUE INDEX audit_causer ON audit (class, causer, number);"
	"CREATE TABLE audit_rings ("
	"  class TEXT PRIMARY KEY,"
	"  lines INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO audit_rings SELECT column1, (SELECT count(*) FROM audit WHERE class = column1)"
	" FROM (VALUES ('operator'), ('device'), ('stranger'));"
	"CREATE TRIGGER audit_added AFTER INSERT ON audit BEGIN"
	"  UPDATE audit_rings SET lines = lines + 1 WHERE class = new.class;"
	"END;"
	"CREATE TRIGGER audit_removed AFTER DELETE ON audit BEGIN"
	"  UPDATE audit_rings SET lines = lines - 1 WHERE class = old.class;"
	"END;",
};

#define SCHEMA_VERSION ((int)(sizeof(migrations) / sizeof(migrations[0])))

static int
pragma(struct registry *r, const char *sql, int64_t *ret, struct fault *f)
{
	sqlite3_stmt *statement;
	bool row;

	if (db_prepare(r, sql, &statement, f, "") || db_step(r, statement, &row, f))
		return -1;
	*ret = row ? sqlite3_column_int64(statement, 0) : 0;
	sqlite3_reset(statement);
	return 0;
}

/* Reads the file's version, 0 for an empty one; FAULT_CONFIG for one that is not ours. */
static int
check(struct registry *r, int64_t *ret_version, struct fault *f)
{
	int64_t application, version, tables;

	if (pragma(r, "PRAGMA application_id", &application, f) ||
		pragma(r, "PRAGMA user_version", &version, f) ||
		pragma(r, "SELECT count(*) FROM sqlite_master", &tables, f))
		return -1;
	if (application != APPLICATION_ID && (application || version || tables))
		return fault_set(f, FAULT_CONFIG,
			"'%s' is another program's database: name the registry's", r->path);
	if (version > SCHEMA_VERSION)
		return fault_set(f, FAULT_CONFIG,
			"'%s' was written by a newer version of this program (schema %d, this one "
			"knows %d): install that one",
			r->path, (int)version, SCHEMA_VERSION);
	*ret_version = version;
	return 0;
}

static int
migrate(struct registry *r, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	char number[96];
	int64_t version;

	(void)open;
	/* Once more under the lock: another program may be doing the same. */
	if (db_begin(r, f) || check(r, &version, f))
		return -1;
	for (; version < SCHEMA_VERSION; version++) {
		if (sqlite3_exec(r->db, migrations[version], NULL, NULL, NULL) != SQLITE_OK)
			return db_fault(r, "cannot bring the registry's schema up to date", f);
	}
	snprintf(number, sizeof(number), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		APPLICATION_ID, SCHEMA_VERSION);
	if (sqlite3_exec(r->db, number, NULL, NULL, NULL) != SQLITE_OK)
		return db_fault(r, "cannot bring the registry's schema up to date", f);
	return db_commit(r, f);
}

int
schema_open(struct registry *r, struct fault *f)
{
	int64_t version;

	/* Before anything is set, so that another program's file stays as it is. */
	if (check(r, &version, f))
		return -1;
	/*
	 * Debian's SQLite overwrites each deleted message with zeros unless secure_delete is off,
	 * which takes as long as to write it.
	 */
	if (sqlite3_exec(r->db,
		    "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
		    "PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 16777216;"
		    "PRAGMA secure_delete = OFF; PRAGMA cache_size = -65536;",
		    NULL, NULL, NULL) != SQLITE_OK)
		return db_fault(r, "cannot open the registry", f);
	/* Only a file that must change is locked: the broker may be writing to it. */
	return version < SCHEMA_VERSION ? migrate(r, f) : 0;
}
