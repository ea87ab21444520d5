/* mock: what the parts of the mock PKCS#11 module share. All of it runs under the one lock. */
#ifndef TESTS_MOCK_H
#define TESTS_MOCK_H

#include <stdbool.h>
#include <stddef.h>

#include <p11-kit/pkcs11.h>

#define MOCK_SLOTS    2
#define MOCK_SESSIONS 1024

/* Where a private key keeps its PKCS#8: never found, never read, never set through PKCS#11. */
#define MOCK_CKA_PKCS8 (CKA_VENDOR_DEFINED | 0x6d6f636bUL)

/* An owned list of attributes, one of each type. */
struct attrs {
	CK_ATTRIBUTE *list;
	size_t n;
};

/*
 * id       never used again in this store; below 0x100000
 * session  the session it dies with; 0: a token object
 */
struct object {
	CK_ULONG id;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	struct attrs attrs;
};

struct search {
	bool active;
	CK_OBJECT_HANDLE *found;
	size_t n, next;
};

struct signing {
	bool active;
	CK_MECHANISM_TYPE mechanism;
	CK_RSA_PKCS_PSS_PARAMS pss;
	unsigned char *pkcs8;
	size_t pkcs8_len;
};

/* handle  0 in a free place; never used twice */
struct session {
	CK_SESSION_HANDLE handle;
	CK_SLOT_ID slot;
	CK_FLAGS flags;
	struct search search;
	struct signing signing;
};

/*
 * wrong  wrong PINs since the last right one; MOCK_MAX_WRONG locks
 * epoch  part of a private object's handle, so that a logout makes it invalid, as in SoftHSM
 */
#define MOCK_MAX_WRONG 3
struct slot {
	unsigned wrong;
	bool logged_in;
	CK_USER_TYPE user;
	CK_ULONG epoch;
};

struct mock {
	bool initialised;
	CK_ULONG n_slots;
	char label[33];
	char pin[64];
	char maker[33];
	char serial[17];
	char model[17];
	char padding;
	char log[4096];
	char store[4096];
	CK_FLAGS flags;
	struct slot slots[MOCK_SLOTS];
	struct session sessions[MOCK_SESSIONS];
	CK_SESSION_HANDLE last_session;
	struct object *objects;
	size_t n_objects;
	CK_ULONG last_id;
	bool dirty;
};

extern struct mock mock;

/* call.c: what surrounds every call: the lock, the faults, the store, the log. */

/*
 * Takes the lock, counts the call, waits as long as a rule says and loads the store.
 *
 * Returns CKR_OK; the CK_RV a rule or the store asks for; CKR_CRYPTOKI_NOT_INITIALIZED.
 * call_leave() must follow in any case.
 */
CK_RV call_enter(const char *function);

/*
 * Saves the store if it changed, logs the call and gives the lock back.
 *
 * detail  a word for the log between function and result; NULL without one
 *
 * Returns rv; CKR_GENERAL_ERROR if the store cannot be written.
 */
CK_RV call_leave(const char *function, const char *detail, CK_RV rv);

#define CALL(function, detail, expression) \
	({ \
		CK_RV call_rv_ = call_enter(#function); \
		if (call_rv_ == CKR_OK) \
			call_rv_ = (expression); \
		call_leave(#function, detail, call_rv_); \
	})

/* faults.c: the rules of MOCK_PKCS11_FAULTS. */

/* Reads the rules; the same text again keeps the counts. False if it is wrong: said on stderr. */
bool faults_load(const char *text);
/* Counts a call. Returns what it must fail with or CKR_OK; adds what it must wait first. */
CK_RV faults_count(const char *function, unsigned *delay_ms);
/* Ends the rules that last until a successful C_Initialize, or until a successful C_Login. */
void faults_reinit(void);
void faults_relogin(void);
bool faults_hides(CK_MECHANISM_TYPE mechanism);

/* names.c: numbers and their names, without prefix. */
const char *name_of_rv(CK_RV rv);
bool rv_of_name(const char *name, CK_RV *ret_rv);
const char *name_of_mechanism(CK_MECHANISM_TYPE mechanism);
bool mechanism_of_name(const char *name, CK_MECHANISM_TYPE *ret_mechanism);
bool token_flag_of_name(const char *name, CK_FLAGS *ret_flag);
bool function_of_name(const char *name, const char **ret_function);
const char *name_of_class(CK_OBJECT_CLASS object_class);

/* attrs.c: lists of attributes. */
CK_RV attrs_set(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, const void *bytes, size_t len);
CK_RV attrs_set_ulong(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, CK_ULONG number);
CK_RV attrs_set_bool(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, bool yes);
/* Sets a boolean that is not there yet. */
CK_RV attrs_preset(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, bool yes);
const CK_ATTRIBUTE *attrs_get(const struct attrs *attrs, CK_ATTRIBUTE_TYPE type);
CK_ULONG attrs_ulong(const struct attrs *attrs, CK_ATTRIBUTE_TYPE type, CK_ULONG preset);
bool attrs_bool(const struct attrs *attrs, CK_ATTRIBUTE_TYPE type, bool preset);
/* Sets all of a caller's template, each checked for type, length and presence. */
CK_RV attrs_add(struct attrs *attrs, const CK_ATTRIBUTE *template, CK_ULONG n);
void attrs_clear(struct attrs *attrs);

/* session.c */
CK_RV session_find(CK_SESSION_HANDLE handle, struct session **ret_session);
bool session_is_user(const struct session *session);
void session_end_signing(struct session *session);
void session_end_search(struct session *session);
/* Ends the session; the last one of a slot logs out. */
void session_close(struct session *session);

/* objects.c */
CK_RV object_find(
	const struct session *session, CK_OBJECT_HANDLE handle, struct object **ret_object);
CK_OBJECT_HANDLE object_handle(const struct object *object);
/*
 * Adds an object with the attributes, which it takes over on success.
 */
CK_RV object_add(struct session *session, struct attrs *attrs, CK_OBJECT_HANDLE *ret_handle);
/* Whether a session may write an object like that: CKR_OK or the reason. */
CK_RV object_may_write(const struct session *session, const struct attrs *attrs);
void object_remove(size_t index);
void objects_remove_of_session(CK_SESSION_HANDLE session);

/* store.c: the file that keeps token objects and wrong PINs; without one all is in memory. */

/* Locks and reads the file. Returns CKR_OK or CKR_GENERAL_ERROR (said on stderr). */
CK_RV store_begin(void);
/* Writes the file if something changed, and unlocks it. */
CK_RV store_end(void);

#endif
