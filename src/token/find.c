#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>

#include "token/ckr.h"

/* Handles that are asked for at a time. */
#define HANDLES_STEP 256

void
objects_clear(struct objects *objects)
{
	for (size_t i = 0; i < objects->n; i++)
		object_clear(&objects->items[i]);
	free(objects->items);
	*objects = (struct objects){NULL, 0};
}

void
handles_clear(struct handles *handles)
{
	free(handles->items);
	*handles = (struct handles){NULL, 0};
}

/* The next handles of a search that is under way; ret_n 0 at its end. */
static int
next_handles(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, struct handles *handles,
	CK_ULONG *ret_n, struct fault *f)
{
	CK_OBJECT_HANDLE *grown =
		reallocarray(handles->items, handles->n + HANDLES_STEP, sizeof(*handles->items));
	CK_RV rv;

	*ret_n = 0;
	if (!grown)
		return fault_nomem(f);
	handles->items = grown;
	rv = api->C_FindObjects(session, grown + handles->n, HANDLES_STEP, ret_n);
	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_FindObjects", rv);
	if (*ret_n > HANDLES_STEP)
		return fault_set(
			f, FAULT_TOKEN, "the token gave more handles than it was asked for");
	handles->n += *ret_n;
	if (handles->n > OBJECTS_MAX)
		return fault_set(f, FAULT_REFUSED, "the token holds more than %d objects of a kind",
			OBJECTS_MAX);
	return 0;
}

int
handles_find(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n,
	struct handles *ret_handles, struct fault *f)
{
	AUTO(handles_clear) struct handles handles = {NULL, 0};
	CK_RV rv = api->C_FindObjectsInit(session, template, n);
	CK_ULONG got = 0;
	int status;

	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_FindObjectsInit", rv);
	do
		status = next_handles(api, session, &handles, &got, f);
	while (status == 0 && got > 0);
	api->C_FindObjectsFinal(session);
	if (status)
		return -1;
	*ret_handles = handles;
	handles = (struct handles){NULL, 0};
	return 0;
}

static int
compare_values(const CK_ATTRIBUTE *a, const CK_ATTRIBUTE *b)
{
	CK_ULONG n = a->ulValueLen < b->ulValueLen ? a->ulValueLen : b->ulValueLen;
	int order = n > 0 ? memcmp(a->pValue, b->pValue, n) : 0;

	return order ? order : (a->ulValueLen > b->ulValueLen) - (a->ulValueLen < b->ulValueLen);
}

static int
compare(const void *a, const void *b)
{
	const struct object *x = a, *y = b;
	int order = compare_values(&x->label, &y->label);

	return order ? order : compare_values(&x->id, &y->id);
}

int
objects_find(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n,
	struct objects *ret_objects, struct fault *f)
{
	AUTO(handles_clear) struct handles handles = {NULL, 0};
	AUTO(objects_clear) struct objects found = {NULL, 0};

	if (handles_find(api, session, template, n, &handles, f))
		return -1;
	found.items = calloc(handles.n + 1, sizeof(*found.items));
	if (!found.items)
		return fault_nomem(f);
	for (size_t i = 0; i < handles.n; i++) {
		if (object_read(api, session, handles.items[i], &found.items[found.n], f) == 0)
			found.n++;
		else if (!f || f->native != CKR_OBJECT_HANDLE_INVALID)
			return -1;
		/* Another program deleted it meanwhile. */
	}
	/* SoftHSM returns them in a different order each time; a fault that lists them must not. */
	qsort(found.items, found.n, sizeof(*found.items), compare);
	*ret_objects = found;
	found = (struct objects){NULL, 0};
	return 0;
}

/* Keeps the objects that have no label (no id) when the URI gives an empty one. */
static void
keep_nameless(struct objects *objects, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id)
{
	size_t kept = 0;

	for (size_t i = 0; i < objects->n; i++) {
		struct object *o = &objects->items[i];

		if ((label && label->ulValueLen == 0 && o->label.ulValueLen > 0) ||
			(id && id->ulValueLen == 0 && o->id.ulValueLen > 0))
			object_clear(o);
		else
			objects->items[kept++] = *o;
	}
	objects->n = kept;
}

/* Those of a class with this label and id; NULL for any. */
static int
find_named(struct token *token, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *label,
	const CK_ATTRIBUTE *id, struct objects *ret_objects, struct fault *f)
{
	CK_ATTRIBUTE template[3] = {{CKA_CLASS, &class, sizeof(class)}};
	CK_ULONG n = 1;

	if (label && label->ulValueLen > 0)
		template[n++] = *label;
	if (id && id->ulValueLen > 0)
		template[n++] = *id;
	if (objects_find(token->module->api, token->session, template, n, ret_objects, f))
		return -1;
	for (size_t i = 0; i < ret_objects->n; i++)
		ret_objects->items[i].class = class;
	keep_nameless(ret_objects, label, id);
	return 0;
}

