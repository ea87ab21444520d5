/* list: a doubly linked list of links that stand inside what they chain. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stddef.h>

/* What a link of a table or a list stands in. */
#define CONTAINER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* Stands inside the thing that is chained; all-zero is in no list. */
struct list_link {
	struct list *in;
	struct list_link *prev, *next;
};

/* All-zero is an empty one. */
struct list {
	struct list_link *head, *tail;
};

/* Takes a link out of the list it is in, if any. */
void list_remove(struct list_link *link);

/* Appends a link, taking it out of the list it was in. */
void list_append(struct list *list, struct list_link *link);

#endif
