#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>

#include "token/ckr.h"

typedef int each_item(const struct token_item *item, void *with, struct fault *f);

/*
 * What a walk over tokens carries.
 *
 * all   every token that a printed URI must not match by mistake
 * path  the user named the module by its path, so the printed URIs have it
 * name  the module-name that the user gave; NULL without one
 */
struct walk {
	each_item *each;
	void *with;
	void (*warn)(const char *text);
	const struct places *all;
	bool path;
	const char *name;
};

/*
 * The token whose objects are listed.
 */
struct where {
	CK_FUNCTION_LIST *api;
	CK_SESSION_HANDLE session;
	const struct place *place;
	enum uri_detail detail;
};

/* The parts of a URI that name the token. */
static struct uri_parts
parts_of(const struct where *w, const struct walk *walk)
{
	struct uri_parts parts = {.token = &w->place->info,
		.detail = w->detail,
		.slot = w->place->slot,
		.class = CK_UNAVAILABLE_INFORMATION,
		.module_name = walk->name};

	if (!walk->name && (walk->path || w->detail >= URI_MODULE))
		parts.module_path = w->place->module->path;
	return parts;
}

static int
tell_object(const struct where *w, const struct object *o, const struct walk *walk, struct fault *f)
{
	AUTO(auto_free) char *uri = NULL, *label = about_text(o->label.pValue, o->label.ulValueLen);
	struct uri_parts parts = parts_of(w, walk);
	struct token_item item = {.label = label};
	char about[256], kind[64];

	parts.label = &o->label;
	parts.id = &o->id;
	parts.class = o->class;
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
			attribute_is_true(w->api, w->session, o->handle, CKA_EXTRACTABLE, true);
		item.sensitive =
			attribute_is_true(w->api, w->session, o->handle, CKA_SENSITIVE, false);
		item.local = attribute_is_true(w->api, w->session, o->handle, CKA_LOCAL, false);
	}
	if (item.kind == TOKEN_ITEM_CERTIFICATE) {
		about_certificate(w->api, w->session, o->handle, about, sizeof(about));
	} else {
		about_key(w->api, w->session, o->handle, kind, sizeof(kind));
		snprintf(about, sizeof(about), "%s%s", kind,
			item.kind != TOKEN_ITEM_PRIVATE_KEY ? ""
			: item.extractable		    ? ", EXTRACTABLE"
							    : ", not extractable");
	}
	return walk->each(&item, walk->with, f);
}

/* Warns of what cannot be read in a token; the list continues. */
static void
report(const struct where *w, const struct walk *walk, const char *what, const struct fault *why)
{
	AUTO(auto_free)
	char *label = about_text(w->place->info.label,
		field_len(w->place->info.label, sizeof(w->place->info.label)));
	char text[384];

	if (!walk->warn)
		return;
	snprintf(text, sizeof(text), "token '%s': %s: %s", label ? label : "?", what, why->text);
	walk->warn(text);
}

/* A name that no URI may have cannot be used: better not shown than shown in vain. */
static int
check_names(const struct object *o, struct fault *f)
{
	if (o->id.ulValueLen <= TOKEN_NAME_MAX && o->label.ulValueLen <= TOKEN_NAME_MAX)
		return 0;
	return fault_set(
		f, FAULT_REFUSED, "its id or label is longer than %d bytes", TOKEN_NAME_MAX);
}

static int
tell_class(const struct where *w, CK_OBJECT_CLASS class, const struct walk *walk, struct fault *f)
{
	AUTO(handles_clear) struct handles found = {NULL, 0};
	CK_ATTRIBUTE template = {CKA_CLASS, &class, sizeof(class)};
	struct fault why = FAULT_INIT, first = FAULT_INIT;
	size_t n_unreadable = 0;
	char what[64];

	if (handles_find(w->api, w->session, &template, 1, &found, &why)) {
		report(w, walk, "objects cannot be listed", &why);
		return 0;
	}
	for (size_t i = 0; i < found.n; i++) {
		AUTO(object_clear) struct object o = {0};
		int status;

		if (object_read(w->api, w->session, found.items[i], &o, &why) ||
			check_names(&o, &why)) {
			if (n_unreadable++ == 0)
				first = why;
			continue;
		}
		o.class = class;
		status = tell_object(w, &o, walk, f);
		if (status)
			return status;
	}
	snprintf(what, sizeof(what), "%zu of %zu objects are left out", n_unreadable, found.n);
	if (n_unreadable > 0)
		report(w, walk, what, &first);
	return 0;
}

static int
tell_objects(const struct where *w, const struct walk *walk, struct fault *f)
{
	static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE};
	int status = 0;

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]) && status == 0; i++)
		status = tell_class(w, classes[i], walk, f);
	return status;
}