int
objects_named(
	struct token *token, CK_OBJECT_CLASS class, struct objects *ret_objects, struct fault *f)
{
	return find_named(token, class, p11_kit_uri_get_attribute(token->uri, CKA_LABEL),
		p11_kit_uri_get_attribute(token->uri, CKA_ID), ret_objects, f);
}

int
objects_of_class(
	struct token *token, CK_OBJECT_CLASS class, struct objects *ret_objects, struct fault *f)
{
	return find_named(token, class, NULL, NULL, ret_objects, f);
}

int
objects_with_id(struct token *token, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *id,
	struct objects *ret_objects, struct fault *f)
{
	return find_named(token, class, NULL, id, ret_objects, f);
}

static const char *
noun(CK_OBJECT_CLASS class)
{
	return class == CKO_CERTIFICATE	 ? "certificate"
	       : class == CKO_PUBLIC_KEY ? "public key"
					 : "key";
}

/* "object=device;id=%01", as a URI writes it; free with free(). */
static int
write_names(const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id, char **ret_text, struct fault *f)
{
	const struct uri_parts parts = {
		.label = label, .id = id, .class = CK_UNAVAILABLE_INFORMATION};
	AUTO(auto_free) char *uri = NULL;

	if (uri_format(&parts, &uri, f))
		return -1;
	*ret_text = strdup(uri + 7);
	return *ret_text ? 0 : fault_nomem(f);
}

int
object_name(const struct object *object, char *text, size_t size, struct fault *f)
{
	AUTO(auto_free) char *names = NULL;

	if (write_names(&object->label, &object->id, &names, f))
		return -1;
	if (snprintf(text, size, "%s", names) >= (int)size)
		memcpy(text + size - 4, "...", 4);
	return 0;
}

/* The names of each, as much as fits. */
static int
name_all(const struct objects *objects, char *text, size_t size, struct fault *f)
{
	text[0] = '\0';
	for (size_t i = 0; i < objects->n && strlen(text) + 1 < size; i++) {
		size_t used = strlen(text);
		char one[128];

		if (object_name(&objects->items[i], one, sizeof(one), f))
			return -1;
		snprintf(text + used, size - used, "%s%s", used ? " " : "", one);
	}
	return 0;
}

/* Names the attribute of the URI that nothing has, and lists what is there. */
static int
not_there(struct token *token, CK_OBJECT_CLASS class, struct fault *f)
{
	const CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(token->uri, CKA_LABEL);
	const CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(token->uri, CKA_ID);
	AUTO(objects_clear) struct objects all = {NULL, 0}, labelled = {NULL, 0};
	AUTO(objects_clear) struct objects with_id = {NULL, 0};
	AUTO(auto_free) char *wanted = NULL;
	char text[160], cut[100];

	if (find_named(token, class, NULL, NULL, &all, f))
		return -1;
	if (all.n == 0)
		return fault_set(f, FAULT_NOTFOUND, "token '%s' shows no %s%s", token->label,
			noun(class), token->logged_in ? "" : " without a login");
	if (find_named(token, class, label, NULL, &labelled, f) ||
		find_named(token, class, NULL, id, &with_id, f))
		return -1;
	/* If one of the two alone matches something, the other one is wrong. */
	if (label && id && (labelled.n > 0) != (with_id.n > 0)) {
		if (labelled.n > 0)
			label = NULL;
		else
			id = NULL;
	}
	if (write_names(label, id, &wanted, f) || name_all(&all, text, sizeof(text), f))
		return -1;
	if (snprintf(cut, sizeof(cut), "%s", wanted) >= (int)sizeof(cut))
		memcpy(cut + sizeof(cut) - 4, "...", 4);
	return fault_set(f, FAULT_NOTFOUND, "token '%s' has no %s with %s: there is %s",
		token->label, noun(class), cut, text);
}

int
object_only(struct token *token, CK_OBJECT_CLASS class, struct objects *found,
	struct objects *ret_one, struct fault *f)
{
	char text[180];

	if (found->n == 0)
		return not_there(token, class, f);
	if (found->n > 1) {
		if (name_all(found, text, sizeof(text), f))
			return -1;
		/* They are sorted: if the first and the last have the same names, all have. */
		if (compare(&found->items[0], &found->items[found->n - 1]) == 0)
			return fault_set(f, FAULT_AMBIGUOUS,
				"the token has %zu %ss with the same id and label: delete or "
				"rename all but one of %s",
				found->n, noun(class), text);
		return fault_set(f, FAULT_AMBIGUOUS, "the URI matches %zu %ss, name one of: %s",
			found->n, noun(class), text);
	}
	*ret_one = *found;
	*found = (struct objects){NULL, 0};
	return 0;
}

int
object_named(struct token *token, CK_OBJECT_CLASS class, struct objects *ret_one, struct fault *f)
{
	AUTO(objects_clear) struct objects found = {NULL, 0};

	return objects_named(token, class, &found, f)
		       ? -1
		       : object_only(token, class, &found, ret_one, f);
}
