/* template: texts in which {name} stands for a value. Pure. */
#ifndef GATEWAY_TEMPLATE_H
#define GATEWAY_TEMPLATE_H

#include <stdbool.h>

#include "base/fault.h"

/* One name and the value it stands for; the last one's name is NULL. */
struct template_value {
	const char *name;
	const char *value;
};

/*
 * Replaces each {name}, once: braces in a value are copied. "{{" stands for one brace.
 *
 * values    a NULL value is a name that may not be used
 * ret_text  free with free()
 *
 * Returns 0; else FAULT_CONFIG naming what is unknown or has no value, FAULT_NOMEM.
 */
int template_expand(
	const char *text, const struct template_value *values, char **ret_text, struct fault *f);

/* The same for a text or values that are secrets: ret_secret is freed with secret_free(). */
int template_expand_secret(
	const char *text, const struct template_value *values, char **ret_secret, struct fault *f);

/* Whether {name} is in a text. */
bool template_has(const char *text, const char *name);

#endif
