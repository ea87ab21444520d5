/* unsupported: the functions that this token does not have. */
#include "config.h"

#include "mock.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

#define UNSUPPORTED(name, parameters) \
	CK_RV name parameters \
	{ \
		return CALL(name, NULL, CKR_FUNCTION_NOT_SUPPORTED); \
	}

/* clang-format off */
UNSUPPORTED(C_WaitForSlotEvent, (CK_FLAGS flags, CK_SLOT_ID *slot, void *reserved))
UNSUPPORTED(C_InitToken, (CK_SLOT_ID slot_id, CK_BYTE *pin, CK_ULONG pin_len, CK_BYTE *label))
UNSUPPORTED(C_InitPIN, (CK_SESSION_HANDLE session, CK_BYTE *pin, CK_ULONG pin_len))
UNSUPPORTED(C_SetPIN, (CK_SESSION_HANDLE session, CK_BYTE *old_pin, CK_ULONG old_len,
	CK_BYTE *new_pin, CK_ULONG new_len))
UNSUPPORTED(C_GetOperationState, (CK_SESSION_HANDLE session, CK_BYTE *operation_state,
	CK_ULONG *operation_state_len))
UNSUPPORTED(C_SetOperationState, (CK_SESSION_HANDLE session, CK_BYTE *operation_state,
	CK_ULONG operation_state_len, CK_OBJECT_HANDLE encryption_key,
	CK_OBJECT_HANDLE authentiation_key))
UNSUPPORTED(C_CopyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *templ,
	CK_ULONG count, CK_OBJECT_HANDLE *new_object))
UNSUPPORTED(C_GetObjectSize, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG *size))
UNSUPPORTED(C_EncryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
	CK_OBJECT_HANDLE key))
UNSUPPORTED(C_Encrypt, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len,
	CK_BYTE *encrypted_data, CK_ULONG *encrypted_data_len))
UNSUPPORTED(C_EncryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len,
	CK_BYTE *encrypted_part, CK_ULONG *encrypted_part_len))
UNSUPPORTED(C_EncryptFinal, (CK_SESSION_HANDLE session, CK_BYTE *last_encrypted_part,
	CK_ULONG *last_encrypted_part_len))
UNSUPPORTED(C_DecryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
	CK_OBJECT_HANDLE key))
UNSUPPORTED(C_Decrypt, (CK_SESSION_HANDLE session, CK_BYTE *encrypted_data,
	CK_ULONG encrypted_data_len, CK_BYTE *data, CK_ULONG *data_len))
UNSUPPORTED(C_DecryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE *encrypted_part,
	CK_ULONG encrypted_part_len, CK_BYTE *part, CK_ULONG *part_len))
UNSUPPORTED(C_DecryptFinal, (CK_SESSION_HANDLE session, CK_BYTE *last_part,
	CK_ULONG *last_part_len))
UNSUPPORTED(C_DigestInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism))
UNSUPPORTED(C_Digest, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *digest,
	CK_ULONG *digest_len))
UNSUPPORTED(C_DigestUpdate, (CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len))
UNSUPPORTED(C_DigestKey, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key))
UNSUPPORTED(C_DigestFinal, (CK_SESSION_HANDLE session, CK_BYTE *digest, CK_ULONG *digest_len))
UNSUPPORTED(C_SignUpdate, (CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len))
UNSUPPORTED(C_SignFinal, (CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG *signature_len))
UNSUPPORTED(C_SignRecoverInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
	CK_OBJECT_HANDLE key))
UNSUPPORTED(C_SignRecover, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len,
	CK_BYTE *signature, CK_ULONG *signature_len))
UNSUPPORTED(C_VerifyInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
	CK_OBJECT_HANDLE key))
UNSUPPORTED(C_Verify, (CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_len,
	CK_BYTE *signature, CK_ULONG signature_len))
UNSUPPORTED(C_VerifyUpdate, (CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len))
UNSUPPORTED(C_VerifyFinal, (CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG signature_len))
UNSUPPORTED(C_VerifyRecoverInit, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
	CK_OBJECT_HANDLE key))
UNSUPPORTED(C_VerifyRecover, (CK_SESSION_HANDLE session, CK_BYTE *signature, CK_ULONG signature_len,
	CK_BYTE *data, CK_ULONG *data_len))
UNSUPPORTED(C_DigestEncryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len,
	CK_BYTE *encrypted_part, CK_ULONG *encrypted_part_len))
UNSUPPORTED(C_DecryptDigestUpdate, (CK_SESSION_HANDLE session, CK_BYTE *encrypted_part,
	CK_ULONG encrypted_part_len, CK_BYTE *part, CK_ULONG *part_len))
UNSUPPORTED(C_SignEncryptUpdate, (CK_SESSION_HANDLE session, CK_BYTE *part, CK_ULONG part_len,
	CK_BYTE *encrypted_part, CK_ULONG *encrypted_part_len))
UNSUPPORTED(C_DecryptVerifyUpdate, (CK_SESSION_HANDLE session, CK_BYTE *encrypted_part,
	CK_ULONG encrypted_part_len, CK_BYTE *part, CK_ULONG *part_len))
UNSUPPORTED(C_GenerateKey, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *templ,
	CK_ULONG count, CK_OBJECT_HANDLE *key))
UNSUPPORTED(C_WrapKey, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
	CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, CK_BYTE *wrapped_key,
	CK_ULONG *wrapped_key_len))
UNSUPPORTED(C_UnwrapKey, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
	CK_OBJECT_HANDLE unwrapping_key, CK_BYTE *wrapped_key, CK_ULONG wrapped_key_len,
	CK_ATTRIBUTE *templ, CK_ULONG attribute_count, CK_OBJECT_HANDLE *key))
UNSUPPORTED(C_DeriveKey, (CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
	CK_OBJECT_HANDLE base_key, CK_ATTRIBUTE *templ, CK_ULONG attribute_count,
	CK_OBJECT_HANDLE *key))
UNSUPPORTED(C_SeedRandom, (CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG seed_len))
UNSUPPORTED(C_GetFunctionStatus, (CK_SESSION_HANDLE session))
UNSUPPORTED(C_CancelFunction, (CK_SESSION_HANDLE session))
/* clang-format on */
