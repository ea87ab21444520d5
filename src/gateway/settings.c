#include "config.h"

#include "gateway/settings.h"

#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/file.h"
#include "gateway/devices.h"
#include "gateway/listen.h"
#include "gateway/route.h"
#include "gateway/template.h"
#include "jwt/claims.h"
#include "registry/limits.h"
#include "registry/rules.h"
#include "spool/spool.h"

#define FILE_MAX (1024 * 1024)

#define AT(section_and_name) offsetof(struct gateway_settings, section_and_name)

const struct setting gateway_settings_table[] = {
	{"token.key", 0, SETTING_TEXT, AT(token.key), .env = "P11_GATEWAY_KEY", .value = "URI",
		.help = "the gateway's key, as a PKCS#11 URI (RFC 7512)"},
	{"token.module", 0, SETTING_TEXT, AT(token.module), .env = "P11_GATEWAY_MODULE",
		.value = "FILE", .help = "PKCS#11 module; without it all that p11-kit knows"},
	{"token.pin-source", 0, SETTING_TEXT, AT(token.pin_source), .env = "P11_GATEWAY_PIN_SOURCE",
		.value = "SOURCE",
		.help = "where the PIN is: file:PATH, env:NAME, credential:NAME"},
	{"token.device-key", 0, SETTING_TEXT, AT(token.device_key), .value = "URI",
		.help = "a device's own key in the token, with {device} for its id, to attach it "
			"by"},
	{"uplink.name", 0, SETTING_TEXT, AT(uplink.name), .value = "NAME",
		.help = "the uplink's, by which the spool knows how far it is; the file's "
			"without it"},
	{"uplink.profile", 0, SETTING_CHOICE, AT(uplink.profile), .preset = "iot-core",
		.words = "iot-core clearblade emqx rabbitmq generic", .value = "PROFILE",
		.help = "what the broker expects: iot-core, clearblade, emqx, rabbitmq, generic"},
	{"uplink.url", 0, SETTING_LIST, AT(uplink.url), .env = "P11_GATEWAY_URL", .value = "URL",
		.help = "the broker: mqtts://HOST[:8883] or mqtt://HOST[:1883]; repeated: the "
			"next one when this one fails"},
	{"uplink.ca-file", 0, SETTING_TEXT, AT(uplink.ca_file), .env = "P11_GATEWAY_CA_FILE",
		.value = "FILE", .help = "CAs the broker is trusted by; the system's without it"},
	{"uplink.alpn", 0, SETTING_TEXT, AT(uplink.alpn), .value = "NAME",
		.help = "the protocol's name in TLS (ALPN), where port 443 asks for one: mqtt, "
			"x-amzn-mqtt-ca"},
	{"uplink.project", 0, SETTING_TEXT, AT(uplink.project), .env = "P11_REGISTRY_PROJECT",
		.value = "ID", .help = "the project's id"},
	{"uplink.region", 0, SETTING_TEXT, AT(uplink.region), .env = "P11_REGISTRY_REGION",
		.value = "REGION", .help = "the registry's region"},
	{"uplink.registry", 0, SETTING_TEXT, AT(uplink.registry), .value = "ID",
		.help = "the registry's id"},
	{"uplink.device", 0, SETTING_TEXT, AT(uplink.device), .value = "ID",
		.help = "the gateway's id"},
	{"uplink.mqtt-version", 0, SETTING_CHOICE, AT(uplink.mqtt_version), .words = "3.1.1 5",
		.value = "VERSION",
		.help = "the protocol's version; 5 without it, 3.1.1 for clearblade and rabbitmq"},
	{"uplink.client-id", 0, SETTING_TEXT, AT(uplink.client_id), .value = "TEMPLATE",
		.help = "the client id; the profile's without it"},
	{"uplink.username", 0, SETTING_TEXT, AT(uplink.username), .value = "TEMPLATE",
		.help = "the user name; the profile's without it"},
	{"uplink.password", 0, SETTING_TEXT, AT(uplink.password), .preset = "{jwt}",
		.value = "TEMPLATE", .help = "the password"},
	{"uplink.audience", 0, SETTING_TEXT, AT(uplink.audience), .value = "TEMPLATE",
		.help = "the token's audience (aud); the profile's without it"},
	{"uplink.claim", 0, SETTING_LIST, AT(uplink.claim), .value = "NAME=TEXT",
		.help = "a claim more; NAME:=JSON for other types; repeatable"},
	{"uplink.header", 0, SETTING_LIST, AT(uplink.header), .value = "NAME=TEXT",
		.help = "a header more, such as kid; NAME:=JSON likewise; repeatable"},
	{"uplink.lifetime", 0, SETTING_DURATION, AT(uplink.lifetime_s), .preset = "1h", .min = 8,
		.max = JWT_LIFETIME_MAX_S, .value = "TIME",
		.help = "how long a JSON Web Token is valid; the connection is renewed before it "
			"ends"},
	{"uplink.keep-alive", 0, SETTING_DURATION, AT(uplink.keep_alive_s), .preset = "60s",
		.min = 5, .max = 1200, .value = "TIME", .help = "MQTT's keep-alive"},
	{"uplink.timeout", 0, SETTING_DURATION, AT(uplink.timeout_s), .preset = "30s", .min = 1,
		.max = 600, .value = "TIME",
		.help = "how long to wait for the broker without any progress"},
	{"uplink.retry-max", 0, SETTING_DURATION, AT(uplink.retry_max_s), .preset = "5m", .min = 1,
		.max = 86400, .value = "TIME", .help = "between two attempts to connect, at most"},
	{"uplink.drain-rate", 0, SETTING_NUMBER, AT(uplink.drain_rate), .preset = "0", .min = 0,
		.max = 1000000, .value = "N",
		.help = "messages a second to the cloud at most; 0 is no limit"},
	{"uplink.max-qos", 0, SETTING_NUMBER, AT(uplink.max_qos), .preset = "1", .min = 0, .max = 1,
		.value = "QOS",
		.help = "the highest QoS of messages to the cloud; with 0 nothing is acknowledged, "
			"and messages are lost unnoticed"},
	{"uplink.device-rate", 0, SETTING_NUMBER, AT(uplink.device_rate), .preset = "-1", .min = -1,
		.max = 1000000, .value = "N",
		.help = "messages a second that the broker allows the gateway and each attached "
			"device; 0 is no limit; -1: 100 for iot-core and clearblade, else 0"},
	{"uplink.device-byte-rate", 0, SETTING_NUMBER, AT(uplink.device_byte_rate), .preset = "-1",
		.min = -1, .max = INT_MAX, .value = "N",
		.help = "bytes of payload a second that it allows each; 0 is no limit; -1: 524288 "
			"for iot-core and clearblade, else 0"},
	{"site.socket", 0, SETTING_TEXT, AT(site.socket), .preset = "/run/p11-gateway/site.sock",
		.value = "FILE", .help = "where p11_site.so listens; empty for no site"},
	{"site.attach", 0, SETTING_CHOICE, AT(site.attach), .preset = "first-message",
		.words = "first-message connect own", .value = "WHEN",
		.help = "when a device is attached: at its first-message, its connect, or its own "
			"attach"},
	{"site.attach-max", 0, SETTING_NUMBER, AT(site.attach_max), .preset = "1000", .min = 1,
		.max = DEVICES_ATTACHED_MAX, .value = "N", .help = "devices attached at once"},
	{"site.attach-rate", 0, SETTING_NUMBER, AT(site.attach_rate), .preset = "50", .min = 1,
		.max = 10000, .value = "N", .help = "devices attached in a second at most"},
	{"site.idle", 0, SETTING_DURATION, AT(site.idle_s), .preset = "1h", .min = 1,
		.max = 365L * 86400, .value = "TIME",
		.help = "a device that is not connected is detached when it was silent for so "
			"long"},
	{"site.refused-hold", 0, SETTING_DURATION, AT(site.refused_hold_s), .preset = "10m",
		.min = 0, .max = 30L * 86400, .value = "TIME",
		.help = "how long messages of a device that the cloud refuses are held; then they "
			"are dropped and counted"},
	{"site.state-interval", 0, SETTING_NUMBER, AT(site.state_interval_ms), .min = 0,
		.preset = "1000", .max = 3600000, .value = "MS",
		.help = "milliseconds between two states of a device to the cloud at least"},
	{"site.out", 0, SETTING_LIST, AT(site.out), .value = "RULE",
		.help = "other topics to the cloud: FILTER [QOS [LOCAL-PREFIX REMOTE-PREFIX]]; "
			"repeatable"},
	{"site.in", 0, SETTING_LIST, AT(site.in), .value = "RULE",
		.help = "topics from the cloud: FILTER [QOS [LOCAL-PREFIX REMOTE-PREFIX]]; "
			"repeatable"},
	{"spool.path", 0, SETTING_TEXT, AT(spool.path), .env = "P11_GATEWAY_SPOOL",
		.preset = "/var/lib/p11-gateway/spool", .value = "DIR",
		.help = "where p11_site.so keeps messages"},
	{"status.socket", 0, SETTING_TEXT, AT(status.socket), .value = "FILE",
		.help = "where `p11-gateway status` asks; /run/p11-gateway/NAME.status without "
			"it"},
	{"status.metrics-listen", 0, SETTING_TEXT, AT(status.metrics_listen),
		.value = "[ADDRESS:]PORT",
		.help = "where Prometheus finds /metrics; on 127.0.0.1 without ADDRESS; not served "
			"unless set"},
	{"log.level", 0, SETTING_CHOICE, AT(log.level), .preset = "info",
		.words = "error warn info debug", .value = "LEVEL",
		.help = "the least serious lines that are logged: error, warn, info, debug"},
	{NULL},
};

