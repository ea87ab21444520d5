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

/* Objects of one kind that a search takes. */
#define FOUND_MAX 256

/* uri.c */

AUTO_DEFINE(uri, P11KitUri, p11_kit_uri_free);

/*
 * Parses a URI and refuses what the contract of token.h does not name. Values are never quoted in
 * a fault: one may be a PIN.
 *
 * Returns 0; else FAULT_USAGE, FAULT_NOMEM.  Threads: any.
 */
int uri_parse(const char *text, P11KitUri **ret_uri, struct fault *f);

/* What a URI that we write names; NULL and CK_UNAVAILABLE_INFORMATION leave a part out. */
struct uri_parts {
	const CK_TOKEN_INFO *token;
	const CK_ATTRIBUTE *label, *id;
	CK_OBJECT_CLASS class;
	const char *module_path, *module_name;
};

/* Writes one; a serial number of zeros only is left out, for it tells no token from another. */
int uri_format(const struct uri_parts *parts, char **ret_text, struct fault *f);

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

/*
 * Calls visit for each initialised token of a module that the URI matches, until it returns
 * non-zero, which is then returned.
 *
 * tries  as of module_begin_anew, which is done while no token matches
 */
typedef int slot_visit(const struct module *module, CK_SLOT_ID slot, const CK_TOKEN_INFO *info,
	void *with, struct fault *f);
int slots_each(struct module *module, P11KitUri *uri, slot_visit *visit, void *with, int *tries,
	struct fault *f);

/*
 * The same over all modules that p11-kit knows, but for its stores of trusted certificates and for
 * those that do not start.
 */
int slots_each_everywhere(P11KitUri *uri, slot_visit *visit, void *with, struct fault *f);

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

/* find.c */

/*
 * An object's handle and names, copied.
 */
struct object {
	CK_OBJECT_HANDLE handle;
	CK_OBJECT_CLASS class;
	CK_ATTRIBUTE label, id;
};

struct objects {
	struct object *items;
	size_t n;
};

void objects_clear(struct objects *objects);

/*
 * The objects that a template matches, within FOUND_MAX.
 */
int objects_find(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_ATTRIBUTE *template,
	CK_ULONG n, struct objects *ret_objects, struct fault *f);

/* Those of a class that the token's URI names by object and id. */
int objects_named(
	struct token *token, CK_OBJECT_CLASS class, struct objects *ret_objects, struct fault *f);

/* The only one of a class that the token's URI names; FAULT_NOTFOUND, FAULT_AMBIGUOUS else. */
int object_named(
	struct token *token, CK_OBJECT_CLASS class, struct objects *ret_one, struct fault *f);

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

/* public.c */

/*
 * The public half of a private or public key as an ordinary EVP_PKEY.
 *
 * Returns 0; else FAULT_NOTFOUND when the token does not show it, FAULT_INVALID for a kind of key
 * that we do not use, FAULT_TOKEN.
 */
int public_of(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const struct object *key,
	EVP_PKEY **ret_key, struct fault *f);

/* Whether two keys have the same public half, whatever stands behind them. */
bool public_equal(const EVP_PKEY *a, const EVP_PKEY *b);

/* key.c */

/* The token that a key was lent from; NULL for any other key. */
struct token *token_of(const EVP_PKEY *key);

/* Ends the libp11 side of a module; no key is out. NULL is allowed. */
void libp11_close(struct libp11 *libp11);

/* cert.c */

int certificate_of(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
	X509 **ret_cert, struct fault *f);

#endif
