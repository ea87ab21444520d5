/* inside: what the files of this room share; nobody outside includes it. */
#ifndef TOKEN_INSIDE_H
#define TOKEN_INSIDE_H

#include <stdbool.h>
#include <stddef.h>

#define P11_KIT_FUTURE_UNSTABLE_API 1
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/secret.h"
#include "token/token.h"

/* Characters of a PIN, as OpenSSL's prompt and the tokens we know bound it. */
#define PIN_MAX 255

/* Objects that a search may find. No token has as many; it bounds a module that never ends. */
#define OBJECTS_MAX 65536

/* uri.c */

AUTO_DEFINE(uri, P11KitUri, p11_kit_uri_free);

/*
 * Parses a URI and refuses what the contract of token.h does not name. Values are never quoted in
 * a fault: one may be a PIN.
 *
 * Returns 0; else FAULT_USAGE, FAULT_NOMEM.  Threads: any.
 */
int uri_parse(const char *text, P11KitUri **ret_uri, struct fault *f);

/* The type that a URI gives; CK_UNAVAILABLE_INFORMATION when it gives none. */
CK_OBJECT_CLASS uri_class(P11KitUri *uri);

/* What a URI says of a token; each also has the parts of those before it. */
enum uri_detail {
	URI_PLAIN,  /* label, and the serial number unless it is blank */
	URI_MODEL,  /* model and manufacturer */
	URI_MODULE, /* the module's path, which the caller puts into the parts */
	URI_SLOT    /* the slot's number */
};

/*
 * What a URI that we write names; NULL and CK_UNAVAILABLE_INFORMATION leave a part out.
 *
 * token   with `detail`; its padding is not written
 * given   fields beside those, as p11_kit_uri_get_token_info() has them
 * slot    for URI_SLOT
 */
struct uri_parts {
	const CK_TOKEN_INFO *token, *given;
	enum uri_detail detail;
	CK_SLOT_ID slot;
	const CK_ATTRIBUTE *label, *id;
	CK_OBJECT_CLASS class;
	const char *module_path, *module_name;
};

int uri_format(const struct uri_parts *parts, char **ret_text, struct fault *f);

/* Whether the serial number tells nothing: tpm2-pkcs11 gives every token the same zeros. */
bool serial_is_blank(const CK_TOKEN_INFO *info);

/* module.c */

struct libp11;

/*
 * A PKCS#11 module in use, once in the process whoever uses it: its C_Finalize ends all of them.
 *
 * path    of its file
 * api     p11-kit's view of it
 * tpm     it is tpm2-pkcs11: few places for keys in the device, freed by a new login
 * torn    it is SoftHSM, which writes a token's file at each login, so that another process may
 *         read half of it: what it then says of the token it says until its C_Finalize
 * libp11  the other user of the module, made when the first key is lent; key.c's
 */
struct module {
	char *path;
	CK_FUNCTION_LIST *api;
	bool tpm;
	bool torn;
	struct libp11 *libp11;
	unsigned refs;
	struct module *next;
};

/*
 * The module that the URI or the source names; NULL when neither does.
 *
 * Returns 0; else FAULT_NOTFOUND, FAULT_TOKEN when it does not start, FAULT_NOMEM.
 */
int module_open_named(P11KitUri *uri, const struct token_source *source, struct module **ret_module,
	struct fault *f);

int module_open(const char *path, struct module **ret_module, struct fault *f);

void module_close(struct module *module);

AUTO_DEFINE(module, struct module, module_close);

/*
 * Waits a moment for another process to have written what this one read half of, then has the
 * module begin anew, which ends its sessions. The caller has lent no key of it.
 *
 * tries  how often that was done, 0 at first; counted here
 *
 * Returns whether it has: not when the module is not of that kind, when it was done often enough,
 * or when somebody else in the process uses it.
 */
bool module_begin_anew(struct module *module, int *tries);

/* Guards the list of modules and the counts of references, for a key may be freed in any thread. */
void module_lock(void);
void module_unlock(void);

