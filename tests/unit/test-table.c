/* The hash table, and the hashes of names that strangers choose. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/table.h"

#define N_NAMES	 2000
#define NAME_MAX 16

/* FNV-1a, which has no secret: anybody can find names that meet in one slot. */
static uint64_t
hash_without_secret(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

/* The multiplication that stands for hashes of numbers without a secret. */
static uint64_t
mix_without_secret(uint64_t number)
{
	uint64_t hash = number * UINT64_C(0x9e3779b97f4a7c15);

	return hash ^ hash >> 32;
}

static size_t
longest_chain(const struct table *table)
{
	size_t longest = 0;

	for (size_t i = 0; i < table->n_slots; i++) {
		size_t n = 0;

		for (const struct table_link *link = table->slots[i]; link; link = link->next)
			n++;
		if (n > longest)
			longest = n;
	}
	return longest;
}

/* The longest chain of a table that has these hashes. */
static size_t
longest_chain_of(const uint64_t *hashes, size_t n)
{
	struct table_link *links = calloc(n, sizeof(*links));
	struct table table = {0};
	struct fault f = FAULT_INIT;
	size_t longest;

	for (size_t i = 0; i < n; i++)
		assert_ok(table_add(&table, &links[i], hashes[i], &f), &f);
	longest = longest_chain(&table);
	table_clear(&table);
	free(links);
	return longest;
}

/* Of 10^9 tables with 2000 random hashes in 2048 slots, none is expected to have a longer chain. */
#define CHAIN_MAX 16

static void
names_that_meet_without_a_secret_are_spread(void **state)
{
	uint64_t *attacked = calloc(N_NAMES, sizeof(*attacked));
	uint64_t *keyed = calloc(N_NAMES, sizeof(*keyed));
	size_t n = 0;

	(void)state;
	for (unsigned long i = 0; n < N_NAMES; i++) {
		char name[NAME_MAX];

		snprintf(name, sizeof(name), "dev-%lu", i);
		if (hash_without_secret(name) & 2047)
			continue;
		attacked[n] = hash_without_secret(name);
		keyed[n++] = table_hash_text(name);
	}
	assert_int_equal(longest_chain_of(attacked, n), N_NAMES);
	assert_in_range(longest_chain_of(keyed, n), 1, CHAIN_MAX);
	free(attacked);
	free(keyed);
}

static void
numbers_that_meet_without_a_secret_are_spread(void **state)
{
	uint64_t *attacked = calloc(N_NAMES, sizeof(*attacked));
	uint64_t *keyed = calloc(N_NAMES, sizeof(*keyed));
	size_t n = 0;

	(void)state;
	for (uint64_t i = 0; n < N_NAMES; i++) {
		if (mix_without_secret(i) & 2047)
			continue;
		attacked[n] = mix_without_secret(i);
		keyed[n++] = table_hash_number(i);
	}
	assert_int_equal(longest_chain_of(attacked, n), N_NAMES);
	assert_in_range(longest_chain_of(keyed, n), 1, CHAIN_MAX);
	free(attacked);
	free(keyed);
}

/* Addresses are aligned, and numbers are often in sequence. */
static void
ordinary_keys_are_spread(void **state)
{
	static char memory[N_NAMES][64];
	uint64_t *pointers = calloc(N_NAMES, sizeof(*pointers));
	uint64_t *numbers = calloc(N_NAMES, sizeof(*numbers));

	(void)state;
	for (size_t i = 0; i < N_NAMES; i++) {
		pointers[i] = table_hash_pointer(memory[i]);
		numbers[i] = table_hash_number(i);
	}
	assert_in_range(longest_chain_of(pointers, N_NAMES), 1, CHAIN_MAX);
	assert_in_range(longest_chain_of(numbers, N_NAMES), 1, CHAIN_MAX);
	free(pointers);
	free(numbers);
}

static void
one_process_always_gives_one_hash(void **state)
{
	char name[] = "dev-1", same[] = "dev-1";

	(void)state;
	assert_int_equal(table_hash_text(name), table_hash_text(same));
	assert_int_not_equal(table_hash_text(name), table_hash_text("dev-2"));
	assert_int_equal(table_hash_number(7), table_hash_number(7));
	assert_int_equal(table_hash_pointer(name), table_hash_pointer(name));
}

/* What this program prints when it is started with an argument. */
#define N_HASHES 2

static void
make_hashes(uint64_t *ret_hashes)
{
	ret_hashes[0] = table_hash_text("dev-1");
	ret_hashes[1] = table_hash_number(1);
}

/* This program as it was started: under valgrind /proc/self/exe is another one. */
static const char *program;

/* Starts this program again, which hashes the same keys. */
static void
ask_another_process(uint64_t *ret_hashes)
{
	char *const arguments[] = {(char *)"test-table", (char *)"hashes", NULL};
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execv(program, arguments);
		_exit(1);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], ret_hashes, N_HASHES * sizeof(*ret_hashes)),
		N_HASHES * sizeof(*ret_hashes));
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
each_process_has_its_own_secret(void **state)
{
	uint64_t ours[N_HASHES], first[N_HASHES], second[N_HASHES];

	(void)state;
	make_hashes(ours);
	ask_another_process(first);
	ask_another_process(second);
	for (size_t i = 0; i < N_HASHES; i++) {
		assert_int_not_equal(ours[i], first[i]);
		assert_int_not_equal(ours[i], second[i]);
		assert_int_not_equal(first[i], second[i]);
	}
}

