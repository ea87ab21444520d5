#include "config.h"

#include "gateway/check.h"

#include "base/auto.h"
#include "base/secret.h"
#include "gateway/credential.h"
#include "gateway/template.h"
#include "jwt/jwt.h"
#include "mqtt/mqtt.h"
#include "site/channel.h"
#include "spool/cursor.h"
#include "token/token.h"

/* Subscriptions that the gateway makes beside those of [site] in: its errors, and its config. */
#define OWN_SUBSCRIPTIONS 2

/* Any time that a clock which is set may show. */
#define SOME_TIME 2000000000

static int
check_broker(const struct gateway_settings *v, struct fault *f)
{
	for (size_t i = 0; i < v->uplink.url.n; i++) {
		if (mqtt_check_url(v->uplink.url.items[i], f))
			return gateway_settings_blame(v, "uplink.url", i, f);
	}
	if (v->uplink.ca_file && mqtt_check_ca_file(v->uplink.ca_file, f))
		return gateway_settings_blame(v, "uplink.ca-file", 0, f);
	return 0;
}

static int
check_texts(const struct gateway_settings *v, struct fault *f)
{
	const struct {
		const char *name;
		struct mqtt_options options;
	} rows[] = {
		{"uplink.client-id", {.client_id = v->uplink.client_id}},
		{"uplink.username", {.username = v->uplink.username}},
		{"uplink.alpn", {.alpn = v->uplink.alpn}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mqtt_options options = rows[i].options;

		options.version = 5;
		options.timeout_s = 1;
		if (mqtt_check_options(&options, f))
			return gateway_settings_blame(v, rows[i].name, 0, f);
	}
	return 0;
}

/* A key that is thrown away signs what the token's is to sign. */
static int
check_jwt(const struct gateway_settings *v, struct fault *f)
{
	AUTO(auto_pkey) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(auto_json) json_t *header = NULL;
	AUTO(auto_json) json_t *claims = NULL;
	AUTO(auto_secret) char *jwt = NULL;

	if (!key)
		return fault_openssl(f, FAULT_CRYPTO, "cannot make a key");
	if (credential_compose(v, SOME_TIME, &header, &claims, f))
		return -1;
	if (jwt_sign(header, claims, key, &jwt, f))
		return fault_prefix(f, "uplink.claim and uplink.header");
	return 0;
}

static int
check_device_key(const struct gateway_settings *v, struct fault *f)
{
	const struct template_value names[] = {{"device", "device"}, {NULL}};
	AUTO(auto_free) char *uri = NULL;

	if (template_expand(v->token.device_key, names, &uri, f) || token_check(uri, NULL, f))
		return gateway_settings_blame(v, "token.device-key", 0, f);
	return 0;
}

static int
check_token(const struct gateway_settings *v, struct fault *f)
{
	const struct token_source module = {.module = v->token.module};
	const struct token_source pin = {.pin_source = v->token.pin_source};
	bool signs = gateway_settings_signs(v);

	if (!signs && !v->token.device_key)
		return 0;
	if (signs && token_check(v->token.key, NULL, f))
		return gateway_settings_blame(v, "token.key", 0, f);
	if (v->token.device_key && check_device_key(v, f))
		return -1;
	if (token_check(NULL, &module, f))
		return gateway_settings_blame(v, "token.module", 0, f);
	if (token_check(NULL, &pin, f))
		return gateway_settings_blame(v, "token.pin-source", 0, f);
	return check_jwt(v, f);
}

static int
check_site(const struct gateway_settings *v, struct fault *f)
{
	const struct setting_list *in = &v->site.in;

	if (*v->site.socket && channel_check_path(v->site.socket, f))
		return gateway_settings_blame(v, "site.socket", 0, f);
	if (*v->status.socket && channel_check_path(v->status.socket, f))
		return gateway_settings_blame(v, "status.socket", 0, f);
	if (cursor_check_name(v->uplink.name, f))
		return gateway_settings_blame(v, "uplink.name", 0, f);
	if (in->n <= MQTT_SUBSCRIBING_MAX - OWN_SUBSCRIPTIONS)
		return 0;
	fault_set(f, FAULT_CONFIG, "it is given more than %d times",
		MQTT_SUBSCRIBING_MAX - OWN_SUBSCRIPTIONS);
	return gateway_settings_blame(v, "site.in", in->n - 1, f);
}

int
gateway_check(const struct gateway_settings *settings, struct fault *f)
{
	int rc = check_broker(settings, f) || check_texts(settings, f) || check_site(settings, f) ||
		 check_token(settings, f);

	if (rc && f && (f->code == FAULT_USAGE || f->code == FAULT_INVALID))
		f->code = FAULT_CONFIG;
	return rc ? -1 : 0;
}
