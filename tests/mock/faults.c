/*
 * faults: knows the rules of MOCK_PKCS11_FAULTS, a list of rules with commas between them, or @FILE
 * for a file that has them on its first line and may be another each time.
 *
 *   FUNCTION[+FUNCTION...]=ERROR[@WHEN]      fails: C_Login=PIN_LOCKED
 *   FUNCTION[+FUNCTION...]:slow=MS[@WHEN]    waits first: C_Sign:slow=500
 *   C_GetMechanismInfo:hide=MECHANISM        the token has no such mechanism: not in its list, not
 *                                            for C_SignInit, not for C_GenerateKeyPair
 *
 * ERROR and MECHANISM are PKCS#11's names without CKR_ or CKM_. WHEN counts the calls of the first
 * FUNCTION from 1, in this process, across C_Finalize; calls that only ask for a length count too:
 *
 *   (none)      always
 *   N           the Nth call
 *   N-M         the Nth to the Mth
 *   N-          from the Nth on
 *   N-reinit    from the Nth on until C_Initialize succeeds again, and never again after that
 *   N-relogin   from the Nth on until C_Login succeeds, and never again after that
 *
 * With several functions the first is counted and all fail while the rule holds. A TPM that was
 * restarted at the second signature is
 * C_Sign+C_SignInit+C_Login+C_GenerateRandom=GENERAL_ERROR@2-reinit.
 *
 * The first rule that makes a call fail decides; waits add up. A call that a rule makes fail does
 * nothing else, except that a failed C_Sign ends the operation as the standard says: a PIN refused
 * by a rule is not counted. The rules are read at each C_Initialize; a text equal to the one before
 * keeps its counts. Empty rules are allowed (a text made different by a comma counts anew). A rule
 * that cannot be read is named on stderr and C_Initialize returns CKR_ARGUMENTS_BAD.
 */
#include "config.h"

#include "mock.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RULES     32
#define MAX_FUNCTIONS 8
#define MAX_DELAY_MS  60000

enum action { FAIL, SLOW, HIDE };
enum until { FOR_EVER, UNTIL_REINIT, UNTIL_RELOGIN };

/*
 * from, to  the calls of functions[0] that it holds for; from 0: even before the first
 * over      what it lasted until has happened
 */
struct rule {
	const char *functions[MAX_FUNCTIONS];
	size_t n_functions;
	enum action action;
	CK_RV rv;
	unsigned delay_ms;
	CK_MECHANISM_TYPE mechanism;
	unsigned long from, to;
	enum until until;
	unsigned long calls;
	bool over;
};

static struct rule rules[MAX_RULES];
static size_t n_rules;
static char loaded[4096];

static bool
parse_number(const char **text, unsigned long max, unsigned long *ret_number)
{
	unsigned long number = 0;

	if (!isdigit((unsigned char)**text))
		return false;
	for (; isdigit((unsigned char)**text); (*text)++) {
		number = number * 10 + (unsigned long)(**text - '0');
		if (number > max)
			return false;
	}
	*ret_number = number;
	return true;
}

static bool
parse_when(const char *text, struct rule *rule)
{
	if (!parse_number(&text, INT_MAX, &rule->from) || rule->from == 0)
		return false;
	rule->to = rule->from;
	if (!*text)
		return true;
	if (*text++ != '-')
		return false;
	rule->to = ULONG_MAX;
	if (strcmp(text, "reinit") == 0)
		rule->until = UNTIL_REINIT;
	else if (strcmp(text, "relogin") == 0)
		rule->until = UNTIL_RELOGIN;
	else if (*text)
		return parse_number(&text, INT_MAX, &rule->to) && !*text && rule->to >= rule->from;
	return true;
}

static bool
parse_functions(char *text, struct rule *rule)
{
	char *rest = NULL, *name;

	for (name = strtok_r(text, "+", &rest); name; name = strtok_r(NULL, "+", &rest)) {
		if (rule->n_functions == MAX_FUNCTIONS ||
			!function_of_name(name, &rule->functions[rule->n_functions]))
			return false;
		rule->n_functions++;
	}
	return rule->n_functions > 0;
}