static int
tell_token(const struct where *w, const struct walk *walk, struct fault *f)
{
	const CK_TOKEN_INFO *info = &w->place->info;
	const struct uri_parts parts = parts_of(w, walk);
	AUTO(auto_free) char *uri = NULL;
	AUTO(auto_free)
	char *label = about_text(info->label, field_len(info->label, sizeof(info->label)));
	AUTO(auto_free)
	char *model = about_text(info->model, field_len(info->model, sizeof(info->model)));
	struct token_item item = {.kind = TOKEN_ITEM_TOKEN};
	char about[160];

	if (!label || !model)
		return fault_nomem(f);
	if (uri_format(&parts, &uri, f))
		return -1;
	snprintf(about, sizeof(about), "%s%s%s", model,
		info->flags & CKF_USER_PIN_LOCKED	 ? ", PIN locked"
		: info->flags & CKF_USER_PIN_FINAL_TRY	 ? ", locks at the next wrong PIN"
		: info->flags & CKF_USER_PIN_COUNT_LOW	 ? ", a wrong PIN was offered"
		: info->flags & CKF_USER_PIN_INITIALIZED ? ", ready"
		: info->flags & CKF_LOGIN_REQUIRED	 ? ", without a user PIN"
							 : ", without a login",
		info->flags & CKF_WRITE_PROTECTED ? ", write-protected" : "");
	item.uri = uri;
	item.label = label;
	item.about = about;
	return walk->each(&item, walk->with, f);
}

static int
visit(const struct place *place, const struct walk *walk, struct fault *f)
{
	struct where w = {.api = place->module->api,
		.place = place,
		.detail = places_detail(walk->all, place)};
	struct fault why = FAULT_INIT;
	CK_RV rv;
	int status = tell_token(&w, walk, f);

	if (status)
		return status;
	rv = w.api->C_OpenSession(place->slot, CKF_SERIAL_SESSION, NULL, NULL, &w.session);
	if (rv != CKR_OK) {
		fault_pkcs11(&why, "C_OpenSession", rv);
		report(&w, walk, "objects cannot be read", &why);
		return 0;
	}
	status = tell_objects(&w, walk, f);
	w.api->C_CloseSession(w.session);
	return status;
}

/* Every token of the modules in which the URI's are looked for. */
static int
find_all(P11KitUri *uri, const struct token_source *source, struct places *ret, struct fault *f)
{
	AUTO(auto_uri) P11KitUri *any = p11_kit_uri_new();

	if (!any)
		return fault_nomem(f);
	p11_kit_uri_set_module_path(any, p11_kit_uri_get_module_path(uri));
	p11_kit_uri_set_module_name(any, p11_kit_uri_get_module_name(uri));
	return places_find(any, source, NULL, ret, f);
}

static int
list_logged_in(const char *text, P11KitUri *uri, const struct token_source *source,
	struct walk *walk, struct fault *f)
{
	AUTO(places_clear) struct places all = {NULL, 0};
	AUTO(auto_token) struct token *token = NULL;
	struct place place;
	struct where w;
	int status;

	/* Before find_all(): SoftHSM is read again only while this is its module's one user. */
	if (token_open(text, source, &token, f) || token_login(token, f) ||
		find_all(uri, source, &all, f))
		return -1;
	walk->all = &all;
	place = (struct place){token->module, token->slot, token->info};
	w = (struct where){token->module->api, token->session, &place, places_detail(&all, &place)};
	status = tell_token(&w, walk, f);
	return status ? status : tell_objects(&w, walk, f);
}

static int
list_visible(P11KitUri *uri, const struct token_source *source, struct walk *walk, struct fault *f)
{
	AUTO(places_clear) struct places found = {NULL, 0}, all = {NULL, 0};
	int status = 0;

	if (places_find(uri, source, walk->warn, &found, f) || find_all(uri, source, &all, f))
		return -1;
	if (found.n == 0 && all.n > 0)
		return places_missing(uri, source, f);
	walk->all = &all;
	for (size_t i = 0; i < found.n && status == 0; i++)
		status = visit(&found.items[i], walk, f);
	return status;
}

int
token_list(const char *uri, const struct token_source *source, bool login,
	int (*each)(const struct token_item *item, void *with, struct fault *f), void *with,
	struct fault *f)
{
	AUTO(auto_uri) P11KitUri *parsed = NULL;
	struct walk walk = {.each = each, .with = with, .warn = source ? source->warn : NULL};
	const char *text = uri ? uri : "pkcs11:";

	if (uri_parse(text, &parsed, f))
		return -1;
	walk.name = p11_kit_uri_get_module_name(parsed);
	walk.path = p11_kit_uri_get_module_path(parsed) ||
		    (source && source->module && strchr(source->module, '/'));
	return login ? list_logged_in(text, parsed, source, &walk, f)
		     : list_visible(parsed, source, &walk, f);
}
