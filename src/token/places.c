#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "token/ckr.h"

/* Slots of a module that we look at. */
#define SLOTS_MAX 1024

void
places_clear(struct places *places)
{
	for (size_t i = 0; i < places->n; i++)
		module_close(places->items[i].module);
	free(places->items);
	*places = (struct places){NULL, 0};
}

static int
add(struct places *places, const struct module *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info,
	struct fault *f)
{
	struct place *grown = reallocarray(places->items, places->n + 1, sizeof(*places->items));

	if (!grown)
		return fault_nomem(f);
	places->items = grown;
	grown[places->n] = (struct place){.slot = slot, .info = *info};
	if (module_open(module->path, &grown[places->n].module, f))
		return -1;
	places->n++;
	return 0;
}

static int
list_slots(struct module *module, CK_SLOT_ID **ret_slots, CK_ULONG *ret_n, struct fault *f)
{
	AUTO(auto_free) CK_SLOT_ID *slots = NULL;
	CK_ULONG n = 0;
	CK_RV rv;

	do {
		CK_SLOT_ID *grown;

		rv = module->api->C_GetSlotList(CK_TRUE, NULL, &n);
		if (rv != CKR_OK || n == 0)
			break;
		if (n > SLOTS_MAX)
			return fault_set(
				f, FAULT_TOKEN, "module '%s' has too many slots", module->path);
		grown = reallocarray(slots, n, sizeof(*slots));
		if (!grown)
			return fault_nomem(f);
		slots = grown;
		rv = module->api->C_GetSlotList(CK_TRUE, slots, &n);
	} while (rv == CKR_BUFFER_TOO_SMALL);
	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_GetSlotList", rv);
	*ret_slots = TAKE(slots);
	*ret_n = n;
	return 0;
}

/* Reports a token that cannot be read; the search continues with the others. */
static void
report(const struct module *module, CK_SLOT_ID slot, CK_RV rv, void (*warn)(const char *text))
{
	struct fault why = FAULT_INIT;

	if (rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_TOKEN_NOT_RECOGNIZED)
		return;
	fault_pkcs11(&why, "C_GetTokenInfo", rv);
	fault_prefix(&why, "the token in slot %lu of module '%s' is left out", slot, module->path);
	if (warn)
		warn(why.text);
	else
		log_debug("%s", why.text);
}

static int
look_once(struct module *module, P11KitUri *uri, void (*warn)(const char *text),
	struct places *places, struct fault *f)
{
	AUTO(auto_free) CK_SLOT_ID *slots = NULL;
	CK_ULONG n;

	if (!uri_matches_module(uri, module->api))
		return 0;
	if (list_slots(module, &slots, &n, f))
		return -1;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO info;
		CK_RV rv = module->api->C_GetTokenInfo(slots[i], &info);

		if (rv != CKR_OK)
			report(module, slots[i], rv, warn);
		else if ((info.flags & CKF_TOKEN_INITIALIZED) && uri_matches_token(uri, &info) &&
			 uri_matches_slot(uri, module->api, slots[i]) &&
			 add(places, module, slots[i], &info, f))
			return -1;
	}
	return 0;
}

int
places_of(struct module *module, P11KitUri *uri, void (*warn)(const char *text), int *tries,
	struct places *places, struct fault *f)
{
	size_t before = places->n;
	int status;

	do
		status = look_once(module, uri, warn, places, f);
	while (status == 0 && places->n == before && module_begin_anew(module, tries));
	return status;
}

static void
free_modules(CK_FUNCTION_LIST ***list)
{
	if (*list)
		p11_kit_modules_release(*list);
}

/*
 * Looks in all modules that p11-kit knows, except its stores of trusted certificates. The fault of
 * a module that fails is returned only if no other module has a matching token.
 */
static int
look_everywhere(
	P11KitUri *uri, void (*warn)(const char *text), struct places *places, struct fault *f)
{
	AUTO(free_modules) CK_FUNCTION_LIST **list = NULL;
	struct fault first = FAULT_INIT;

	modules_quiet();
	list = p11_kit_modules_load(NULL, 0);
	if (!list)
		return fault_set(f, FAULT_NOTFOUND,
			"p11-kit finds no PKCS#11 module: name one (see `p11-kit list-modules`)");
	for (size_t i = 0; list[i]; i++) {
		AUTO(auto_free) char *path = p11_kit_module_get_filename(list[i]);
		AUTO(auto_module) struct module *module = NULL;
		struct fault why = FAULT_INIT;
		int tries = 0;

		if (!path || (p11_kit_module_get_flags(list[i]) & P11_KIT_MODULE_TRUSTED))
			continue;
		if (module_open(path, &module, &why)) {
			log_debug("module skipped: %s", why.text);
			continue;
		}
		if (places_of(module, uri, warn, &tries, places, &why) == 0)
			continue;
		fault_prefix(&why, "module '%s'", path);
		if (warn)
			warn(why.text);
		if (first.code == FAULT_NONE)
			first = why;
	}
	if (places->n > 0 || first.code == FAULT_NONE)
		return 0;
	if (f)
		*f = first;
	return -1;
}

