/* session: sessions, login and logout. Knows who may do what. */
#include "config.h"

#include "mock.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define SO_PIN "4321"

CK_RV
session_find(CK_SESSION_HANDLE handle, struct session **ret_session)
{
	for (size_t i = 0; handle && i < MOCK_SESSIONS; i++) {
		if (mock.sessions[i].handle == handle) {
			*ret_session = &mock.sessions[i];
			return CKR_OK;
		}
	}
	return CKR_SESSION_HANDLE_INVALID;
}

bool
session_is_user(const struct session *session)
{
	const struct slot *slot = &mock.slots[session->slot];

	return slot->logged_in && slot->user == CKU_USER;
}

void
session_end_signing(struct session *session)
{
	OPENSSL_clear_free(session->signing.pkcs8, session->signing.pkcs8_len);
	session->signing = (struct signing){.active = false};
}

void
session_end_search(struct session *session)
{
	free(session->search.found);
	session->search = (struct search){.active = false};
}

static void
log_out(CK_SLOT_ID slot)
{
	if (!mock.slots[slot].logged_in)
		return;
	mock.slots[slot].logged_in = false;
	mock.slots[slot].epoch++;
	for (size_t i = 0; i < MOCK_SESSIONS; i++)
		if (mock.sessions[i].handle && mock.sessions[i].slot == slot)
			session_end_signing(&mock.sessions[i]);
}

static size_t
count_sessions(CK_SLOT_ID slot, bool read_only)
{
	size_t n = 0;

	for (size_t i = 0; i < MOCK_SESSIONS; i++)
		if (mock.sessions[i].handle && mock.sessions[i].slot == slot &&
			(!read_only || !(mock.sessions[i].flags & CKF_RW_SESSION)))
			n++;
	return n;
}

void
session_close(struct session *session)
{
	CK_SLOT_ID slot = session->slot;

	objects_remove_of_session(session->handle);
	session_end_search(session);
	session_end_signing(session);
	session->handle = 0;
	if (count_sessions(slot, false) == 0)
		log_out(slot);
}

static CK_RV
open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_SESSION_HANDLE *ret_handle)
{
	if (slot >= mock.n_slots)
		return CKR_SLOT_ID_INVALID;
	if (!ret_handle)
		return CKR_ARGUMENTS_BAD;
	if (!(flags & CKF_SERIAL_SESSION))
		return CKR_SESSION_PARALLEL_NOT_SUPPORTED;
	if (!(flags & CKF_RW_SESSION) && mock.slots[slot].logged_in &&
		mock.slots[slot].user == CKU_SO)
		return CKR_SESSION_READ_WRITE_SO_EXISTS;
	for (size_t i = 0; i < MOCK_SESSIONS; i++) {
		if (mock.sessions[i].handle)
			continue;
		mock.sessions[i] = (struct session){
			.handle = ++mock.last_session, .slot = slot, .flags = flags};
		*ret_handle = mock.sessions[i].handle;
		return CKR_OK;
	}
	return CKR_SESSION_COUNT;
}

static CK_RV
close_session(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_find(handle, &session);

	if (rv == CKR_OK)
		session_close(session);
	return rv;
}

static CK_RV
close_all(CK_SLOT_ID slot)
{
	if (slot >= mock.n_slots)
		return CKR_SLOT_ID_INVALID;
	for (size_t i = 0; i < MOCK_SESSIONS; i++)
		if (mock.sessions[i].handle && mock.sessions[i].slot == slot)
			session_close(&mock.sessions[i]);
	return CKR_OK;
}

static CK_RV
session_info(CK_SESSION_HANDLE handle, CK_SESSION_INFO *info)
{
	struct session *session;
	CK_RV rv = session_find(handle, &session);
	bool rw;

	if (rv != CKR_OK)
		return rv;
	if (!info)
		return CKR_ARGUMENTS_BAD;
	rw = session->flags & CKF_RW_SESSION;
	*info = (CK_SESSION_INFO){.slotID = session->slot,
		.flags = session->flags,
		.state = rw ? CKS_RW_PUBLIC_SESSION : CKS_RO_PUBLIC_SESSION};
	if (session_is_user(session))
		info->state = rw ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS;
	else if (mock.slots[session->slot].logged_in)
		info->state = CKS_RW_SO_FUNCTIONS;
	return CKR_OK;
}

static bool
pin_is(const char *right, const CK_BYTE *pin, CK_ULONG len)
{
	return strlen(right) == len && memcmp(right, pin, len) == 0;
}

static CK_RV
log_in_user(struct slot *slot, const CK_BYTE *pin, CK_ULONG len)
{
	if (slot->wrong >= MOCK_MAX_WRONG)
		return CKR_PIN_LOCKED;
	if (!pin_is(mock.pin, pin, len)) {
		slot->wrong++;
		mock.dirty = true;
		return CKR_PIN_INCORRECT;
	}
	if (slot->wrong > 0)
		mock.dirty = true;
	slot->wrong = 0;
	return CKR_OK;
}

static CK_RV
log_in(CK_SESSION_HANDLE handle, CK_USER_TYPE user, const CK_BYTE *pin, CK_ULONG len)
{
	struct session *session;
	struct slot *slot;
	CK_RV rv = session_find(handle, &session);

	if (rv != CKR_OK)
		return rv;
	slot = &mock.slots[session->slot];
	if (user == CKU_CONTEXT_SPECIFIC)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (user != CKU_USER && user != CKU_SO)
		return CKR_USER_TYPE_INVALID;
	if (slot->logged_in)
		return slot->user == user ? CKR_USER_ALREADY_LOGGED_IN
					  : CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
	if (!pin)
		return CKR_ARGUMENTS_BAD;
	if (user == CKU_USER)
		rv = log_in_user(slot, pin, len);
	else if (count_sessions(session->slot, true) > 0)
		rv = CKR_SESSION_READ_ONLY_EXISTS;
	else
		rv = pin_is(SO_PIN, pin, len) ? CKR_OK : CKR_PIN_INCORRECT;
	if (rv != CKR_OK)
		return rv;
	slot->logged_in = true;
	slot->user = user;
	faults_relogin();
	return CKR_OK;
}

static CK_RV
log_out_session(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_find(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!mock.slots[session->slot].logged_in)
		return CKR_USER_NOT_LOGGED_IN;
	log_out(session->slot);
	return CKR_OK;
}

CK_RV
C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
	CK_SESSION_HANDLE *session)
{
	(void)application;
	(void)notify;
	return CALL(C_OpenSession, NULL, open_session(slot, flags, session));
}

CK_RV
C_CloseSession(CK_SESSION_HANDLE session)
{
	return CALL(C_CloseSession, NULL, close_session(session));
}

CK_RV
C_CloseAllSessions(CK_SLOT_ID slot)
{
	return CALL(C_CloseAllSessions, NULL, close_all(slot));
}

CK_RV
C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
	return CALL(C_GetSessionInfo, NULL, session_info(session, info));
}

CK_RV
C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG pin_len)
{
	static const char *const names[] = {
		[CKU_SO] = "so", [CKU_USER] = "user", [CKU_CONTEXT_SPECIFIC] = "context"};
	const char *name = user <= CKU_CONTEXT_SPECIFIC ? names[user] : "?";

	return CALL(C_Login, name, log_in(session, user, pin, pin_len));
}

CK_RV
C_Logout(CK_SESSION_HANDLE session)
{
	return CALL(C_Logout, NULL, log_out_session(session));
}