/* What is read, where, what was set here already, and what went wrong. */
struct reading {
	const char *path;
	struct gateway_settings *values;
	bool seen[GATEWAY_SETTINGS_MAX];
	struct fault fault;
};

/* inih calls it with each setting; returning 0 notes the line and goes on: the first one counts. */
static int
take(void *with, const char *section, const char *name, const char *value)
{
	struct reading *reading = with;
	char full[128];

	if (reading->fault.code)
		return 0;
	snprintf(full, sizeof(full), "%s.%s", section, name);
	for (size_t i = 0; gateway_settings_table[i].name; i++) {
		const struct setting *row = &gateway_settings_table[i];

		if (strcmp(row->name, full))
			continue;
		/* The file's list replaces the environment's. */
		if (row->type == SETTING_LIST && !reading->seen[i])
			setting_list_clear((void *)((char *)reading->values + row->offset));
		reading->seen[i] = true;
		return !setting_set(row, reading->values, value, &reading->fault);
	}
	fault_set(&reading->fault, FAULT_CONFIG, "[%s] has no setting '%s'", section, name);
	return 0;
}

int
gateway_settings_read(const char *path, struct gateway_settings *values, struct fault *f)
{
	AUTO(auto_free) char *text = NULL;
	struct reading reading = {.values = values, .fault = FAULT_INIT};
	size_t len;
	int line;

	if (file_read(path, FILE_MAX, &text, &len, f))
		return -1;
	if (strlen(text) != len)
		return fault_set(f, FAULT_CONFIG, "%s: has a NUL in it", path);
	line = ini_parse_string(text, take, &reading);
	if (line < 0)
		return fault_nomem(f);
	if (line > 0)
		return fault_set(f, FAULT_CONFIG, "%s:%d: %s", path, line,
			reading.fault.code ? reading.fault.text
					   : "neither [SECTION] nor NAME = VALUE");
	return 0;
}

