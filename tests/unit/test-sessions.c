#include "config.h"

#include "unit.h"

#include <stdlib.h>

#include "base/auto.h"
#include "plugin/sessions.h"

#define N_MANY 5000

/* What a broker's connections are to sessions.c: addresses. */
static char connections[N_MANY];

static void
put(struct sessions *sessions, const void *client, const char *id, time_t until)
{
	struct registry_admission admission = {.device_row = 7, .until = until};
	struct fault f = FAULT_INIT;

	assert_ok(sessions_put(sessions, client, id, &admission, &f), &f);
}

static struct sessions *
fresh(void)
{
	struct sessions *sessions = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(sessions_new(&sessions, &f), &f);
	return sessions;
}

static void
a_connection_is_found_until_it_is_removed(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();

	(void)state;
	assert_null(sessions_find(s, &connections[0]));
	put(s, &connections[0], "a", 10);
	put(s, &connections[1], "b", 10);
	assert_string_equal(sessions_find(s, &connections[0])->client_id, "a");
	assert_string_equal(sessions_find(s, &connections[1])->client_id, "b");
	sessions_remove(s, &connections[0]);
	sessions_remove(s, &connections[0]);
	assert_null(sessions_find(s, &connections[0]));
	assert_int_equal(sessions_count(s), 1);
}

static void
a_connection_let_in_again_has_one_session(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();

	(void)state;
	put(s, &connections[0], "a", 10);
	sessions_end(s, sessions_find(s, &connections[0]));
	put(s, &connections[0], "a", 20);
	assert_int_equal(sessions_count(s), 1);
	assert_int_equal(sessions_find(s, &connections[0])->admission.until, 20);
	assert_null(sessions_expired(s, 19));
	assert_null(sessions_take_ended(s));
}

/* A takeover: the new connection is let in before the old one is gone. */
static void
only_the_newest_of_a_client_id_is_the_newest(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();

	(void)state;
	put(s, &connections[0], "a", 10);
	put(s, &connections[1], "a", 10);
	for (int i = 2; i < 1000; i++) {
		char id[16];

		snprintf(id, sizeof(id), "other%d", i);
		put(s, &connections[i], id, 10);
	}
	assert_false(sessions_is_newest(s, sessions_find(s, &connections[0])));
	assert_true(sessions_is_newest(s, sessions_find(s, &connections[1])));
	sessions_remove(s, &connections[1]);
	assert_true(sessions_is_newest(s, sessions_find(s, &connections[0])));
}

static void
sessions_expire_in_the_order_of_their_times(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();
	unsigned random = 1;
	time_t last = 0;
	int n = 0;

	(void)state;
	for (int i = 0; i < N_MANY; i++) {
		char id[16];

		random = random * 1103515245 + 12345;
		snprintf(id, sizeof(id), "d%d", i);
		put(s, &connections[i], id, 1 + (random >> 16) % 1000);
	}
	for (int i = 0; i < N_MANY; i += 3)
		sessions_remove(s, &connections[i]);
	assert_null(sessions_expired(s, 0));
	for (struct session *next; (next = sessions_expired(s, 2000)); n++) {
		assert_true(next->admission.until >= last);
		assert_ptr_equal(sessions_find(s, next->client), next);
		last = next->admission.until;
		assert_non_null(sessions_expired(s, last));
		if (last > 1 && n == 0)
			assert_null(sessions_expired(s, last - 1));
		if (n % 2)
			sessions_end(s, next);
		else
			sessions_remove(s, next->client);
	}
	assert_int_equal(n, N_MANY - (N_MANY + 2) / 3);
}

static void
a_change_makes_every_session_stale_once(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();
	struct session *first, *second;

	(void)state;
	put(s, &connections[0], "a", 10);
	put(s, &connections[1], "b", 10);
	assert_null(sessions_stale(s));
	sessions_make_stale(s);
	put(s, &connections[2], "c", 10);
	first = sessions_find(s, &connections[0]);
	second = sessions_find(s, &connections[1]);
	assert_true(sessions_is_stale(s, first));
	assert_true(sessions_is_stale(s, second));
	assert_false(sessions_is_stale(s, sessions_find(s, &connections[2])));
	sessions_fresh(s, first);
	assert_false(sessions_is_stale(s, first));
	assert_ptr_equal(sessions_stale(s), second);
	sessions_end(s, second);
	assert_null(sessions_stale(s));
	sessions_make_stale(s);
	assert_false(sessions_is_stale(s, second));
	assert_true(sessions_is_stale(s, first));
}

static void
an_ended_session_waits_once_to_be_closed(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();
	struct session *first;

	(void)state;
	for (int i = 0; i < 3; i++)
		put(s, &connections[i], "a", 10);
	first = sessions_find(s, &connections[0]);
	assert_null(sessions_take_ended(s));
	sessions_end(s, first);
	sessions_end(s, first);
	sessions_end(s, sessions_find(s, &connections[1]));
	sessions_remove(s, &connections[1]);
	assert_ptr_equal(sessions_take_ended(s), first);
	assert_null(sessions_take_ended(s));
	assert_true(sessions_find(s, &connections[0])->ended);
	sessions_remove(s, &connections[0]);
	assert_int_equal(sessions_count(s), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_found_until_it_is_removed),
		cmocka_unit_test(a_connection_let_in_again_has_one_session),
		cmocka_unit_test(only_the_newest_of_a_client_id_is_the_newest),
		cmocka_unit_test(sessions_expire_in_the_order_of_their_times),
		cmocka_unit_test(a_change_makes_every_session_stale_once),
		cmocka_unit_test(an_ended_session_waits_once_to_be_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
