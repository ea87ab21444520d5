/* changes: how far the file's history is known, so that a restored copy is noticed. Private. */
#ifndef REGISTRY_CHANGES_H
#define REGISTRY_CHANGES_H

#include "registry/db.h"

/*
 * Remembers how far the file's history goes, within the caller's transaction. Call it wherever the
 * broker keeps in memory what that transaction reads: registry_changes() says that everything must
 * be looked at again when the file is no longer a continuation of what was seen here.
 *
 * Returns 0; else FAULT_IO.
 */
int changes_see(struct registry *r, struct fault *f);

#endif
