/* unit: what every unit test includes: cmocka with the headers it wants before it. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fault.h"

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* A literal where an interface wants a char * that it does not change. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))

/* The call must fail with this code, and say something on one line. */
#define assert_fault(call, f, wanted) \
	do { \
		assert_int_not_equal(call, 0); \
		assert_int_equal((f)->code, wanted); \
		assert_true((f)->text[0] != '\0' && !strchr((f)->text, '\n')); \
	} while (0)

/* The call must not fail; its fault's text is shown when it does. */
#define assert_ok(call, f) \
	do { \
		if ((call) != 0) \
			fail_msg("%s: %s", #call, (f)->text); \
	} while (0)

#endif