/* Keeps p11-kit and the TPM's libraries from writing to standard error by themselves. */
void modules_quiet(void);

/* match.c: a URI compared with what modules, slots and tokens say of themselves */

/*
 * The fields of CK_INFO, CK_SLOT_INFO and CK_TOKEN_INFO have a fixed size. PKCS#11 pads them with
 * spaces; many modules end them with a NUL instead. Padding does not count: "gw", "gw   " and
 * "gw\0\0" are equal, in a URI too. Everything else is compared as p11-kit and p11tool do.
 */
size_t field_len(const unsigned char *field, size_t size);
bool field_equal(const unsigned char *a, const unsigned char *b, size_t size);

/* Copies one, padded with spaces as the standard has it. */
void field_copy(unsigned char *to, const unsigned char *from, size_t size);

bool uri_matches_token(P11KitUri *uri, const CK_TOKEN_INFO *info);
bool uri_matches_module(P11KitUri *uri, CK_FUNCTION_LIST *api);
bool uri_matches_slot(P11KitUri *uri, CK_FUNCTION_LIST *api, CK_SLOT_ID slot);

/* places.c: where tokens are */

/* A token and where it is; the module is kept open. */
struct place {
	struct module *module;
	CK_SLOT_ID slot;
	CK_TOKEN_INFO info;
};

struct places {
	struct place *items;
	size_t n;
};

void places_clear(struct places *places);

/*
 * The initialised tokens that a URI matches, in the module that it or the source names, else in all
 * that p11-kit knows.
 *
 * warn  called with the reason for each token and module that cannot be read; may be NULL
 *
 * Returns 0, also when there are none; else FAULT_NOTFOUND, FAULT_TOKEN, FAULT_NOMEM.
 */
int places_find(P11KitUri *uri, const struct token_source *source, void (*warn)(const char *text),
	struct places *ret_places, struct fault *f);

/*
 * Adds those of one module.
 *
 * tries  as for module_begin_anew(), which is called while none matches
 */
int places_of(struct module *module, P11KitUri *uri, void (*warn)(const char *text), int *tries,
	struct places *places, struct fault *f);

/* What the URI of one of them must say to match none of the others. */
enum uri_detail places_detail(const struct places *all, const struct place *place);

/* "token=gw;serial=1 token=gw;serial=2", as much as fits. */
int places_name(const struct places *places, char *text, size_t size, struct fault *f);

/*
 * Fills in FAULT_NOTFOUND for a URI that matches no token: names what no token has of what the URI
 * gives, and lists the tokens that are there.
 *
 * Returns -1.
 */
int places_missing(P11KitUri *uri, const struct token_source *source, struct fault *f);

/*
 * The fields of a URI that none of these tokens has; all that it gives when each is some token's;
 * none when a token has all of them.
 */
CK_TOKEN_INFO uri_unmatched(P11KitUri *uri, const struct places *places);

/* token.c */

/*
 * refs     the opener's and one for each lent key
 * label    the token's, trimmed
 * pin      that the token accepted, for the next login; a secret
 */
struct token {
	unsigned refs;
	struct module *module;
	CK_SLOT_ID slot;
	CK_TOKEN_INFO info;
	CK_SESSION_HANDLE session;
	P11KitUri *uri;
	char label[33];
	char *pin_source;
	void (*warn)(const char *text);
	char *pin;
	bool logged_in;
};

void token_ref(struct token *token);

/*
 * As module_begin_anew, with a new session in the token, which is not logged in; not while a key of
 * the token is lent.
 */
bool token_begin_anew(struct token *token, int *tries);

/* FAULT_REFUSED for a token that can only be read. */
int token_check_writable(const struct token *token, struct fault *f);

/* The URI of something in the token, as the user would name it. */
int token_uri_of(const struct token *token, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *label,
	const CK_ATTRIBUTE *id, char **ret_uri, struct fault *f);

/* pin.c */

/* Whether a pin-source is one, without reading it. */
int pin_source_check(const char *source, struct fault *f);

