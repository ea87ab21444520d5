#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>

#include "token/ckr.h"

/*
 * What this process knows of a token's PIN; when it has no room to remember a refusal, no token is
 * offered one.
 *
 * path     of the module; NULL for want of memory: label and serial number alone count then, which
 *          errs to safety
 * taken    the PIN that tpm2-pkcs11 took last; a secret, or NULL
 * doubted  it has refused that very PIN since
 */
struct memory {
	char *path;
	char label[32], serial[16];
	bool refused;
	char *taken;
	bool doubted;
};

static struct memory memories[32];
static size_t n_memories;
static bool refusal_forgotten;

static struct memory *
recall(const struct token *t)
{
	for (struct memory *m = memories; m < memories + n_memories; m++) {
		if ((!m->path || strcmp(m->path, t->module->path) == 0) &&
			memcmp(m->label, t->info.label, 32) == 0 &&
			memcmp(m->serial, t->info.serialNumber, 16) == 0)
			return m;
	}
	return NULL;
}

/* The token's, a new one when there is none; NULL when there is no room. */
static struct memory *
memory_of(const struct token *t)
{
	struct memory *m = recall(t);

	if (m || n_memories == sizeof(memories) / sizeof(memories[0]))
		return m;
	m = &memories[n_memories++];
	m->path = strdup(t->module->path);
	memcpy(m->label, t->info.label, 32);
	memcpy(m->serial, t->info.serialNumber, 16);
	return m;
}

static bool
was_refused(const struct token *t)
{
	const struct memory *m = recall(t);

	return refusal_forgotten || (m && m->refused);
}

static void
remember_refusal(const struct token *t)
{
	struct memory *m = memory_of(t);

	if (m)
		m->refused = true;
	else
		refusal_forgotten = true;
}

static void
remember_taken(const struct token *t, const char *pin)
{
	struct memory *m = t->module->tpm ? memory_of(t) : NULL;

	if (!m)
		return;
	m->doubted = false;
	if (m->taken && strcmp(m->taken, pin) == 0)
		return;
	secret_free(m->taken);
	m->taken = secret_dup(pin);
}

static int
refuse_again(const struct token *t, struct fault *f)
{
	return fault_set(f, FAULT_PIN,
		"token '%s' refuses the PIN, which will not be offered again: "
		"mend pin-source, then start again",
		t->label);
}

/* What the token says of its PIN before it is offered one. */
static int
check_flags(const struct token *t, const CK_TOKEN_INFO *info, struct fault *f)
{
	if (info->flags & CKF_USER_PIN_LOCKED)
		return fault_set(f, FAULT_LOCKED,
			"the PIN of token '%s' is locked: its security officer must set it anew "
			"(pkcs11-tool --init-pin)",
			t->label);
	if (info->flags & CKF_USER_PIN_FINAL_TRY)
		return fault_set(f, FAULT_PIN,
			"token '%s' locks at the next wrong PIN, so none was offered: log in once "
			"by "
			"hand with the right PIN (pkcs11-tool --login --list-objects)",
			t->label);
	if ((info->flags & CKF_USER_PIN_COUNT_LOW) && t->warn) {
		char text[128];

		snprintf(text, sizeof(text), "a wrong PIN was offered to token '%s' before",
			t->label);
		t->warn(text);
	}
	return 0;
}

static int
read_info(struct token *t, CK_TOKEN_INFO *info, struct fault *f)
{
	CK_RV rv;
	int tries = 0;

	do
		rv = t->module->api->C_GetTokenInfo(t->slot, info);
	while (rv != CKR_OK && token_begin_anew(t, &tries));
	return rv == CKR_OK ? 0 : fault_pkcs11(f, "C_GetTokenInfo", rv);
}

static int
get_pin(struct token *t, char **ret_pin, struct fault *f)
{
	const char *value = p11_kit_uri_get_pin_value(t->uri);

	if (!value)
		return pin_read(t->pin_source, t->label, ret_pin, f);
	*ret_pin = secret_dup(value);
	return *ret_pin ? 0 : fault_nomem(f);
}

