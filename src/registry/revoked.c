#include "config.h"

#include "registry/revoked.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "pki/cert.h"
#include "registry/cas.h"

#define FILES_MAX 32

/* What tells one content of a file from the next; all zero for a file that is not there. */
struct stamp {
	ino_t inode;
	off_t size;
	struct timespec written;
	struct timespec changed;
};

/*
 * stamp     of what was last tried
 * lists     the last that could be used
 * untold    what the log does not know yet; code FAULT_NONE when nothing
 * strange   what is there now is signed by no CA we know, so that `lists` is older than it
 * told_late that the lists are past their next update
 */
struct file {
	char *path;
	struct stamp stamp;
	struct crls *lists;
	struct fault untold;
	bool strange;
	bool told_late;
};

/*
 * cas         of all registries
 * n_cas, newest_ca  tell one set of them from the next: a row's number is never used again
 * stale       the file changed: they may be others now
 * changed     since registry_reread_crls() last said so
 */
struct revoked {
	struct file files[FILES_MAX];
	size_t n;
	STACK_OF(X509) * cas;
	int64_t n_cas;
	int64_t newest_ca;
	bool stale;
	bool changed;
};

static void
strange(struct file *file)
{
	fault_set(&file->untold, FAULT_INVALID,
		"'%s': no registry's CA signed these revocation lists: they do not count",
		file->path);
}

static void
trust(const struct revoked *revoked, struct crls *lists)
{
	for (int i = 0; i < sk_X509_num(revoked->cas); i++)
		crls_trust(lists, sk_X509_value(revoked->cas, i));
}

static void
trust_again(struct revoked *revoked, struct file *file)
{
	size_t before = crls_trusted(file->lists);

	crls_distrust(file->lists);
	trust(revoked, file->lists);
	if (before && !crls_trusted(file->lists))
		strange(file);
	/* What no CA had signed may be a new one's. */
	if (file->strange)
		memset(&file->stamp, 0, sizeof(file->stamp));
	revoked->changed = true;
}

/* Brings up to date which CAs there are, and which lists count for that. */
static int
refresh(struct registry *r, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_certs) STACK_OF(X509) *cas = NULL;
	struct revoked *revoked = r->revoked;
	int64_t n, newest;
	bool row;

	if (!revoked->stale)
		return 0;
	if (db_prepare(r, "SELECT count(*), coalesce(max(id), 0) FROM registry_cas", &q, f, "") ||
		db_step(r, q, &row, f))
		return -1;
	n = sqlite3_column_int64(q, 0);
	newest = sqlite3_column_int64(q, 1);
	if (!revoked->cas || n != revoked->n_cas || newest != revoked->newest_ca) {
		if (cas_read(r, 0, &cas, f))
			return -1;
		sk_X509_pop_free(revoked->cas, X509_free);
		revoked->cas = TAKE(cas);
		revoked->n_cas = n;
		revoked->newest_ca = newest;
		for (size_t i = 0; i < revoked->n; i++) {
			trust_again(revoked, &revoked->files[i]);
		}
	}
	revoked->stale = false;
	return 0;
}

static struct stamp
stamp_of(const char *path)
{
	struct stamp stamp;
	struct stat about;

	/* Padding too: stamps are compared as bytes. */
	memset(&stamp, 0, sizeof(stamp));
	if (stat(path, &about) == 0) {
		stamp.inode = about.st_ino;
		stamp.size = about.st_size;
		stamp.written = about.st_mtim;
		stamp.changed = about.st_ctim;
	}
	return stamp;
}

static int
read_lists(const char *path, struct crls **ret, struct fault *f)
{
	AUTO(auto_free) char *data = NULL;
	size_t len;

	/* A pipe would hold up the broker. */
	if (file_read_regular(path, CRL_MAX, &data, &len, f))
		return -1;
	if (crls_read(data, len, ret, f))
		return fault_prefix(f, "'%s'", path);
	return 0;
}

/* Reads a file's lists; what was there before is kept when the new cannot be used. */
static int
load(struct revoked *revoked, struct file *file, struct fault *f)
{
	AUTO(auto_crls) struct crls *lists = NULL;
	struct crls *old = file->lists;

	if (read_lists(file->path, &lists, f))
		return old ? fault_prefix(f, "the revocation lists read before still count") : -1;
	trust(revoked, lists);
	file->strange = crls_trusted(lists) == 0;
	if (file->strange && old && crls_trusted(old))
		return fault_set(f, FAULT_INVALID,
			"'%s': no registry's CA signed these revocation lists: the ones before "
			"still count",
			file->path);
	if (file->strange)
		strange(file);
	file->lists = TAKE(lists);
	file->told_late = false;
	revoked->changed = true;
	crls_free(old);
	return 0;
}