/*
 * Whether the PIN of a valid pin-source can be read, where it is a file. A credential's file is
 * there only in systemd's service: elsewhere it is not looked for.
 *
 * Returns 0; else FAULT_CONFIG, FAULT_IO, FAULT_NOMEM.
 */
int pin_source_look(const char *source, struct fault *f);

/*
 * Reads the PIN; a secret.
 *
 * source  as in struct token_source
 * label   of the token, for the prompt
 */
int pin_read(const char *source, const char *label, char **ret_pin, struct fault *f);

/* login.c */

/* Whether a return value is one that a new login may mend. */
bool login_may_mend(CK_RV rv);

/* object.c: one object's attributes, and writing objects */

/*
 * An object's handle and names, copied.
 */
struct object {
	CK_OBJECT_HANDLE handle;
	CK_OBJECT_CLASS class;
	CK_ATTRIBUTE label, id;
};

/* Reads them; an attribute that the object has not, or does not show, is empty. */
int object_read(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
	struct object *ret_object, struct fault *f);

void object_clear(struct object *object);

/*
 * An attribute's value, to be freed with free(); length 0 and NULL when the object has none.
 */
int attribute_read(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
	CK_ATTRIBUTE_TYPE type, CK_ATTRIBUTE *ret_value, struct fault *f);

/* A CK_BBOOL; `missing` when the object has none. */
bool attribute_is_true(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
	CK_ATTRIBUTE_TYPE type, bool missing);

/* A CK_ULONG; CK_UNAVAILABLE_INFORMATION when the object has none. */
CK_ULONG attribute_number(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
	CK_ATTRIBUTE_TYPE type);

static inline void
auto_attribute(CK_ATTRIBUTE *attribute)
{
	free(attribute->pValue);
}

/* Destroys an object; waits out another process that writes to a TPM's store. */
CK_RV object_destroy(struct token *token, CK_OBJECT_HANDLE handle);

/* Creates one, the same way. */
CK_RV object_create(
	struct token *token, CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *ret_handle);

/* find.c */

struct handles {
	CK_OBJECT_HANDLE *items;
	size_t n;
};

void handles_clear(struct handles *handles);

/* The handles of what a template matches; FAULT_REFUSED for more than OBJECTS_MAX. */
int handles_find(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_ATTRIBUTE *template,
	CK_ULONG n, struct handles *ret_handles, struct fault *f);

struct objects {
	struct object *items;
	size_t n;
};

void objects_clear(struct objects *objects);

/* The objects that a template matches, by label and id. */
int objects_find(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_ATTRIBUTE *template,
	CK_ULONG n, struct objects *ret_objects, struct fault *f);

/* Those of a class; those with this CKA_ID; those that the token's URI names by object and id. */
int objects_of_class(
	struct token *token, CK_OBJECT_CLASS class, struct objects *ret_objects, struct fault *f);
int objects_with_id(struct token *token, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *id,
	struct objects *ret_objects, struct fault *f);
int objects_named(
	struct token *token, CK_OBJECT_CLASS class, struct objects *ret_objects, struct fault *f);

/*
 * The only one of those found for the token's URI, which it takes over.
 *
 * Returns 0; else FAULT_NOTFOUND with the attribute that nothing has and what is there,
 * FAULT_AMBIGUOUS with what matches, FAULT_TOKEN.
 */
int object_only(struct token *token, CK_OBJECT_CLASS class, struct objects *found,
	struct objects *ret_one, struct fault *f);

/* The only one of a class that the token's URI names, as object_only(). */
int object_named(
	struct token *token, CK_OBJECT_CLASS class, struct objects *ret_one, struct fault *f);

/* "object=device;id=%01" into a buffer of at least 8 bytes; what does not fit becomes "...". */
int object_name(const struct object *object, char *text, size_t size, struct fault *f);

/* public.c */

/*
 * The public key that an object itself shows: a public key, or a private one that has its public
 * half too.
 *
 * Returns 0; else FAULT_NOTFOUND when it does not show it, FAULT_INVALID for a kind of key that we
 * do not use, FAULT_TOKEN.
 */
