#include "config.h"

#include "gateway/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ini.h"
#include "gateway/devices.h"
#include "jwt/claims.h"

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
		.value = "TEMPLATE", .help = "the password; without {jwt} no token is used"},
	{"uplink.audience", 0, SETTING_TEXT, AT(uplink.audience), .value = "TEMPLATE",
		.help = "the token's audience (aud); the profile's without it"},
	{"uplink.claim", 0, SETTING_LIST, AT(uplink.claim), .value = "NAME=TEXT",
		.help = "an additional claim; NAME:=JSON for other types; repeatable"},
	{"uplink.header", 0, SETTING_LIST, AT(uplink.header), .value = "NAME=TEXT",
		.help = "an additional header, such as kid; NAME:=JSON likewise; repeatable"},
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
		.help = "messages a second to the cloud at most; 0 means no limit"},
	{"uplink.max-qos", 0, SETTING_NUMBER, AT(uplink.max_qos), .preset = "1", .min = 0, .max = 1,
		.value = "QOS",
		.help = "the highest QoS of messages to the cloud; with 0 nothing is acknowledged, "
			"and messages are lost unnoticed"},
	{"uplink.device-rate", 0, SETTING_NUMBER, AT(uplink.device_rate), .preset = "-1", .min = -1,
		.max = 1000000, .value = "N",
		.help = "messages a second that the broker allows the gateway and each attached "
			"device; 0 means no limit; -1: 100 for iot-core and clearblade, else 0"},
	{"uplink.device-byte-rate", 0, SETTING_NUMBER, AT(uplink.device_byte_rate), .preset = "-1",
		.min = -1, .max = INT_MAX, .value = "N",
		.help = "bytes of payload a second that it allows each; 0 means no limit; -1: "
			"524288 "
			"for iot-core and clearblade, else 0"},
	{"site.socket", 0, SETTING_TEXT, AT(site.socket), .preset = "/run/p11-gateway/site.sock",
		.value = "FILE", .help = "where p11_site.so listens; empty for no site"},
	{"site.attach", 0, SETTING_CHOICE, AT(site.attach), .preset = "first-message",
		.words = "first-message connect own", .value = "WHEN",
		.help = "when a device is attached: at its first-message, its connect, or its own "
			"attach"},
	{"site.attach-max", 0, SETTING_NUMBER, AT(site.attach_max), .preset = "1000", .min = 1,
		.max = DEVICES_ATTACHED_MAX, .value = "N",
		.help = "devices that are attached at the same time"},
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

static const struct setting *
find_row(const char *name)
{
	const struct setting *row = gateway_settings_table;

	while (row->name && strcmp(row->name, name))
		row++;
	return row->name ? row : NULL;
}

static int
take(void *with, const char *section, const char *name, const char *value, int line,
	struct fault *f)
{
	struct gateway_settings *values = with;
	const struct setting *row;
	char full[128];

	snprintf(full, sizeof(full), "%s.%s", section, name);
	row = find_row(full);
	if (!row)
		return fault_set(f, FAULT_CONFIG, "[%s] has no setting '%s'", section, name);
	if (setting_give(row, values, &values->origins[row - gateway_settings_table], SETTING_FILE,
		    line, value, f) == 0)
		return 0;
	if (f && f->code == FAULT_USAGE)
		f->code = FAULT_CONFIG;
	return fault_prefix(f, "%s", row->name);
}

static int
set_file(struct gateway_settings *values, const char *path, struct fault *f)
{
	free(values->file);
	values->file = strdup(path);
	return values->file ? 0 : fault_nomem(f);
}

int
gateway_settings_read(const char *path, struct gateway_settings *values, struct fault *f)
{
	return set_file(values, path, f) || ini_read(path, take, values, f) ? -1 : 0;
}

int
gateway_settings_parse(
	const char *path, char *text, size_t len, struct gateway_settings *values, struct fault *f)
{
	return set_file(values, path, f) || ini_parse(path, text, len, take, values, f) ? -1 : 0;
}

/* The line that a value was given in; 0 when it was given elsewhere. */
static int
line_of(const struct gateway_settings *v, const struct setting *row, size_t item)
{
	const struct setting_list *list = (const void *)((const char *)v + row->offset);

	if (row->type != SETTING_LIST)
		return v->origins[row - gateway_settings_table].line;
	return item < list->n ? list->lines[item] : 0;
}

int
gateway_settings_blame(
	const struct gateway_settings *values, const char *name, size_t item, struct fault *f)
{
	const struct setting *row = find_row(name);
	int line = line_of(values, row, item);

	switch (values->origins[row - gateway_settings_table].source) {
	case SETTING_COMMAND_LINE:
		return fault_prefix(f, "--%s", name);
	case SETTING_ENVIRONMENT:
		return fault_prefix(f, "environment variable %s", row->env);
	case SETTING_FILE:
	case SETTING_NOWHERE:
		break;
	}
	fault_prefix(f, "%s", name);
	return line ? fault_prefix(f, "%s:%d", values->file, line) : -1;
}

void
gateway_settings_clear(struct gateway_settings *values)
{
	setting_clear(gateway_settings_table, values);
	free(values->file);
	values->file = NULL;
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