static bool
parse_action(const char *name, const char *argument, struct rule *rule)
{
	unsigned long number;

	if (!name) {
		rule->action = FAIL;
		return rv_of_name(argument, &rule->rv) && rule->rv != CKR_OK;
	}
	if (strcmp(name, "slow") == 0) {
		rule->action = SLOW;
		if (!parse_number(&argument, MAX_DELAY_MS, &number) || *argument)
			return false;
		rule->delay_ms = (unsigned)number;
		return true;
	}
	rule->action = HIDE;
	return strcmp(name, "hide") == 0 && mechanism_of_name(argument, &rule->mechanism);
}

static bool
parse_rule(char *text, struct rule *ret_rule)
{
	struct rule rule = {.to = ULONG_MAX};
	char *argument = strchr(text, '='), *name, *when;

	if (!argument)
		return false;
	*argument++ = '\0';
	when = strchr(argument, '@');
	if (when)
		*when++ = '\0';
	name = strchr(text, ':');
	if (name)
		*name++ = '\0';
	if (!parse_functions(text, &rule) || !parse_action(name, argument, &rule))
		return false;
	if (rule.action == HIDE && (when || strcmp(rule.functions[0], "C_GetMechanismInfo") != 0))
		return false;
	if (when && !parse_when(when, &rule))
		return false;
	*ret_rule = rule;
	return true;
}

bool
faults_load(const char *text)
{
	char copy[sizeof(loaded)], whole[128], *rest = NULL, *rule;

	if (strcmp(text, loaded) == 0)
		return true;
	n_rules = 0;
	loaded[0] = '\0';
	if (strlen(text) >= sizeof(loaded)) {
		fprintf(stderr, "mock-pkcs11: MOCK_PKCS11_FAULTS is too long\n");
		return false;
	}
	strcpy(copy, text);
	for (rule = strtok_r(copy, ",", &rest); rule; rule = strtok_r(NULL, ",", &rest)) {
		snprintf(whole, sizeof(whole), "%s", rule);
		if (n_rules == MAX_RULES || !parse_rule(rule, &rules[n_rules])) {
			fprintf(stderr, "mock-pkcs11: MOCK_PKCS11_FAULTS: %s rule '%s'\n",
				n_rules == MAX_RULES ? "one too many, the" : "cannot read the",
				whole);
			n_rules = 0;
			return false;
		}
		n_rules++;
	}
	strcpy(loaded, text);
	return true;
}

static bool
rule_names(const struct rule *rule, const char *function)
{
	for (size_t i = 0; i < rule->n_functions; i++)
		if (strcmp(rule->functions[i], function) == 0)
			return true;
	return false;
}

static bool
rule_holds(const struct rule *rule)
{
	return !rule->over && rule->calls >= rule->from && rule->calls <= rule->to;
}

CK_RV
faults_count(const char *function, unsigned *delay_ms)
{
	CK_RV rv = CKR_OK;

	for (struct rule *rule = rules; rule < rules + n_rules; rule++) {
		if (strcmp(rule->functions[0], function) == 0)
			rule->calls++;
		if (!rule_holds(rule) || !rule_names(rule, function))
			continue;
		if (rule->action == SLOW)
			*delay_ms += rule->delay_ms;
		else if (rule->action == FAIL && rv == CKR_OK)
			rv = rule->rv;
	}
	return rv;
}

static void
end_rules(enum until until)
{
	for (struct rule *rule = rules; rule < rules + n_rules; rule++)
		if (rule->until == until && rule_holds(rule))
			rule->over = true;
}

void
faults_reinit(void)
{
	end_rules(UNTIL_REINIT);
}

void
faults_relogin(void)
{
	end_rules(UNTIL_RELOGIN);
}

bool
faults_hides(CK_MECHANISM_TYPE mechanism)
{
	for (const struct rule *rule = rules; rule < rules + n_rules; rule++)
		if (rule->action == HIDE && rule->mechanism == mechanism)
			return true;
	return false;
}
