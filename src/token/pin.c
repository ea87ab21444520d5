#include "config.h"

#include "token/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ui.h>

#include "base/file.h"

AUTO_DEFINE(ui, UI, UI_free);

static const char *
after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* The path in "file:PATH", "file:///PATH" or "PATH"; NULL when it is none of them. */
static const char *
path_of(const char *source)
{
	const char *path = after(source, "file:");

	if (!path)
		return *source == '|' ? NULL : source;
	if (strncmp(path, "//", 2) == 0)
		path = path[2] == '/' ? path + 2 : "";
	return *path ? path : NULL;
}

static bool
is_name(const char *text)
{
	return *text && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789._-") == strlen(text);
}

int
pin_source_check(const char *source, struct fault *f)
{
	const char *name = after(source, "env:");

	if (!name)
		name = after(source, "credential:");
	if (strcmp(source, "terminal") == 0 || (name && is_name(name)) ||
		(!name && path_of(source)))
		return 0;
	/* Not quoted: who mistakes this setting for the PIN itself writes the PIN here. */
	return fault_set(f, FAULT_CONFIG,
		"pin-source is none of file:PATH, env:NAME, credential:NAME, terminal");
}

static int
from_environment(const char *name, char **ret_pin, struct fault *f)
{
	const char *value = getenv(name);

	if (!value || !*value)
		return fault_set(
			f, FAULT_CONFIG, "the PIN is not in the environment variable '%s'", name);
	if (strlen(value) > PIN_MAX)
		return fault_set(f, FAULT_CONFIG, "the PIN in '%s' is too long", name);
	*ret_pin = secret_dup(value);
	return *ret_pin ? 0 : fault_nomem(f);
}

static int
from_file(const char *path, char **ret_pin, struct fault *f)
{
	if (file_read_secret(path, PIN_MAX, ret_pin, f) == 0)
		return 0;
	/* Nobody has to fix what may pass, such as too many open files. */
	if (f && f->code != FAULT_NOMEM &&
		(f->code != FAULT_IO || f->native == EACCES || f->native == EISDIR))
		f->code = FAULT_CONFIG;
	return fault_prefix(f, "no PIN");
}

/* The file of systemd's LoadCredential=; the caller frees the path. */
static int
credential_path(const char *name, char **ret_path, struct fault *f)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	if (!folder || !*folder)
		return fault_set(f, FAULT_CONFIG,
			"no PIN: $CREDENTIALS_DIRECTORY is not set (systemd's "
			"LoadCredential=%s:FILE)",
			name);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return fault_set(f, FAULT_CONFIG, "'%s' is no credential's name", name);
	if (asprintf(ret_path, "%s/%s", folder, name) < 0)
		return fault_nomem(f);
	return 0;
}

int
pin_source_look(const char *source, struct fault *f)
{
	AUTO(auto_free) char *of_credential = NULL;
	AUTO(auto_secret) char *pin = NULL;
	const char *name = after(source, "credential:"), *path = NULL;
	struct stat st;

	if (name && getenv("CREDENTIALS_DIRECTORY")) {
		if (credential_path(name, &of_credential, f))
			return -1;
		path = of_credential;
	} else if (!name && !after(source, "env:") && strcmp(source, "terminal") != 0) {
		path = path_of(source);
	}
	/* What is read from a pipe is gone after that. */
	if (!path || (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return 0;
	return from_file(path, &pin, f);
}

static bool
has_terminal(void)
{
	AUTO(auto_fd) int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd >= 0 && isatty(fd);
}

/* OpenSSL's own prompt: on /dev/tty, without echo, which it restores when a signal comes. */
static int
from_terminal(const char *label, char **ret_pin, struct fault *f)
{
	AUTO(auto_ui) UI *ui = UI_new_method(UI_OpenSSL());
	AUTO(auto_secret) char *pin = secret_alloc(PIN_MAX + 1);
	char prompt[96];

	if (!ui || !pin)
		return fault_nomem(f);
	snprintf(prompt, sizeof(prompt), "PIN of token '%s': ", label);
	for (char *p = prompt; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
	if (UI_add_input_string(ui, prompt, 0, pin, 1, PIN_MAX) < 0 || UI_process(ui) < 0)
		return fault_set(f, FAULT_CANCELLED, "no PIN was entered");
	*ret_pin = TAKE(pin);
	return 0;
}

static int
from_where_it_may_be(const char *label, char **ret_pin, struct fault *f)
{
	AUTO(auto_free) char *path = NULL;

	if (credential_path("pin", &path, f) == 0 && access(path, F_OK) == 0)
		return from_file(path, ret_pin, f);
	if (has_terminal())
		return from_terminal(label, ret_pin, f);
	return fault_set(f, FAULT_CONFIG,
		"no PIN for token '%s': set pin-source to file:PATH, env:NAME or credential:NAME",
		label);
}

int
pin_read(const char *source, const char *label, char **ret_pin, struct fault *f)
{
	AUTO(auto_free) char *path = NULL;
	const char *name;

	if (!source)
		return from_where_it_may_be(label, ret_pin, f);
	name = after(source, "env:");
	if (name)
		return from_environment(name, ret_pin, f);
	name = after(source, "credential:");
	if (name) {
		if (credential_path(name, &path, f))
			return -1;
		return from_file(path, ret_pin, f);
	}
	if (strcmp(source, "terminal") != 0)
		return from_file(path_of(source), ret_pin, f);
	if (!has_terminal())
		return fault_set(f, FAULT_CONFIG,
			"no PIN for token '%s': there is no terminal to ask on", label);
	return from_terminal(label, ret_pin, f);
}
