/* process: what every program of ours does first. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

/*
 * Makes the process one that may hold secrets: no core dump, not traceable by others of the same
 * user, files private to the user, a locked arena for secrets where the system allows it; a broken
 * pipe becomes an error of write().
 *
 * Threads: main only, before any other.
 */
void process_harden(void);

#endif
