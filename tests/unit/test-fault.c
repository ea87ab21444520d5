#include "config.h"

#include "unit.h"

#include <errno.h>

#include <openssl/err.h>

static void
text_stays_one_printable_line(void **state)
{
	struct fault f = FAULT_INIT;

	(void)state;
	assert_int_equal(fault_set(&f, FAULT_INVALID, "no '%s'", "a\nb\x1b[2Jc"), -1);
	assert_string_equal(f.text, "no 'a\\x0ab\\x1b[2Jc'");
	assert_int_equal(f.code, FAULT_INVALID);
}

static void
text_too_long_ends_in_dots(void **state)
{
	struct fault f = FAULT_INIT;
	char longer[600];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	fault_set(&f, FAULT_IO, "%s", longer);
	assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
	assert_string_equal(f.text + sizeof(f.text) - 4, "...");
	fault_prefix(&f, "%s", longer);
	assert_string_equal(f.text + sizeof(f.text) - 4, "...");
}

static void
prefix_keeps_code_and_number(void **state)
{
	struct fault f = FAULT_INIT;

	(void)state;
	errno = ENOENT;
	fault_errno(&f, "cannot open '%s'", "x");
	fault_prefix(&f, "certificate");
	assert_string_equal(f.text, "certificate: cannot open 'x': No such file or directory");
	assert_int_equal(f.code, FAULT_NOTFOUND);
	assert_int_equal(f.native, ENOENT);
}

static void
openssl_reason_follows_the_text(void **state)
{
	struct fault f = FAULT_INIT;

	(void)state;
	ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
	fault_openssl(&f, FAULT_CRYPTO, "cannot sign");
	assert_memory_equal(f.text, "cannot sign: ", 13);
	assert_int_equal(ERR_peek_error(), 0);
	fault_openssl(&f, FAULT_CRYPTO, "cannot sign");
	assert_string_equal(f.text, "cannot sign");
}

static void
reason_of_a_library_beneath_openssl_comes_first(void **state)
{
	const int lib = ERR_get_next_error_library();
	struct fault f = FAULT_INIT;

	(void)state;
	ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
	ERR_raise(lib, 5);
	ERR_raise(ERR_LIB_EVP, ERR_R_MALLOC_FAILURE);
	fault_openssl(&f, FAULT_CRYPTO, "cannot sign");
	assert_int_equal(ERR_GET_LIB(f.native), lib);
	assert_int_equal(ERR_GET_REASON(f.native), 5);
	assert_int_equal(ERR_peek_error(), 0);
}

static void
every_code_has_name_meaning_and_status(void **state)
{
	(void)state;
	assert_int_equal(fault_exit_status(FAULT_NONE), 0);
	for (int c = FAULT_NONE + 1; c <= FAULT_REFUSED; c++) {
		assert_true(fault_exit_status(c) >= 1 && fault_exit_status(c) <= 3);
		assert_true(fault_name(c)[0] >= 'a' && fault_name(c)[0] <= 'z');
		assert_true(fault_meaning(c)[0] != '\0');
	}
	assert_int_equal(fault_exit_status(FAULT_PIN), 3);
	assert_int_equal(fault_exit_status(FAULT_LOCKED), 3);
	assert_string_equal(fault_name(FAULT_REFUSED), "refused");
}

static void
no_fault_wanted_is_allowed(void **state)
{
	(void)state;
	assert_int_equal(fault_set(NULL, FAULT_IO, "x"), -1);
	assert_int_equal(fault_prefix(NULL, "x"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_one_printable_line),
		cmocka_unit_test(text_too_long_ends_in_dots),
		cmocka_unit_test(prefix_keeps_code_and_number),
		cmocka_unit_test(openssl_reason_follows_the_text),
		cmocka_unit_test(reason_of_a_library_beneath_openssl_comes_first),
		cmocka_unit_test(every_code_has_name_meaning_and_status),
		cmocka_unit_test(no_fault_wanted_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