/* What a profile presets: what a template in it may name is what the others are set to. */
struct profile {
	const char *name;
	const char *client_id, *username, *audience, *mqtt_version;
	const char *claim, *header;
	bool attaches;
};

static const struct profile profiles[] = {
	{"iot-core", "projects/{project}/locations/{region}/registries/{registry}/devices/{device}",
		"unused", "{project}", "5", NULL, NULL, true},
	{"clearblade",
		"projects/{project}/locations/{region}/registries/{registry}/devices/{device}",
		"unused", "{project}", "3.1.1", NULL, NULL, true},
	{"emqx", "{device}", "{device}", "{project}", "5", "sub={device}", NULL, false},
	{"rabbitmq", "{device}", "{device}", "{project}", "3.1.1", "sub={device}", "kid={device}",
		false},
	{"generic", "{device}", NULL, "{project}", "5", NULL, NULL, false},
};

static const struct profile *
profile_of(const struct gateway_settings *values)
{
	size_t i = 0;

	while (strcmp(profiles[i].name, values->uplink.profile))
		i++;
	return &profiles[i];
}

bool
gateway_settings_attaches(const struct gateway_settings *values)
{
	return profile_of(values)->attaches;
}

static const struct setting *
row_of(const char *name)
{
	const struct setting *row = gateway_settings_table;

	while (strcmp(row->name, name))
		row++;
	return row;
}

