#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>

#include "token/ckr.h"

/* What matched so far, and the text that names it all. */
struct matches {
	size_t n;
	CK_SLOT_ID slot;
	CK_TOKEN_INFO info;
	char *path;
	char text[160];
};

static void
matches_clear(struct matches *m)
{
	free(m->path);
}

static int
match(const struct module *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info, void *with,
	struct fault *f)
{
	struct uri_parts parts = {.token = info, .class = CK_UNAVAILABLE_INFORMATION};
	AUTO(auto_free) char *uri = NULL;
	struct matches *m = with;
	size_t used = strlen(m->text);

	if (uri_format(&parts, &uri, f))
		return -1;
	snprintf(m->text + used, sizeof(m->text) - used, "%s%s", used ? " " : "", uri + 7);
	if (m->n++ > 0)
		return 0;
	m->slot = slot;
	m->info = *info;
	m->path = strdup(module->path);
	return m->path ? 0 : fault_nomem(f);
}

static int
only_one(const struct matches *m, P11KitUri *uri, struct fault *f)
{
	char label[33] = "";

	if (m->n > 1)
		return fault_set(f, FAULT_AMBIGUOUS, "the URI matches %zu tokens, name one of: %s",
			m->n, m->text);
	if (m->n == 1)
		return 0;
	memcpy(label, p11_kit_uri_get_token_info(uri)->label, 32);
	for (size_t i = strlen(label); i > 0 && label[i - 1] == ' '; i--)
		label[i - 1] = '\0';
	if (*label)
		return fault_set(f, FAULT_NOTFOUND,
			"no token '%s' is there: see `p11-gateway tokens`, or name its module",
			label);
	return fault_set(f, FAULT_NOTFOUND,
		"no token that the URI matches is there: make one ready, or name its module");
}

/* The slot of the one token in the module that the URI matches. */
static int
find_slot(struct token *t, int *tries, struct fault *f)
{
	AUTO(matches_clear) struct matches here = {0};

	if (slots_each(t->module, t->uri, match, &here, tries, f) || only_one(&here, t->uri, f))
		return -1;
	t->slot = here.slot;
	t->info = here.info;
	return 0;
}

/* The same, and the module. */
static int
locate(struct token *t, const struct token_source *source, struct fault *f)
{
	int tries = 0;

	if (module_open_named(t->uri, source, &t->module, f))
		return -1;
	if (!t->module) {
		AUTO(matches_clear) struct matches all = {0};

		if (slots_each_everywhere(t->uri, match, &all, f) || only_one(&all, t->uri, f) ||
			module_open(all.path, &t->module, f))
			return -1;
	}
	return find_slot(t, &tries, f);
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
		if (find_slot(token, tries, &ignored) == 0 && open_session(token, &ignored) == 0)
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
	memcpy(t->label, t->info.label, sizeof(t->info.label));
	for (size_t i = strlen(t->label); i > 0 && t->label[i - 1] == ' '; i--)
		t->label[i - 1] = '\0';
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
token_uri_of(const struct token *token, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *label,
	const CK_ATTRIBUTE *id, char **ret_uri, struct fault *f)
{
	struct uri_parts parts = {
		.token = &token->info,
		.label = label,
		.id = id,
		.class = class,
		.module_path = p11_kit_uri_get_module_path(token->uri),
		.module_name = p11_kit_uri_get_module_name(token->uri),
	};

	return uri_format(&parts, ret_uri, f);
}
