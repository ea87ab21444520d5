/* name: distinguished names and subject alternative names as people write them in commands. */
#ifndef PKI_NAME_H
#define PKI_NAME_H

#include <stddef.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/auto.h"
#include "base/fault.h"

/*
 * Reads "/CN=gw1/O=Acme" (openssl req -subj's form; a '/' or '\' in a value is escaped with '\').
 * Values are UTF-8, encoded as the attribute wants, within its bounds (RFC 5280 appendix A).
 *
 * ret_name  receives the name; free with X509_NAME_free()
 *
 * Returns 0; else FAULT_USAGE naming the part that is wrong, FAULT_NOMEM.  Threads: any.
 */
int name_parse(const char *text, X509_NAME **ret_name, struct fault *f);

/*
 * Reads alternative names: "dns:gw1.example.com", "ip:192.0.2.1", "uri:urn:dev:1",
 * "email:ops@example.com". Each is checked for its type's syntax; nothing of OpenSSL's
 * configuration language is interpreted.
 *
 * ret_names  receives them; free with GENERAL_NAMES_free(); NULL when n is 0
 *
 * Returns 0; else FAULT_USAGE naming the one that is wrong, FAULT_NOMEM.  Threads: any.
 */
int name_parse_alternatives(
	char *const *items, size_t n, GENERAL_NAMES **ret_names, struct fault *f);

/*
 * The name in one line for people, RFC 2253 order reversed as openssl prints it ("CN = gw1").
 *
 * ret_text  receives it; free with free()
 */
int name_text(const X509_NAME *name, char **ret_text, struct fault *f);

AUTO_DEFINE(general_names, GENERAL_NAMES, GENERAL_NAMES_free);

#endif
