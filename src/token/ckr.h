/* ckr: what a PKCS#11 return value means to a user, and what he can do. */
#ifndef TOKEN_CKR_H
#define TOKEN_CKR_H

#include "base/fault.h"

/*
 * Fills a fault from a return value.
 *
 * call  the function that returned it ("C_Sign")
 * rv    the CK_RV; kept as the fault's native number
 *
 * Returns -1, always.  Threads: any.
 * Source: PKCS #11 v2.40 section 5.1
 */
int fault_pkcs11(struct fault *f, const char *call, unsigned long rv);
#define fault_pkcs11(...) fault_failed(fault_pkcs11(__VA_ARGS__))

#endif
