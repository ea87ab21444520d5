/* waker: the thread that makes a broker without a clock call us, without the broker. */
#include "config.h"

#include "unit.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "plugin/waker.h"
#include "soft-dir.h"

/* Longer than anything here takes. */
#define PATIENCE_S 20

struct context {
	char dir[64], folder[80], path[96];
	struct waker *waker;
};

/* The file's folder is not there yet. */
static int
setup(void **state)
{
	static struct context context;
	struct context *c = &context;
	struct fault f = FAULT_INIT;

	*c = (struct context){.dir = "/tmp/p11gw-waker.XXXXXX"};
	assert_non_null(mkdtemp(c->dir));
	snprintf(c->folder, sizeof(c->folder), "%s/later", c->dir);
	snprintf(c->path, sizeof(c->path), "%s/later/registry.db", c->dir);
	assert_ok(waker_new(c->path, &c->waker, &f), &f);
	*state = c;
	return 0;
}

static int
teardown(void **state)
{
	struct context *c = *state;

	waker_free(c->waker);
	return remove_dir(c->dir);
}

static bool
is_woken(int within_s)
{
	sigset_t hup;

	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	return sigtimedwait(&hup, NULL, &(struct timespec){.tv_sec = within_s}) == SIGHUP;
}

static int
wait_for_fault(struct waker *waker, struct fault *f)
{
	for (int i = 0; i < PATIENCE_S * 100; i++) {
		if (waker_called(waker, f))
			return -1;
		usleep(10000);
	}
	return 0;
}

static void
a_file_that_cannot_be_opened_is_told_once_and_opened_later(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;

	assert_ok(waker_called(c->waker, &f), &f);
	assert_fault(wait_for_fault(c->waker, &f), &f, FAULT_NOTFOUND);
	assert_int_equal(waker_called(c->waker, &f), 0);
	waker_set_due(c->waker, 1);
	assert_true(is_woken(PATIENCE_S));
	waker_set_due(c->waker, 0);
	while (is_woken(2))
		;
	assert_int_equal(mkdir(c->folder, 0700), 0);
	assert_true(is_woken(PATIENCE_S));
	assert_int_equal(waker_called(c->waker, &f), 0);
}

static void
changes_that_cannot_be_read_wake_the_broker(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	sqlite3 *db;

	assert_int_equal(mkdir(c->folder, 0700), 0);
	assert_ok(waker_called(c->waker, &f), &f);
	assert_true(is_woken(PATIENCE_S));
	assert_int_equal(sqlite3_open(c->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP TABLE changes", NULL, NULL, NULL), SQLITE_OK);
	assert_true(is_woken(PATIENCE_S));
	sqlite3_close(db);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_file_that_cannot_be_opened_is_told_once_and_opened_later, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			changes_that_cannot_be_read_wake_the_broker, setup, teardown),
	};
	sigset_t hup;

	/* It waits for is_woken(). */
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	sigprocmask(SIG_BLOCK, &hup, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
