/* keys: gcloud's --public-key flag: path, type and expiration time of a credential. */
#ifndef CMD_P11_REGISTRY_KEYS_H
#define CMD_P11_REGISTRY_KEYS_H

#include "base/auto.h"
#include "base/fault.h"
#include "registry/store.h"

/* A credential and the memory it stands in. */
struct key_flag {
	char *texts[3];
	char *pem;
	struct store_credential credential;
};

/*
 * Fills `flag` from path=FILE,type=TYPE[,expiration-time=RFC3339]; empty it with key_flag_clear()
 * in any case.
 */
int key_flag_read(const char *name, const char *text, struct key_flag *flag, struct fault *f);

/* Fills `flag` from its three parts; type NULL is a fault, expires NULL is never. */
int key_flag_set(const char *path, const char *type, const char *expires, struct key_flag *flag,
	struct fault *f);

void key_flag_clear(struct key_flag *flag);

#endif