/* Known values of XXH3: a file of an older version must stay readable. */
static void
the_hash_of_file_formats_never_changes(void **state)
{
	(void)state;
	assert_int_equal(hash_stable("", 0), UINT64_C(0x2d06800538d394c2));
	assert_int_equal(hash_stable("abc", 3), UINT64_C(0x78af5f94892f3950));
}

static void
a_table_finds_what_it_has(void **state)
{
	struct table_link links[200] = {{0}};
	struct table table = {0};
	struct fault f = FAULT_INIT;

	(void)state;
	assert_null(table_first(&table, 1));
	assert_null(table_any(&table));
	/* Two links for each hash. */
	for (size_t i = 0; i < 200; i++)
		assert_ok(table_add(&table, &links[i], table_hash_number(i / 2), &f), &f);
	assert_int_equal(table.n, 200);
	for (size_t i = 0; i < 100; i++) {
		struct table_link *link = table_first(&table, table_hash_number(i));

		assert_non_null(link);
		assert_non_null(table_next(link));
		assert_null(table_next(table_next(link)));
	}
	assert_null(table_first(&table, table_hash_number(100)));
	for (size_t i = 0; i < 200; i++) {
		assert_non_null(table_any(&table));
		table_remove(&table, &links[i]);
		assert_int_equal(!table_first(&table, table_hash_number(i / 2)), i % 2);
	}
	assert_int_equal(table.n, 0);
	table_clear(&table);
}

/* A slot that was passed over as empty is looked at again when a link is added to it. */
static void
any_link_is_found_while_others_come_and_go(void **state)
{
	struct table_link links[300] = {{0}}, *any;
	struct table table = {0};
	struct fault f = FAULT_INIT;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		assert_ok(table_add(&table, &links[i], i % 3 ? 299 - i : i, &f), &f);
		if (i % 4 == 3) {
			any = table_any(&table);
			assert_non_null(any);
			table_remove(&table, any);
			n++;
		}
	}
	for (; (any = table_any(&table)); n++)
		table_remove(&table, any);
	assert_int_equal(n, 300);
	assert_int_equal(table.n, 0);
	table_clear(&table);
}

/* Each slot is looked at once: the hint that table_any() leaves is never behind an empty one. */
static void
a_table_is_emptied_in_one_pass(void **state)
{
	struct table_link links[200] = {{0}}, *any;
	struct table table = {0};
	struct fault f = FAULT_INIT;
	size_t last = 0;

	(void)state;
	for (size_t i = 0; i < 200; i++)
		assert_ok(table_add(&table, &links[i], table_hash_number(i), &f), &f);
	while ((any = table_any(&table))) {
		assert_true(table.first >= last);
		assert_ptr_equal(table.slots[table.first], any);
		last = table.first;
		table_remove(&table, any);
	}
	table_clear(&table);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_finds_what_it_has),
		cmocka_unit_test(any_link_is_found_while_others_come_and_go),
		cmocka_unit_test(a_table_is_emptied_in_one_pass),
		cmocka_unit_test(names_that_meet_without_a_secret_are_spread),
		cmocka_unit_test(numbers_that_meet_without_a_secret_are_spread),
		cmocka_unit_test(ordinary_keys_are_spread),
		cmocka_unit_test(one_process_always_gives_one_hash),
		cmocka_unit_test(each_process_has_its_own_secret),
		cmocka_unit_test(the_hash_of_file_formats_never_changes),
	};
	uint64_t hashes[N_HASHES];

	program = argv[0];
	if (argc > 1) {
		make_hashes(hashes);
		return write(STDOUT_FILENO, hashes, sizeof(hashes)) != sizeof(hashes);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
