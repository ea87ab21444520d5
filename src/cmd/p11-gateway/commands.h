/* commands: what the subcommands of p11-gateway share: their entries, and opening the token. */
#ifndef CMD_P11_GATEWAY_COMMANDS_H
#define CMD_P11_GATEWAY_COMMANDS_H

#include <stddef.h>
#include <time.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/command.h"
#include "base/fault.h"
#include "token/token.h"

extern const struct command command_tokens;
extern const struct command command_keygen;
extern const struct command command_csr;
extern const struct command command_selfsign;
extern const struct command command_pubkey;
extern const struct command command_cert_import;
extern const struct command command_cert_export;
extern const struct command command_cert_show;
extern const struct command command_cert_delete;
extern const struct command command_jwt;
extern const struct command command_publish;
extern const struct command command_status;
extern const struct command command_spool_show;
extern const struct command command_spool_list;
extern const struct command command_spool_export;
extern const struct command command_spool_forget;

/* Its table is filled from the gateway's when it is called. */
struct command command_run(void);

/* Where the key is, and how to get at it; the first member of every command's values. */
struct token_options {
	char *key;
	char *module;
	char *pin_source;
};

#define TOKEN_SOURCE_SETTINGS \
	{"module", 0, SETTING_TEXT, offsetof(struct token_options, module), \
		.env = "P11_GATEWAY_MODULE", .value = "FILE", \
		.help = "PKCS#11 module; without it all that p11-kit knows"}, \
	{ \
		"pin-source", 0, SETTING_TEXT, offsetof(struct token_options, pin_source), \
			.env = "P11_GATEWAY_PIN_SOURCE", .value = "SOURCE", \
			.help = "where the PIN is: file:PATH, env:NAME, credential:NAME, " \
				"terminal" \
	}

#define TOKEN_SETTINGS \
	{"key", 'k', SETTING_TEXT, offsetof(struct token_options, key), .env = "P11_GATEWAY_KEY", \
		.value = "URI", .help = "the key, as a PKCS#11 URI (RFC 7512)"}, \
		TOKEN_SOURCE_SETTINGS

/* The source that token_open() takes, with warnings going to the log. */
struct token_source token_source_of(const struct token_options *options);

/*
 * Opens the token that --key names.
 *
 * Returns as token_open(); FAULT_USAGE without --key.
 */
int open_token(const struct token_options *options, struct token **ret_token, struct fault *f);

/*
 * Does something with the private key that --key names, as token_use_key() does.
 *
 * use   does it; `with` is the caller's
 *
 * Returns 0; else as token_use_key(); FAULT_USAGE without --key.
 */
int use_key(const struct token_options *options,
	int (*use)(EVP_PKEY *key, void *with, struct fault *f), void *with, struct fault *f);

/*
 * Adds the certificate beside the key that --key names to a token's header, as x5c.
 *
 * ret_cert  receives it, for the caller to see that it is the key's; free with X509_free()
 *
 * Returns 0; else FAULT_NOTFOUND when the token holds none, FAULT_INVALID when it is too large, as
 * open_token() and token_certificate().
 */
int add_x5c(const struct token_options *options, json_t *header, X509 **ret_cert, struct fault *f);

/* FAULT_USAGE when a setting that the command cannot do without has no value. */
int require(const char *name, const char *value, struct fault *f);

/* Writes text to a file, or to standard output when path is NULL or "-". */
int put_text(const char *path, const char *text, struct fault *f);

/* Writes JSON, for people to read too, and a line end to standard output. */
int put_json(const json_t *json, struct fault *f);

/* The same in one line. */
int put_json_line(const json_t *json, struct fault *f);

/*
 * Makes each string and each name in JSON fit to print as text: what follows may print any of them.
 *
 * Returns 0; else FAULT_NOMEM.
 */
int make_fit(json_t *json, struct fault *f);

#endif