static void
reread(struct revoked *revoked, struct file *file)
{
	struct stamp stamp = stamp_of(file->path);

	if (memcmp(&stamp, &file->stamp, sizeof(stamp)) == 0)
		return;
	file->stamp = stamp;
	file->untold.code = FAULT_NONE;
	load(revoked, file, &file->untold);
}

static void
check_late(struct file *file, time_t now)
{
	time_t next = crls_next_update(file->lists);
	char date[32];
	struct tm tm;

	if (file->told_late || file->untold.code || next == 0 || next > now)
		return;
	if (!gmtime_r(&next, &tm) || !strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%SZ", &tm))
		strcpy(date, "an impossible date");
	fault_set(&file->untold, FAULT_PRECONDITION,
		"'%s': a revocation list should have been replaced by %s: it still counts",
		file->path, date);
	file->told_late = true;
}

int
registry_set_crl_file(struct registry *registry, const char *path, struct fault *f)
{
	struct revoked *revoked = registry->revoked;
	struct file file = {.path = NULL};

	if (!revoked) {
		revoked = registry->revoked = calloc(1, sizeof(*revoked));
		if (!revoked)
			return fault_nomem(f);
		revoked->stale = true;
	}
	if (revoked->n == FILES_MAX)
		return fault_set(f, FAULT_CONFIG,
			"more than %d files of revocation lists: put several lists into one",
			FILES_MAX);
	if (refresh(registry, f))
		return -1;
	file.path = strdup(path);
	if (!file.path)
		return fault_nomem(f);
	file.stamp = stamp_of(path);
	if (load(revoked, &file, f)) {
		free(file.path);
		if (f && f->code != FAULT_NOMEM)
			f->code = FAULT_CONFIG;
		return -1;
	}
	revoked->files[revoked->n++] = file;
	return 0;
}

int
registry_reread_crls(struct registry *registry, time_t now, bool *ret_changed, struct fault *f)
{
	struct revoked *revoked = registry->revoked;

	*ret_changed = false;
	if (!revoked)
		return 0;
	if (refresh(registry, f))
		return -1;
	for (size_t i = 0; i < revoked->n; i++) {
		reread(revoked, &revoked->files[i]);
		check_late(&revoked->files[i], now);
	}
	*ret_changed = revoked->changed;
	revoked->changed = false;
	for (size_t i = 0; i < revoked->n; i++) {
		struct fault *untold = &revoked->files[i].untold;

		if (untold->code == FAULT_NONE)
			continue;
		fault_set(f, untold->code, "%s", untold->text);
		untold->code = FAULT_NONE;
		return -1;
	}
	return 0;
}

int
revoked_check(struct registry *r, X509 *cert, bool *ret_revoked, struct fault *f)
{
	bool held = false;

	if (r->revoked && refresh(r, f))
		return -1;
	for (size_t i = 0; r->revoked && i < r->revoked->n && !held; i++)
		held = crls_hold(r->revoked->files[i].lists, cert);
	*ret_revoked = held;
	return 0;
}

int
revoked_may_be(struct registry *r, const struct crl_id *id, bool *ret_may_be, struct fault *f)
{
	bool may_be = false;

	if (r->revoked && refresh(r, f))
		return -1;
	for (size_t i = 0; r->revoked && i < r->revoked->n && !may_be; i++)
		may_be = crls_may_hold(r->revoked->files[i].lists, id);
	*ret_may_be = may_be;
	return 0;
}

void
revoked_look_again(struct registry *r)
{
	if (r->revoked)
		r->revoked->stale = true;
}

void
revoked_free(struct registry *r)
{
	if (!r->revoked)
		return;
	for (size_t i = 0; i < r->revoked->n; i++) {
		free(r->revoked->files[i].path);
		crls_free(r->revoked->files[i].lists);
	}
	sk_X509_pop_free(r->revoked->cas, X509_free);
	free(r->revoked);
	r->revoked = NULL;
}
