/* token: a PKCS#11 token by its RFC 7512 URI: one module, one PIN, keys lent as EVP_PKEYs. */
#ifndef TOKEN_TOKEN_H
#define TOKEN_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/auto.h"
#include "base/fault.h"

/* Bytes that a CKA_ID or a CKA_LABEL in a URI may have. The longest known have about 200. */
#define TOKEN_NAME_MAX 4096

/* Characters a URI may have: an id and a label of that size, each byte as %XX, and a token. */
#define TOKEN_URI_MAX 32768

/*
 * Where the module and the PIN come from when the URI does not say.
 *
 * module      path of the PKCS#11 module, or its name among p11-kit's; NULL: all that p11-kit knows
 * pin_source  "file:PATH", "PATH", "env:NAME", "credential:NAME" (of $CREDENTIALS_DIRECTORY), or
 *             "terminal"; NULL: $CREDENTIALS_DIRECTORY/pin when that exists, else the terminal
 *             when there is one. The URI's pin-source comes before it and takes the same forms
 * warn        is told, once each, what is unwise in a URI (pin-value); may be NULL
 */
struct token_source {
	const char *module;
	const char *pin_source;
	void (*warn)(const char *text);
};

struct token;

/*
 * Opens the token that a URI names, without logging in. The URI may name an object in it too; that
 * part is for the other calls. A URI that matches several tokens is refused. Values are compared
 * without the spaces and NULs that pad them in a token. A store of SoftHSM's
 * that another process is just writing is read again, here and at each login, for up to 0.2 s.
 *
 * uri        RFC 7512: token, serial, manufacturer, model, object, id, type, slot-id,
 *            slot-description, slot-manufacturer, library-description, library-manufacturer,
 *            library-version; module-path, module-name, pin-source, pin-value; anything else is
 *            refused
 * ret_token  close with token_close()
 *
 * Returns 0; else FAULT_USAGE for a bad URI, FAULT_NOTFOUND when no such module or token is there,
 * with a list of what is there, FAULT_AMBIGUOUS with what tells the matching tokens apart,
 * FAULT_CONFIG for a pin-source that is none, FAULT_TOKEN, FAULT_NOMEM.
 * Blocks: on the module.  Threads: main only; the process must not fork while it is open.
 */
int token_open(const char *uri, const struct token_source *source, struct token **ret_token,
	struct fault *f);

/*
 * Looks, without the token, for what would keep it from being opened and logged in to: a URI that
 * is not valid, a file of a module or of a PIN that cannot be read. What only shows when it is used
 * is not looked at: a module by name, a PIN of the environment, one that is asked for.
 *
 * uri     of which module-path and pin-source are looked at too; NULL: only the source
 * source  NULL: only the URI
 *
 * Returns 0; else FAULT_USAGE for the URI, FAULT_CONFIG for a file or a pin-source, FAULT_IO,
 * FAULT_NOMEM.  Blocks: on the files.  Threads: any.
 */
int token_check(const char *uri, const struct token_source *source, struct fault *f);

/* Logs out and closes. Keys that are still lent keep the module loaded until the last is freed. */
void token_close(struct token *token);

/*
 * Logs in as the user, once; again is no work. The PIN is read when it is first needed, offered
 * once, and wiped. A token that says its next wrong PIN locks it is not offered one. What
 * tpm2-pkcs11 took before in this process is offered to it once more (FAULT_TOKEN), for it blames
 * the PIN for a TPM that fails too.
 *
 * Returns 0; else FAULT_PIN (wrong, too short, or on the last try), FAULT_LOCKED, FAULT_CONFIG
 * when there is no PIN to be had, FAULT_TOKEN.  Blocks: on the terminal, on the module.
 */
int token_login(struct token *token, struct fault *f);

/*
 * Logs out and in again with the PIN that was accepted: frees what a TPM keeps loaded, and is the
 * first thing to do when a lent key's operation failed with FAULT_TOKEN. Get the key anew after
 * it. When it fails too, free the keys, close the token and open it again.
 *
 * Returns 0; else as token_login().  Blocks: as token_login().
 */
int token_relogin(struct token *token, struct fault *f);

/*
 * The private key that the URI given to token_open() names: object and/or id, or the token's only
 * one. With type=public or type=cert, the private key of the public key or certificate that is
 * named. Logs in.
 *
 * ret_key  an EVP_PKEY whose private half stays in the token; free with EVP_PKEY_free(). Its
 *          operations fail with the token's reason in OpenSSL's error queue, where
 *          fault_openssl() finds it: see token_explain(). One thread at a time. Shared with
 *          EVP_PKEY_up_ref(), never copied with EVP_PKEY_dup(): libp11 does not survive that.
 *
 * Returns 0; else FAULT_NOTFOUND, FAULT_AMBIGUOUS with the keys that match, as token_login(),
 * FAULT_INVALID when the key is of a kind we do not use, FAULT_REFUSED when the token has no
 * mechanism to sign with it, FAULT_TOKEN.
 */
int token_private_key(struct token *token, EVP_PKEY **ret_key, struct fault *f);

/*
 * Gives a fault that came from an operation of a lent key (its `native` is then libp11's error)
 * the code and the words of what the token said; leaves any other as it is.
 *
 * Returns -1, always.  Threads: any.
 */