/*
 * tpm2-pkcs11 blames the PIN for whatever its TPM answers when it is to unseal the token's key: one
 * that was reset, or flushed by another program, between two commands of a login is no reason to
 * stop for good. So a PIN that it took before may be offered once more.
 */
static int
refused(const struct token *t, const char *pin, CK_RV rv, struct fault *f)
{
	struct memory *m = recall(t);
	bool took = m && m->taken && strcmp(m->taken, pin) == 0;

	if (rv == CKR_PIN_INCORRECT && took && !m->doubted) {
		m->doubted = true;
		return fault_set(f, FAULT_TOKEN,
			"token '%s' refuses the PIN that it took before; its TPM may have failed "
			"meanwhile: it may be offered once more",
			t->label);
	}
	remember_refusal(t);
	fault_pkcs11(f, "C_Login", rv);
	return fault_prefix(f, "token '%s', PIN offered %s and not again", t->label,
		took && m->doubted ? "twice" : "once");
}

/* libp11 ends our sessions too when it cannot read a token. */
static bool
could_not_look(CK_RV rv)
{
	return rv == CKR_USER_PIN_NOT_INITIALIZED || rv == CKR_GENERAL_ERROR ||
	       rv == CKR_SESSION_HANDLE_INVALID;
}

/* Offers one PIN, once, to a token that can look at it; keeps it when the token takes it. */
static int
offer(struct token *t, char **pin, struct fault *f)
{
	CK_RV rv;
	int tries = 0;

	do
		rv = t->module->api->C_Login(
			t->session, CKU_USER, (CK_UTF8CHAR *)*pin, strlen(*pin));
	while (could_not_look(rv) && token_begin_anew(t, &tries));
	switch (rv) {
	case CKR_USER_ALREADY_LOGGED_IN:
		/* The PIN was not looked at, so it is not one that the token took. */
		t->logged_in = true;
		return 0;
	case CKR_OK:
		if (*pin != t->pin) {
			secret_free(t->pin);
			t->pin = TAKE(*pin);
		}
		remember_taken(t, t->pin);
		t->logged_in = true;
		return 0;
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
	case CKR_PIN_EXPIRED:
		return refused(t, *pin, rv, f);
	default:
		fault_pkcs11(f, "C_Login", rv);
		return fault_prefix(f, "token '%s'", t->label);
	}
}

int
token_login(struct token *token, struct fault *f)
{
	AUTO(auto_secret) char *pin = NULL;
	CK_SESSION_INFO session;
	CK_TOKEN_INFO info;
	CK_RV rv;

	if (token->logged_in)
		return 0;
	if (was_refused(token))
		return refuse_again(token, f);
	if (read_info(token, &info, f))
		return -1;
	/* Somebody else in the process may have logged in to it: the login is the process's. */
	rv = token->module->api->C_GetSessionInfo(token->session, &session);
	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_GetSessionInfo", rv);
	if (session.state == CKS_RW_USER_FUNCTIONS || session.state == CKS_RO_USER_FUNCTIONS ||
		!(info.flags & CKF_LOGIN_REQUIRED)) {
		token->logged_in = true;
		return 0;
	}
	if (check_flags(token, &info, f) || get_pin(token, &pin, f))
		return -1;
	return offer(token, &pin, f);
}

bool
login_may_mend(CK_RV rv)
{
	return rv == CKR_GENERAL_ERROR || rv == CKR_DEVICE_ERROR || rv == CKR_USER_NOT_LOGGED_IN;
}

int
token_relogin(struct token *token, struct fault *f)
{
	AUTO(auto_secret) char *pin = NULL;
	CK_TOKEN_INFO info;

	if (was_refused(token))
		return refuse_again(token, f);
	if (!token->pin && get_pin(token, &pin, f))
		return -1;
	if (read_info(token, &info, f) || check_flags(token, &info, f))
		return -1;
	token->module->api->C_Logout(token->session);
	token->logged_in = false;
	return offer(token, token->pin ? &token->pin : &pin, f);
}
