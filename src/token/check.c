#include "config.h"

#include "token/inside.h"

#include <string.h>
#include <unistd.h>

/* A module is named by its path, or by a name that only p11-kit can find. */
static int
check_module(const char *module, struct fault *f)
{
	if (!module || !strchr(module, '/') || access(module, R_OK) == 0)
		return 0;
	fault_errno(f, "cannot read the PKCS#11 module '%s'", module);
	if (f)
		f->code = FAULT_CONFIG;
	return -1;
}

static int
check_pin_source(const char *source, struct fault *f)
{
	if (!source || !*source)
		return 0;
	return pin_source_check(source, f) || pin_source_look(source, f) ? -1 : 0;
}

int
token_check(const char *uri, const struct token_source *source, struct fault *f)
{
	AUTO(auto_uri) P11KitUri *parsed = NULL;

	if (uri && (uri_parse(uri, &parsed, f) ||
			   check_module(p11_kit_uri_get_module_path(parsed), f) ||
			   check_pin_source(p11_kit_uri_get_pin_source(parsed), f)))
		return -1;
	if (source && (check_module(source->module, f) || check_pin_source(source->pin_source, f)))
		return -1;
	return 0;
}