int public_shown(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
	EVP_PKEY **ret_key, struct fault *f);

/*
 * The public half of a private or public key as an ordinary EVP_PKEY, from the key itself or from
 * the public key or certificate with its id.
 *
 * Returns 0; else FAULT_AMBIGUOUS when different ones have its id, as public_shown().
 */
int public_of(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const struct object *key,
	EVP_PKEY **ret_key, struct fault *f);

/*
 * The same for a private key after a login. If names do not decide, the key signs a random number:
 * its public half is that of the public key or certificate that verifies the signature.
 *
 * Returns as public_of() and prove().
 */
int public_proven(struct token *t, const struct object *key, EVP_PKEY **ret_key, struct fault *f);

/* Whether two keys have the same public half. Either may be a token's. */
bool public_equal(const EVP_PKEY *a, const EVP_PKEY *b);

/* prove.c */

/*
 * Which of some public keys belongs to a private EC key: the one that verifies what it signs.
 *
 * Returns 0; else FAULT_NOTFOUND when none does, FAULT_REFUSED when the key wants the PIN for it,
 * FAULT_TOKEN.
 */
int prove(struct token *t, const struct object *key, EVP_PKEY *const *candidates, size_t n,
	size_t *ret_which, struct fault *f);

/* key.c */

/* The token that a key was lent from; NULL for any other key. */
struct token *token_of(const EVP_PKEY *key);

/* Ends the libp11 side of a module; no key is out. NULL is allowed. */
void libp11_close(struct libp11 *libp11);

/* identity.c */

/*
 * The private key that the token's URI names: by its own object and id, or as the one that belongs
 * to the public key or certificate that a URI with such a type names.
 *
 * Returns 0; else as object_only().
 */
int private_key_named(struct token *t, struct objects *ret_one, struct fault *f);

/* cert.c: certificates in the token */

int certificate_of(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
	X509 **ret_cert, struct fault *f);

/* "CN = gw1", for people; what does not fit is cut. Returns the text. */
const char *certificate_subject(const X509 *cert, char *text, size_t size);

struct certificate {
	struct object object;
	X509 *cert;
};

struct certificates {
	struct certificate *items;
	size_t n;
};

void certificates_clear(struct certificates *certificates);

/*
 * The certificates that the token's URI names; those with a key's id that are for a public key, or
 * for any if it is NULL; all that are for a public key. What does not parse is skipped.
 */
int certificates_named(struct token *t, struct certificates *ret, struct fault *f);
int certificates_with_id(struct token *t, const struct object *key, const EVP_PKEY *public,
	struct certificates *ret, struct fault *f);
int certificates_for(
	struct token *t, const EVP_PKEY *public, struct certificates *ret, struct fault *f);

/* Whether all are for the same key. */
bool certificates_alike(const struct certificates *certificates);

/* The one that ends last; NULL when there is none. */
struct certificate *certificates_latest(const struct certificates *certificates);

/* Writes one beside a key, with the key's label and id. */
int certificate_write(struct token *t, const struct object *key, X509 *cert, struct fault *f);

/* cert_find.c */

/*
 * The key that the token's URI names, as far as the token shows it: private, else public.
 *
 * ret_public  NULL when it is not known
 *
 * Returns 0; else as object_only().
 */
int key_visible(struct token *t, struct objects *ret_one, EVP_PKEY **ret_public, struct fault *f);

/* Fills in FAULT_INVALID for a certificate that is not this key's. Returns -1. */
int certificate_foreign(const X509 *cert, const struct object *key, struct fault *f);

/* about.c: what a token holds, for people */

/* A copy of a label as UTF-8, with '?' for other bytes; free with free(). NULL: no memory. */
char *about_text(const void *bytes, size_t len);

/* "CN = gw1, until 2027-01-01", into a buffer of at least 64 bytes. */
void about_certificate(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
	char *about, size_t size);

/* "EC P-256", from the object alone: a search for each of thousands of keys takes too long. */
void about_key(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
	char *about, size_t size);

#endif
