#include "config.h"

#include "base/list.h"

void
list_remove(struct list_link *link)
{
	struct list *list = link->in;

	if (!list)
		return;
	*(link->prev ? &link->prev->next : &list->head) = link->next;
	*(link->next ? &link->next->prev : &list->tail) = link->prev;
	link->in = NULL;
}

void
list_append(struct list *list, struct list_link *link)
{
	list_remove(link);
	link->in = list;
	link->next = NULL;
	link->prev = list->tail;
	*(list->tail ? &list->tail->next : &list->head) = link;
	list->tail = link;
}
