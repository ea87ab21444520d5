#include "config.h"

#include "token/inside.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "token/ckr.h"

/* How often a module is begun anew, and after which pause. */
#define BEGIN_TRIES    10
#define BEGIN_PAUSE_MS 20

static struct module *modules;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

void
module_lock(void)
{
	pthread_mutex_lock(&mutex);
}

void
module_unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

static void
free_modules(CK_FUNCTION_LIST ***list)
{
	if (*list)
		p11_kit_modules_release(*list);
}

/* What goes wrong is told once, by us; whoever wants the TPM's own words sets the variable. */
void
modules_quiet(void)
{
	p11_kit_be_quiet();
	setenv("TSS2_LOG", "all+NONE", 0);
}

static void
know_kind(struct module *m)
{
	CK_INFO info;

	if (m->api->C_GetInfo(&info) != CKR_OK)
		return;
	m->tpm = memmem(info.libraryDescription, sizeof(info.libraryDescription), "TPM", 3) ||
		 memmem(info.manufacturerID, sizeof(info.manufacturerID), "tpm2", 4);
	m->torn = memmem(info.manufacturerID, sizeof(info.manufacturerID), "SoftHSM", 7) != NULL;
}

static void
module_end(struct module *m)
{
	libp11_close(m->libp11);
	if (m->api) {
		/* libp11 has finalized it already: p11-kit only has to forget it. */
		p11_kit_module_finalize(m->api);
		p11_kit_module_release(m->api);
	}
	free(m->path);
	free(m);
}

static int
module_start(const char *path, struct module **ret_module, struct fault *f)
{
	struct module *m;
	CK_FUNCTION_LIST *api;
	CK_RV rv;

	modules_quiet();
	api = p11_kit_module_load(path, 0);
	if (!api)
		return fault_set(f, FAULT_NOTFOUND,
			"cannot load the PKCS#11 module '%s': see that the file is there", path);
	rv = p11_kit_module_initialize(api);
	if (rv != CKR_OK) {
		p11_kit_module_release(api);
		fault_pkcs11(f, "C_Initialize", rv);
		return fault_prefix(f, "module '%s' does not start", path);
	}
	m = calloc(1, sizeof(*m));
	if (m) {
		m->api = api;
		m->refs = 1;
		m->path = p11_kit_module_get_filename(api);
		if (!m->path)
			m->path = strdup(path);
		know_kind(m);
	}
	if (!m || !m->path) {
		p11_kit_module_finalize(api);
		p11_kit_module_release(api);
		free(m);
		return fault_nomem(f);
	}
	m->next = modules;
	modules = m;
	*ret_module = m;
	return 0;
}

int
module_open(const char *path, struct module **ret_module, struct fault *f)
{
	int status = 0;

	module_lock();
	for (struct module *m = modules; m; m = m->next) {
		if (strcmp(m->path, path) == 0) {
			m->refs++;
			*ret_module = m;
			module_unlock();
			return 0;
		}
	}
	status = module_start(path, ret_module, f);
	module_unlock();
	return status;
}

void
module_close(struct module *module)
{
	if (!module)
		return;
	module_lock();
	if (--module->refs == 0) {
		struct module **at = &modules;

		while (*at != module)
			at = &(*at)->next;
		*at = module->next;
		module_end(module);
	}
	module_unlock();
}

bool
module_begin_anew(struct module *module, int *tries)
{
	struct timespec pause = {0, BEGIN_PAUSE_MS * 1000000L};
	bool begun = false;

	if (!module->torn || ++*tries > BEGIN_TRIES)
		return false;
	nanosleep(&pause, NULL);
	module_lock();
	if (module->refs == 1) {
		libp11_close(module->libp11);
		module->libp11 = NULL;
		p11_kit_module_finalize(module->api);
		begun = p11_kit_module_initialize(module->api) == CKR_OK;
	}
	module_unlock();
	return begun;
}

/* RFC 7512's module-name: the file's name without "lib" and without what follows the dot. */
static bool
is_file_of(const char *path, const char *name)
{
	const char *file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t len = strlen(name);

	if (strncmp(file, "lib", 3) == 0 && strncmp(name, "lib", 3) != 0)
		file += 3;
	return strcmp(file, name) == 0 || (strncmp(file, name, len) == 0 && file[len] == '.');
}

/* The file of a module that p11-kit knows by this name; NULL when it knows none. */
static char *
registered(const char *name)
{
	AUTO(free_modules) CK_FUNCTION_LIST **list = NULL;
	CK_FUNCTION_LIST *module;

	modules_quiet();
	list = p11_kit_modules_load(NULL, 0);
	if (!list)
		return NULL;
	module = p11_kit_module_for_name(list, name);
	if (module)
		return p11_kit_module_get_filename(module);
	for (size_t i = 0; list[i]; i++) {
		AUTO(auto_free) char *path = p11_kit_module_get_filename(list[i]);

		if (path && is_file_of(path, name))
			return TAKE(path);
	}
	return NULL;
}

static int
open_by_name(const char *folder, const char *name, struct module **ret_module, struct fault *f)
{
	static const char *const forms[] = {"%s%s%s.so", "%s%slib%s.so", "%s%s%s"};
	AUTO(auto_free) char *path = folder ? NULL : registered(name);

	if (strchr(name, '/'))
		return fault_set(
			f, FAULT_USAGE, "module-name '%s' is a path: use module-path", name);
	if (path)
		return module_open(path, ret_module, f);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		AUTO(auto_free) char *guess = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (asprintf(&guess, forms[i], folder ? folder : "", folder ? "/" : "", name) < 0) {
			guess = NULL;
			return fault_nomem(f);
		}
#pragma GCC diagnostic pop
		if (module_open(guess, ret_module, f) == 0)
			return 0;
		if (f->code != FAULT_NOTFOUND)
			return -1;
	}
	return fault_set(f, FAULT_NOTFOUND,
		"no PKCS#11 module '%s': give its path, or a name that `p11-kit list-modules` "
		"shows",
		name);
}

int
module_open_named(P11KitUri *uri, const struct token_source *source, struct module **ret_module,
	struct fault *f)
{
	const char *path = p11_kit_uri_get_module_path(uri);
	const char *name = p11_kit_uri_get_module_name(uri);
	struct stat st;

	if (!path && !name && source && source->module && *source->module) {
		if (strchr(source->module, '/'))
			path = source->module;
		else
			name = source->module;
	}
	if (path && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		if (!name)
			return fault_set(f, FAULT_USAGE,
				"module-path '%s' is a folder: name the module's file", path);
		return open_by_name(path, name, ret_module, f);
	}
	if (path)
		return module_open(path, ret_module, f);
	if (name)
		return open_by_name(NULL, name, ret_module, f);
	*ret_module = NULL;
	return 0;
}
