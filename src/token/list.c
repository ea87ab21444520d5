#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>

#include <openssl/asn1.h>

#include "token/ckr.h"

typedef int each_item(const struct token_item *item, void *with, struct fault *f);

/* What a walk over tokens carries. */
struct walk {
	each_item *each;
	void *with;
	const char *module_path;
	const char *module_name;
	bool named;
};

/* A copy with a NUL behind it, so that it can be shown. */
static char *
text_of(const void *bytes, size_t len)
{
	char *text = strndup(len > 0 ? bytes : "", len);

	for (char *p = text; p && *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	return text;
}

static char *
trimmed(const unsigned char *bytes, size_t len)
{
	size_t used = strnlen((const char *)bytes, len);

	while (used > 0 && bytes[used - 1] == ' ')
		used--;
	return text_of(bytes, used);
}

static void
about_certificate(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const struct object *o,
	char *about, size_t size)
{
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
	struct fault ignored = FAULT_INIT;
	struct tm until;
	int n;

	if (!bio || certificate_of(api, session, o->handle, &cert, &ignored) ||
		!ASN1_TIME_to_tm(X509_get0_notAfter(cert), &until)) {
		snprintf(about, size, "does not parse");
		return;
	}
	X509_NAME_print_ex(
		bio, X509_get_subject_name(cert), 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
	n = BIO_read(bio, about, (int)size - 32);
	if (n < 0)
		n = 0;
	snprintf(about + n, size - (size_t)n, "%suntil %04d-%02d-%02d", n ? ", " : "",
		until.tm_year + 1900, until.tm_mon + 1, until.tm_mday);
}

static void
about_key(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const struct object *o,
	const struct token_item *item, char *about, size_t size)
{
	AUTO(auto_pkey) EVP_PKEY *public = NULL;
	struct fault ignored = FAULT_INIT;
	char kind[64] = "unknown kind", group[32] = "";

	if (public_of(api, session, o, &public, &ignored) == 0) {
		if (EVP_PKEY_get_base_id(public) == EVP_PKEY_EC) {
			EVP_PKEY_get_group_name(public, group, sizeof(group), NULL);
			snprintf(kind, sizeof(kind), "EC %s",
				strcmp(group, "prime256v1") == 0  ? "P-256"
				: strcmp(group, "secp384r1") == 0 ? "P-384"
								  : group);
		} else {
			snprintf(kind, sizeof(kind), "RSA-%d", EVP_PKEY_get_bits(public));
		}
	}
	snprintf(about, size, "%s%s", kind,
		item->kind != TOKEN_ITEM_PRIVATE_KEY ? ""
		: item->extractable		     ? ", EXTRACTABLE"
						     : ", not extractable");
}

static int
tell_object(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const CK_TOKEN_INFO *token,
	const struct object *o, const struct walk *w, struct fault *f)
{
	struct uri_parts parts = {.token = token,
		.label = &o->label,
		.id = &o->id,
		.class = o->class,
		.module_path = w->module_path,
		.module_name = w->module_name};
	AUTO(auto_free) char *uri = NULL, *label = text_of(o->label.pValue, o->label.ulValueLen);
	struct token_item item = {.label = label};
	char about[256];

	if (!label)
		return fault_nomem(f);
	if (uri_format(&parts, &uri, f))
		return -1;
	item.kind = o->class == CKO_CERTIFICATE	  ? TOKEN_ITEM_CERTIFICATE
		    : o->class == CKO_PRIVATE_KEY ? TOKEN_ITEM_PRIVATE_KEY
						  : TOKEN_ITEM_PUBLIC_KEY;
	item.uri = uri;
	item.about = about;
	if (item.kind == TOKEN_ITEM_PRIVATE_KEY) {
		item.extractable =
			attribute_is_true(api, session, o->handle, CKA_EXTRACTABLE, true);
		item.sensitive = attribute_is_true(api, session, o->handle, CKA_SENSITIVE, false);
		item.local = attribute_is_true(api, session, o->handle, CKA_LOCAL, false);
	}
	if (item.kind == TOKEN_ITEM_CERTIFICATE)
		about_certificate(api, session, o, about, sizeof(about));
	else
		about_key(api, session, o, &item, about, sizeof(about));
	return w->each(&item, w->with, f);
}

static int
tell_objects(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const CK_TOKEN_INFO *token,
	const struct walk *w, struct fault *f)
{
	static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE};

	for (size_t c = 0; c < sizeof(classes) / sizeof(classes[0]); c++) {
		AUTO(objects_clear) struct objects found = {NULL, 0};
		CK_OBJECT_CLASS class = classes[c];
		CK_ATTRIBUTE template = {CKA_CLASS, &class, sizeof(class)};

		if (objects_find(api, session, &template, 1, &found, f))
			return -1;
		for (size_t i = 0; i < found.n; i++) {
			int status = tell_object(api, session, token, &found.items[i], w, f);

			if (status)
				return status;
		}
	}
	return 0;
}

static int
tell_token(const CK_TOKEN_INFO *info, const struct walk *w, struct fault *f)
{
	struct uri_parts parts = {.token = info,
		.class = CK_UNAVAILABLE_INFORMATION,
		.module_path = w->module_path,
		.module_name = w->module_name};
	AUTO(auto_free) char *uri = NULL, *label = trimmed(info->label, sizeof(info->label));
	AUTO(auto_free) char *model = trimmed(info->model, sizeof(info->model));
	struct token_item item = {.kind = TOKEN_ITEM_TOKEN};
	char about[160];

	if (!label || !model)
		return fault_nomem(f);
	if (uri_format(&parts, &uri, f))
		return -1;
	snprintf(about, sizeof(about), "%s%s", model,
		info->flags & CKF_USER_PIN_LOCKED	 ? ", PIN locked"
		: info->flags & CKF_USER_PIN_FINAL_TRY	 ? ", locks at the next wrong PIN"
		: info->flags & CKF_USER_PIN_COUNT_LOW	 ? ", a wrong PIN was offered"
		: info->flags & CKF_USER_PIN_INITIALIZED ? ", ready"
							 : ", without a user PIN");
	item.uri = uri;
	item.label = label;
	item.about = about;
	return w->each(&item, w->with, f);
}

static int
visit(const struct module *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info, void *with,
	struct fault *f)
{
	CK_FUNCTION_LIST *api = module->api;
	const struct walk *w = with;
	CK_SESSION_HANDLE session;
	CK_RV rv;
	int status;

	status = tell_token(info, w, f);
	if (status)
		return status;
	rv = api->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_OpenSession", rv);
	status = tell_objects(api, session, info, w, f);
	api->C_CloseSession(session);
	return status;
}

static int
list_logged_in(const char *text, const struct token_source *source, struct walk *w, struct fault *f)
{
	AUTO(auto_token) struct token *token = NULL;
	int status;

	if (token_open(text, source, &token, f) || token_login(token, f))
		return -1;
	if (w->named && !w->module_name)
		w->module_path = token->module->path;
	status = tell_token(&token->info, w, f);
	if (status)
		return status;
	return tell_objects(token->module->api, token->session, &token->info, w, f);
}

int
token_list(const char *uri, const struct token_source *source, bool login,
	int (*each)(const struct token_item *item, void *with, struct fault *f), void *with,
	struct fault *f)
{
	AUTO(auto_uri) P11KitUri *parsed = NULL;
	AUTO(auto_module) struct module *module = NULL;
	struct walk w = {.each = each, .with = with};
	const char *text = uri ? uri : "pkcs11:";
	int tries = 0;

	if (uri_parse(text, &parsed, f))
		return -1;
	w.module_name = p11_kit_uri_get_module_name(parsed);
	w.named = p11_kit_uri_get_module_path(parsed) ||
		  (source && source->module && strchr(source->module, '/'));
	if (login)
		return list_logged_in(text, source, &w, f);
	if (module_open_named(parsed, source, &module, f))
		return -1;
	if (!module)
		return slots_each_everywhere(parsed, visit, &w, f);
	if (w.named && !w.module_name)
		w.module_path = module->path;
	return slots_each(module, parsed, visit, &w, &tries, f);
}