static int
preset(struct gateway_settings *values, char *const *at, const char *name, const char *text,
	struct fault *f)
{
	return *at || !text ? 0 : setting_set(row_of(name), values, text, f);
}

/* Replaces a template by what it stands for; {jwt} and, in a key's URI, {device} come later. */
static int
expand(const struct gateway_settings *v, char **at, struct fault *f)
{
	const struct template_value names[] = {
		{"project", v->uplink.project},
		{"region", v->uplink.region},
		{"registry", v->uplink.registry},
		{"device", v->uplink.device},
		{"gateway", v->uplink.device},
		{"jwt", "{jwt}"},
		{NULL},
	};
	char *text = NULL;

	if (!*at)
		return 0;
	if (template_expand(*at, names, &text, f))
		return -1;
	free(*at);
	*at = text;
	return 0;
}

static int
expand_list(const struct gateway_settings *v, const struct setting_list *list, struct fault *f)
{
	for (size_t i = 0; i < list->n; i++) {
		if (expand(v, &list->items[i], f))
			return -1;
	}
	return 0;
}

static int
expand_all(struct gateway_settings *v, struct fault *f)
{
	if (expand(v, &v->uplink.client_id, f))
		return fault_prefix(f, "uplink.client-id");
	if (expand(v, &v->uplink.username, f))
		return fault_prefix(f, "uplink.username");
	if (expand(v, &v->uplink.password, f))
		return fault_prefix(f, "uplink.password");
	if (expand(v, &v->uplink.audience, f))
		return fault_prefix(f, "uplink.audience");
	if (expand_list(v, &v->uplink.claim, f))
		return fault_prefix(f, "uplink.claim");
	if (expand_list(v, &v->uplink.header, f))
		return fault_prefix(f, "uplink.header");
	if (expand_list(v, &v->site.out, f))
		return fault_prefix(f, "site.out");
	if (expand_list(v, &v->site.in, f))
		return fault_prefix(f, "site.in");
	return 0;
}

/* Cloud IoT Core closes the connection of a device that exceeds them. */
static void
preset_rates(struct gateway_settings *v)
{
	bool attaches = gateway_settings_attaches(v);

	if (v->uplink.device_rate < 0)
		v->uplink.device_rate = attaches ? LIMITS_MESSAGES_PER_S : 0;
	if (v->uplink.device_byte_rate < 0)
		v->uplink.device_byte_rate = attaches ? LIMITS_BYTES_PER_S : 0;
}

static int
need(const char *name, const char *value, struct fault *f)
{
	if (value && *value)
		return 0;
	return fault_set(
		f, FAULT_CONFIG, "%s is missing: set it in the file, or with --%s", name, name);
}

/* What has no preset; asked for before templates want it. */
static int
check_missing(const struct gateway_settings *v, struct fault *f)
{
	if (need("token.key", v->token.key, f) || need("uplink.device", v->uplink.device, f))
		return -1;
	if (v->uplink.url.n == 0)
		return need("uplink.url", NULL, f);
	if (!gateway_settings_attaches(v))
		return 0;
	if (need("uplink.project", v->uplink.project, f) ||
		need("uplink.region", v->uplink.region, f) ||
		need("uplink.registry", v->uplink.registry, f))
		return -1;
	return 0;
}