int token_explain(struct fault *f);
#define token_explain(f) fault_failed(token_explain(f))

/*
 * The name of the PKCS#11 return value that a fault came from: "CKR_PIN_INCORRECT", "CKR_OTHER" for
 * one we have no words for, "none" when it came from no call of the token.
 *
 * Returns a static string.  Threads: any.
 */
const char *token_fault_name(const struct fault *f);

/*
 * Opens the token that a URI names, borrows its private key, does something with it and closes;
 * once more after a new login when the token failed, for a TPM may have lost what it had loaded.
 * Whatever became of the token since the last time is healed by this: nothing is kept.
 *
 * use   does it; `with` is the caller's
 *
 * Returns 0; else as token_open(), token_private_key() and `use`.
 * Blocks: on the module.  Threads: one at a time for a process.
 */
int token_use_key(const char *uri, const struct token_source *source,
	int (*use)(EVP_PKEY *key, void *with, struct fault *f), void *with, struct fault *f);

/*
 * Makes a key pair inside the token, private half sensitive and not extractable, and reads that
 * back. Label and id are the URI's; without an id a random one of 16 bytes is made.
 *
 * type     "ec:p256", "ec:p384", "rsa:2048" or "rsa:3072"
 * ret_uri  receives the new key's URI (token, object, id); free with free()
 *
 * Returns 0; else FAULT_EXISTS when a key or certificate of that label or id is there, FAULT_USAGE
 * for a type we do not know or a URI without a label, FAULT_REFUSED when the token cannot make one
 * or makes one that can be extracted, as token_login(). Whatever fails, nothing is left behind.
 */
int token_keygen(struct token *token, const char *type, char **ret_uri, struct fault *f);

/*
 * The certificate of the key that the URI names. Only certificates for the key's public half count:
 * those with the key's CKA_ID, or, if there are none, all in the token. Of several, the one that
 * expires last. With type=cert, or if the key does not exist, the certificate that the URI itself
 * names. Logs in only if it is not found without a login.
 *
 * Returns 0; else FAULT_NOTFOUND, FAULT_AMBIGUOUS, FAULT_INVALID when it does not parse or is for
 * another key, as token_login(), FAULT_TOKEN.
 */
int token_certificate(struct token *token, X509 **ret_cert, struct fault *f);

/*
 * The same for a lent key. To be called before the key's token is closed, which token_use_key()
 * does after `use`; it needs neither a login nor a session of its own.
 *
 * Returns 0; else FAULT_NOTFOUND when there is none, FAULT_TOKEN, FAULT_NOMEM.
 */
int token_key_certificate(EVP_PKEY *key, X509 **ret_cert, struct fault *f);

/*
 * Writes the key's certificate into the token, with the key's label and id, and then removes the
 * key's other certificates. At every moment the key has one. Certificates of other keys stay. If
 * the token holds only the private half of an EC key, a signature shows which certificate is the
 * key's.
 *
 * offered  certificates, in any order; the key's newest is imported, the others are ignored
 * ret_uri  receives the certificate's URI; free with free()
 *
 * Returns 0; else FAULT_NOTFOUND when the key is not there, FAULT_INVALID with their names when
 * none is for the key, FAULT_REFUSED for a token that can only be read, as token_login(),
 * FAULT_TOKEN.
 */
int token_certificate_import(
	struct token *token, const STACK_OF(X509) * offered, char **ret_uri, struct fault *f);

/*
 * Deletes the key's certificates. With type=cert, or if the key does not exist, those that the URI
 * itself names. The key stays.
 *
 * Returns 0; else FAULT_NOTFOUND, FAULT_INVALID if the URI names another key's certificate,
 * FAULT_REFUSED for a token that can only be read, as token_login(), FAULT_TOKEN.
 */
int token_certificate_delete(struct token *token, struct fault *f);

/* What token_list() tells of a token or of an object in it. */
enum token_item_kind {
	TOKEN_ITEM_TOKEN,
	TOKEN_ITEM_PRIVATE_KEY,
	TOKEN_ITEM_PUBLIC_KEY,
	TOKEN_ITEM_CERTIFICATE
};

/*
 * kind      of the item
 * uri       that the other commands take, with module-path when the module is not p11-kit's own
 * label     CKA_LABEL or the token's
 * about     "EC P-256, not extractable", "CN = gw1, until 2027-01-01", "SoftHSM v2, initialised"
 */
struct token_item {
	enum token_item_kind kind;
	const char *uri;
	const char *label;
	const char *about;
	bool extractable; /* private keys only */
	bool sensitive;
	bool local; /* made inside the token */
};

/*
 * Calls `each` for every token that the URI matches (NULL: all) and for the keys and certificates
 * in it. The URI of an item matches only that item. A token or object that cannot be read is left
 * out: source->warn is called with the reason, and the list continues.
 *
 * login  also offer the PIN, to see private keys; FAULT_AMBIGUOUS unless exactly one token matches
 * each   gets a borrowed item; returns 0 to go on
 *
 * Returns 0, also if there is no token at all; else as token_open() and token_login(), or what
 * `each` returned.
 */
int token_list(const char *uri, const struct token_source *source, bool login,
	int (*each)(const struct token_item *item, void *with, struct fault *f), void *with,
	struct fault *f);

AUTO_DEFINE(token, struct token, token_close);

#endif
