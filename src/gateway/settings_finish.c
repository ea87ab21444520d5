/* What follows from a profile and from other settings, and whether each value is a valid one. */
#include "config.h"

#include "gateway/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "gateway/listen.h"
#include "gateway/route.h"
#include "gateway/template.h"
#include "registry/limits.h"
#include "registry/rules.h"

/* What a profile presets; what the user sets comes before it. */
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

bool
gateway_settings_signs(const struct gateway_settings *values)
{
	return template_has(values->uplink.password, "jwt");
}

/* --- what is missing ------------------------------------------------------------------------- */

static int
need(const struct gateway_settings *v, const char *name, const char *value, struct fault *f)
{
	if (value && *value)
		return 0;
	if (value) {
		fault_set(f, FAULT_CONFIG, "it must not be empty");
		return gateway_settings_blame(v, name, 0, f);
	}
	fault_set(f, FAULT_CONFIG, "%s is missing: set it in the file, or with --%s", name, name);
	return v->file ? fault_prefix(f, "%s", v->file) : -1;
}

/* Settings that have no preset; looked for before the templates need them. */
static int
check_missing(const struct gateway_settings *v, struct fault *f)
{
	if (gateway_settings_signs(v) && need(v, "token.key", v->token.key, f))
		return -1;
	if (need(v, "uplink.device", v->uplink.device, f) ||
		need(v, "spool.path", v->spool.path, f))
		return -1;
	if (v->uplink.url.n == 0)
		return need(v, "uplink.url", NULL, f);
	if (!gateway_settings_attaches(v))
		return 0;
	if (need(v, "uplink.project", v->uplink.project, f) ||
		need(v, "uplink.region", v->uplink.region, f) ||
		need(v, "uplink.registry", v->uplink.registry, f))
		return -1;
	return 0;
}

/* --- what the profile presets ---------------------------------------------------------------- */

static int
preset(char **at, const char *text, struct fault *f)
{
	if (*at || !text)
		return 0;
	*at = strdup(text);
	return *at ? 0 : fault_nomem(f);
}

/* Whether a list of NAME=TEXT and NAME:=JSON has this name. */
static bool
has_member(const struct setting_list *list, const char *name, size_t len)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *item = list->items[i];

		if (!strncmp(item, name, len) &&
			(item[len] == '=' || !strncmp(item + len, ":=", 2)))
			return true;
	}
	return false;
}

static int
preset_member(struct setting_list *list, const char *text, struct fault *f)
{
	const struct setting row = {.name = "", .type = SETTING_LIST};

	if (!text || has_member(list, text, strcspn(text, "=")))
		return 0;
	return setting_set(&row, list, text, f);
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
preset_all(struct gateway_settings *v, const char *name, struct fault *f)
{
	const struct profile *p = profile_of(v);
	bool has_audience = v->uplink.project && !has_member(&v->uplink.claim, "aud", 3);
	char path[128];

	if (preset(&v->uplink.name, name ? name : "uplink", f))
		return -1;
	preset_rates(v);
	snprintf(path, sizeof(path), "/run/p11-gateway/%s.status", v->uplink.name);
	return preset(&v->status.socket, path, f) ||
			       preset(&v->uplink.client_id, p->client_id, f) ||
			       preset(&v->uplink.username, p->username, f) ||
			       preset(&v->uplink.audience, has_audience ? p->audience : NULL, f) ||
			       preset(&v->uplink.mqtt_version, p->mqtt_version, f) ||
			       preset_member(&v->uplink.claim, p->claim, f) ||
			       preset_member(&v->uplink.header, p->header, f)
		       ? -1
		       : 0;
}

/* --- templates ------------------------------------------------------------------------------- */

#define TEMPLATE_VALUES 7

static void
fill_names(const struct gateway_settings *v, const char *jwt,
	struct template_value ret[TEMPLATE_VALUES])
{
	const struct template_value names[TEMPLATE_VALUES] = {
		{"project", v->uplink.project},
		{"region", v->uplink.region},
		{"registry", v->uplink.registry},
		{"device", v->uplink.device},
		{"gateway", v->uplink.device},
		{"jwt", jwt},
		{NULL},
	};

	memcpy(ret, names, sizeof(names));
}

static int
expand(const struct template_value *names, char **at, struct fault *f)
{
	char *text = NULL;

	if (!*at)
		return 0;
	if (template_expand(*at, names, &text, f))
		return -1;
	free(*at);
	*at = text;
	return 0;
}

/* Texts that are expanded once, here; the password is when it is sent. */
static int
expand_texts(struct gateway_settings *v, const struct template_value *names, struct fault *f)
{
	const struct {
		const char *name;
		char **at;
	} rows[] = {
		{"uplink.client-id", &v->uplink.client_id},
		{"uplink.username", &v->uplink.username},
		{"uplink.audience", &v->uplink.audience},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (expand(names, rows[i].at, f))
			return gateway_settings_blame(v, rows[i].name, 0, f);
	}
	return 0;
}

static int
expand_lists(struct gateway_settings *v, const struct template_value *names, struct fault *f)
{
	const struct {
		const char *name;
		const struct setting_list *list;
	} rows[] = {
		{"uplink.claim", &v->uplink.claim},
		{"uplink.header", &v->uplink.header},
		{"site.out", &v->site.out},
		{"site.in", &v->site.in},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t item = 0; item < rows[i].list->n; item++) {
			if (expand(names, &rows[i].list->items[item], f))
				return gateway_settings_blame(v, rows[i].name, item, f);
		}
	}
	return 0;
}