static int
check_ids(const struct gateway_settings *v, struct fault *f)
{
	if (!gateway_settings_attaches(v))
		return 0;
	if (rules_check_id("registry", v->uplink.registry, f) ||
		rules_check_id("device", v->uplink.device, f))
		return -1;
	return 0;
}

/* MQTT 3.1.1 section 3.1.2.9: without a user name there is no password. */
static int
check_username(const struct gateway_settings *v, struct fault *f)
{
	if (v->uplink.username || !*v->uplink.password || strcmp(v->uplink.mqtt_version, "3.1.1"))
		return 0;
	return fault_set(f, FAULT_CONFIG,
		"uplink.username is missing: MQTT 3.1.1 sends no password without a user name; set "
		"username, or mqtt-version = 5 where the broker accepts it");
}

static int
check_routes(const struct setting_list *rules, const char *name, struct fault *f)
{
	for (size_t i = 0; i < rules->n; i++) {
		struct route route;

		if (route_parse(rules->items[i], &route, f))
			return fault_prefix(f, "%s", name);
	}
	return 0;
}

static int
check_listen(const char *text, struct fault *f)
{
	struct sockaddr_storage address;
	socklen_t len;

	if (!text || !*text || listen_parse(text, &address, &len, f) == 0)
		return 0;
	return fault_prefix(f, "status.metrics-listen");
}

static int
check(const struct gateway_settings *v, struct fault *f)
{
	size_t name_len = strlen(v->uplink.name);

	if (name_len < 1 || name_len > SPOOL_NAME_MAX)
		return fault_set(f, FAULT_CONFIG, "uplink.name must have 1 to %d characters",
			SPOOL_NAME_MAX);
	if (check_ids(v, f) || check_username(v, f))
		return -1;
	if (check_listen(v->status.metrics_listen, f))
		return -1;
	return check_routes(&v->site.out, "site.out", f) || check_routes(&v->site.in, "site.in", f)
		       ? -1
		       : 0;
}

static int
name_socket(struct gateway_settings *v, struct fault *f)
{
	char path[128];

	snprintf(path, sizeof(path), "/run/p11-gateway/%s.status", v->uplink.name);
	return preset(v, &v->status.socket, "status.socket", path, f);
}

int
gateway_settings_finish(struct gateway_settings *v, const char *name, struct fault *f)
{
	const struct profile *p = profile_of(v);
	int rc = check_missing(v, f) ||
		 preset(v, &v->uplink.name, "uplink.name", name ? name : "uplink", f) ||
		 preset(v, &v->uplink.client_id, "uplink.client-id", p->client_id, f) ||
		 preset(v, &v->uplink.username, "uplink.username", p->username, f) ||
		 preset(v, &v->uplink.audience, "uplink.audience",
			 v->uplink.project ? p->audience : NULL, f) ||
		 preset(v, &v->uplink.mqtt_version, "uplink.mqtt-version", p->mqtt_version, f) ||
		 (p->claim && setting_set(row_of("uplink.claim"), v, p->claim, f)) ||
		 (p->header && setting_set(row_of("uplink.header"), v, p->header, f)) ||
		 name_socket(v, f) || expand_all(v, f) || check(v, f);

	preset_rates(v);
	if (rc && f && f->code == FAULT_USAGE)
		f->code = FAULT_CONFIG;
	return rc ? -1 : 0;
}

void
gateway_settings_clear(struct gateway_settings *values)
{
	setting_clear(gateway_settings_table, values);
}

static bool
is_among(const char *name, const char *const *names)
{
	for (; names && *names; names++) {
		if (!strcmp(*names, name))
			return true;
	}
	return false;
}

bool
gateway_settings_same(const struct gateway_settings *a, const struct gateway_settings *b,
	const char *what, const char *const *except)
{
	size_t len = strlen(what);

	for (const struct setting *row = gateway_settings_table; row->name; row++) {
		if (strncmp(row->name, what, len) || (row->name[len] && row->name[len] != '.'))
			continue;
		if (!is_among(row->name, except) && !setting_same(row, a, b))
			return false;
	}
	return true;
}