int
places_find(P11KitUri *uri, const struct token_source *source, void (*warn)(const char *text),
	struct places *ret_places, struct fault *f)
{
	AUTO(places_clear) struct places places = {NULL, 0};
	AUTO(auto_module) struct module *module = NULL;
	int tries = 0;

	if (module_open_named(uri, source, &module, f))
		return -1;
	if (module ? places_of(module, uri, warn, &tries, &places, f)
		   : look_everywhere(uri, warn, &places, f))
		return -1;
	*ret_places = places;
	places = (struct places){NULL, 0};
	return 0;
}

/* Whether the URI of one, as detailed as this, also matches another. */
static bool
is_taken_for(const struct place *a, const struct place *b, enum uri_detail detail)
{
	const CK_TOKEN_INFO *x = &a->info, *y = &b->info;

	return field_equal(x->label, y->label, sizeof(x->label)) &&
	       ((detail < URI_MODEL && serial_is_blank(x)) ||
		       field_equal(x->serialNumber, y->serialNumber, sizeof(x->serialNumber))) &&
	       (detail < URI_MODEL || (field_equal(x->model, y->model, sizeof(x->model)) &&
					      field_equal(x->manufacturerID, y->manufacturerID,
						      sizeof(x->manufacturerID)))) &&
	       (detail < URI_MODULE || a->module == b->module) &&
	       (detail < URI_SLOT || a->slot == b->slot);
}

enum uri_detail
places_detail(const struct places *all, const struct place *place)
{
	enum uri_detail detail = URI_PLAIN;

	for (size_t i = 0; i < all->n; i++) {
		const struct place *other = &all->items[i];

		if (other->module == place->module && other->slot == place->slot)
			continue;
		while (detail < URI_SLOT && is_taken_for(place, other, detail))
			detail++;
	}
	return detail;
}

int
places_name(const struct places *places, char *text, size_t size, struct fault *f)
{
	text[0] = '\0';
	for (size_t i = 0; i < places->n && strlen(text) + 1 < size; i++) {
		const struct place *place = &places->items[i];
		struct uri_parts parts = {.token = &place->info,
			.detail = places_detail(places, place),
			.slot = place->slot,
			.class = CK_UNAVAILABLE_INFORMATION};
		AUTO(auto_free) char *uri = NULL;
		size_t used = strlen(text);

		if (parts.detail >= URI_MODULE)
			parts.module_path = place->module->path;
		if (uri_format(&parts, &uri, f))
			return -1;
		snprintf(text + used, size - used, "%s%s", used ? " " : "", uri + 7);
	}
	return 0;
}

int
places_missing(P11KitUri *uri, const struct token_source *source, struct fault *f)
{
	AUTO(places_clear) struct places all = {NULL, 0};
	AUTO(auto_uri) P11KitUri *any = p11_kit_uri_new();
	struct uri_parts parts = {.class = CK_UNAVAILABLE_INFORMATION};
	AUTO(auto_free) char *wanted = NULL;
	CK_TOKEN_INFO unmatched;
	char text[160];

	if (!any)
		return fault_nomem(f);
	p11_kit_uri_set_module_path(any, p11_kit_uri_get_module_path(uri));
	p11_kit_uri_set_module_name(any, p11_kit_uri_get_module_name(uri));
	if (places_find(any, source, NULL, &all, f))
		return -1;
	unmatched = uri_unmatched(uri, &all);
	parts.given = &unmatched;
	if (uri_format(&parts, &wanted, f) || places_name(&all, text, sizeof(text), f))
		return -1;
	if (all.n == 0)
		return fault_set(f, FAULT_NOTFOUND,
			"no token is there%s%s: make one ready, or name its module",
			wanted[7] ? ", and none with " : "", wanted + 7);
	if (!wanted[7])
		return fault_set(f, FAULT_NOTFOUND,
			"no token is in the slot or library that the URI gives: there is %s", text);
	return fault_set(f, FAULT_NOTFOUND, "no token with %s: there is %s", wanted + 7, text);
}