int
gateway_settings_password(
	const struct gateway_settings *values, const char *jwt, char **ret_secret, struct fault *f)
{
	struct template_value names[TEMPLATE_VALUES];

	fill_names(values, jwt, names);
	if (template_expand_secret(values->uplink.password, names, ret_secret, f))
		return gateway_settings_blame(values, "uplink.password", 0, f);
	return 0;
}

static int
check_device_key(const struct gateway_settings *v, struct fault *f)
{
	const struct template_value names[] = {{"device", "device"}, {NULL}};
	AUTO(auto_free) char *uri = NULL;

	if (!v->token.device_key || template_expand(v->token.device_key, names, &uri, f) == 0)
		return 0;
	return gateway_settings_blame(v, "token.device-key", 0, f);
}

static int
expand_all(struct gateway_settings *v, struct fault *f)
{
	struct template_value names[TEMPLATE_VALUES];
	AUTO(auto_secret) char *password = NULL;

	fill_names(v, NULL, names);
	return expand_texts(v, names, f) || expand_lists(v, names, f) ||
			       gateway_settings_password(v, "", &password, f) ||
			       check_device_key(v, f)
		       ? -1
		       : 0;
}

/* --- values ---------------------------------------------------------------------------------- */

static int
check_ids(const struct gateway_settings *v, struct fault *f)
{
	if (!gateway_settings_attaches(v))
		return 0;
	if (rules_check_id("registry", v->uplink.registry, f))
		return gateway_settings_blame(v, "uplink.registry", 0, f);
	if (rules_check_id("device", v->uplink.device, f))
		return gateway_settings_blame(v, "uplink.device", 0, f);
	return 0;
}

/* MQTT 3.1.1 section 3.1.2.9: without a user name there is no password. */
static int
check_username(const struct gateway_settings *v, struct fault *f)
{
	if (v->uplink.username || !*v->uplink.password || strcmp(v->uplink.mqtt_version, "3.1.1"))
		return 0;
	fault_set(f, FAULT_CONFIG,
		"uplink.username is missing: MQTT 3.1.1 sends no password without a user name; set "
		"username, or mqtt-version = 5 where the broker accepts it");
	return v->file ? fault_prefix(f, "%s", v->file) : -1;
}

static int
check_routes(const struct gateway_settings *v, const char *name, const struct setting_list *rules,
	struct fault *f)
{
	for (size_t i = 0; i < rules->n; i++) {
		struct route route;

		if (route_parse(rules->items[i], &route, f))
			return gateway_settings_blame(v, name, i, f);
	}
	return 0;
}

static int
check_listen(const struct gateway_settings *v, struct fault *f)
{
	const char *text = v->status.metrics_listen;
	struct sockaddr_storage address;
	socklen_t len;

	if (!text || !*text || listen_parse(text, &address, &len, f) == 0)
		return 0;
	return gateway_settings_blame(v, "status.metrics-listen", 0, f);
}

int
gateway_settings_finish(struct gateway_settings *values, const char *name, struct fault *f)
{
	int rc = check_missing(values, f) || preset_all(values, name, f) || expand_all(values, f) ||
		 check_ids(values, f) || check_username(values, f) || check_listen(values, f) ||
		 check_routes(values, "site.out", &values->site.out, f) ||
		 check_routes(values, "site.in", &values->site.in, f);

	if (rc && f && f->code == FAULT_USAGE)
		f->code = FAULT_CONFIG;
	return rc ? -1 : 0;
}
