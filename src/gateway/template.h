/* template: texts in which {name} stands for a value. Pure. */
#ifndef GATEWAY_TEMPLATE_H
#define GATEWAY_TEMPLATE_H

#include "base/fault.h"

/* One name and what it stands for; the last one's name is NULL. */
struct template_value {
	const char *name;
	const char *value;
};

/*
 * Replaces each {name}; "{{" stands for one brace.
 *
 * values    a NULL value is a name that may not be used
 * ret_text  free with free()
 *
 * Returns 0; else FAULT_CONFIG naming what is not known or has no value, FAULT_NOMEM.
 */
int template_expand(
	const char *text, const struct template_value *values, char **ret_text, struct fault *f);

#endif
