#include "config.h"

#include "registry/attach.h"

#include "base/secret.h"
#include "jwt/jwt.h"

/* A token of JWT_MAX characters and what stands around it. */
#define BODY_MAX (JWT_MAX + 1024)

int
attach_parse(const void *payload, size_t len, char **ret_token, struct fault *f)
{
	AUTO(auto_json) json_t *body = NULL;
	const json_t *token;
	json_error_t why;
	char *copy;

	if (len > BODY_MAX)
		return fault_set(f, FAULT_AUTH, "the attach's payload is over %d bytes", BODY_MAX);
	body = len ? json_loadb(payload, len, JSON_REJECT_DUPLICATES, &why) : json_object();
	if (!body || !json_is_object(body))
		return fault_set(f, FAULT_AUTH, "the attach's payload is not a JSON object");
	token = json_object_get(body, "authorization");
	if (token && !json_is_string(token))
		return fault_set(f, FAULT_AUTH, "the attach's 'authorization' is not a string");
	copy = secret_dup(token ? json_string_value(token) : "");
	if (!copy)
		return fault_nomem(f);
	*ret_token = copy;
	return 0;
}
