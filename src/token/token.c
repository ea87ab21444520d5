#include "config.h"

#include "token/inside.h"

#include <string.h>

#include "token/ckr.h"

static int
ambiguous(const struct places *places, struct fault *f)
{
	char text[200];

	if (places_name(places, text, sizeof(text), f))
		return -1;
	return fault_set(
		f, FAULT_AMBIGUOUS, "the URI matches %zu tokens, name one of: %s", places->n, text);
}

/* The one token that the URI matches, and its module. */
static int
locate(struct token *t, const struct token_source *source, struct fault *f)
{
	AUTO(places_clear) struct places found = {NULL, 0};

	if (places_find(t->uri, source, NULL, &found, f))
		return -1;
	if (found.n == 0)
		return places_missing(t->uri, source, f);
	if (found.n > 1)
		return ambiguous(&found, f);
	t->slot = found.items[0].slot;
	t->info = found.items[0].info;
	t->module = TAKE(found.items[0].module);
	return 0;
}

/* Finds the token's slot again, which may be another one after its module was restarted. */
static bool
find_slot(struct token *t, int *tries)
{
	AUTO(places_clear) struct places found = {NULL, 0};
	struct fault ignored = FAULT_INIT;

	if (places_of(t->module, t->uri, NULL, tries, &found, &ignored) || found.n != 1)
		return false;
	t->slot = found.items[0].slot;
	t->info = found.items[0].info;
	return true;
}

static int
open_session(struct token *t, struct fault *f)
{
	CK_FUNCTION_LIST *api = t->module->api;
	CK_FLAGS flags = CKF_SERIAL_SESSION;
	CK_RV rv;

	if (!(t->info.flags & CKF_WRITE_PROTECTED))
		flags |= CKF_RW_SESSION;
	rv = api->C_OpenSession(t->slot, flags, NULL, NULL, &t->session);
	/* Some tokens report only here that they are read-only. */
	if (rv == CKR_TOKEN_WRITE_PROTECTED && (flags & CKF_RW_SESSION)) {
		t->info.flags |= CKF_WRITE_PROTECTED;
		rv = api->C_OpenSession(t->slot, CKF_SERIAL_SESSION, NULL, NULL, &t->session);
	}
	if (rv != CKR_OK) {
		t->session = CK_INVALID_HANDLE;
		fault_pkcs11(f, "C_OpenSession", rv);
		return fault_prefix(f, "token '%s'", t->label);
	}
	return 0;
}

bool
token_begin_anew(struct token *token, int *tries)
{
	struct fault ignored = FAULT_INIT;
	bool lent;

	module_lock();
	lent = token->refs > 1;
	module_unlock();
	while (!lent && module_begin_anew(token->module, tries)) {
		token->logged_in = false;
		if (find_slot(token, tries) && open_session(token, &ignored) == 0)
			return true;
	}
	return false;
}

static int
take_source(struct token *t, const struct token_source *source, struct fault *f)
{
	const char *pin_source = p11_kit_uri_get_pin_source(t->uri);
	const char *pin_value = p11_kit_uri_get_pin_value(t->uri);

	t->warn = source ? source->warn : NULL;
	if (pin_value) {
		if (strlen(pin_value) > PIN_MAX)
			return fault_set(f, FAULT_USAGE, "the URI's pin-value is too long");
		if (t->warn)
			t->warn("pin-value in the URI shows the PIN to everyone who sees the "
				"command line or the settings: use pin-source");
		return 0;
	}
	if (!pin_source && source)
		pin_source = source->pin_source;
	if (!pin_source || !*pin_source)
		return 0;
	if (pin_source_check(pin_source, f))
		return -1;
	t->pin_source = strdup(pin_source);
	return t->pin_source ? 0 : fault_nomem(f);
}

int
token_open(const char *uri, const struct token_source *source, struct token **ret_token,
	struct fault *f)
{
	AUTO(auto_token) struct token *t = calloc(1, sizeof(*t));

	if (!t)
		return fault_nomem(f);
	t->refs = 1;
	if (uri_parse(uri, &t->uri, f) || take_source(t, source, f) || locate(t, source, f))
		return -1;
	memcpy(t->label, t->info.label, field_len(t->info.label, sizeof(t->info.label)));
	if (open_session(t, f))
		return -1;
	*ret_token = TAKE(t);
	return 0;
}

void
token_ref(struct token *token)
{
	module_lock();
	token->refs++;
	module_unlock();
}

void
token_close(struct token *token)
{
	unsigned left;

	if (!token)
		return;
	module_lock();
	left = --token->refs;
	module_unlock();
	if (left > 0)
		return;
	/* No C_Logout: it would log out whoever else in the process uses the token. */
	if (token->session != CK_INVALID_HANDLE)
		token->module->api->C_CloseSession(token->session);
	module_close(token->module);
	p11_kit_uri_free(token->uri);
	secret_free(token->pin);
	free(token->pin_source);
	free(token);
}

int
token_check_writable(const struct token *token, struct fault *f)
{
	if (!(token->info.flags & CKF_WRITE_PROTECTED))
		return 0;
	return fault_set(f, FAULT_REFUSED, "token '%s' is write-protected: it can only be read",
		token->label);
}

int
token_uri_of(const struct token *token, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *label,
	const CK_ATTRIBUTE *id, char **ret_uri, struct fault *f)
{
	CK_SLOT_ID slot = p11_kit_uri_get_slot_id(token->uri);
	struct uri_parts parts = {
		.token = &token->info,
		/* What the user gave tells this token from others. */
		.given = p11_kit_uri_get_token_info(token->uri),
		.detail = slot == (CK_SLOT_ID)-1 ? URI_PLAIN : URI_SLOT,
		.slot = slot,
		.label = label,
		.id = id,
		.class = class,
		.module_path = p11_kit_uri_get_module_path(token->uri),
		.module_name = p11_kit_uri_get_module_name(token->uri),
	};

	return uri_format(&parts, ret_uri, f);
}
