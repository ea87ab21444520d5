#include "config.h"

#include "mqtt/lean.h"

#include <stdlib.h>

/* Memory: straight from malloc(). */

void *
mymalloc(char *file, int line, size_t size)
{
	(void)file, (void)line;
	return malloc(size);
}

void *
myrealloc(char *file, int line, void *p, size_t size)
{
	(void)file, (void)line;
	return realloc(p, size);
}

void
myfree(char *file, int line, void *p)
{
	(void)file, (void)line;
	free(p);
}

void
Heap_unlink(char *file, int line, void *p)
{
	(void)file, (void)line, (void)p;
}

int
Heap_initialize(void)
{
	return 0;
}

void
Heap_terminate(void)
{
}

/* Traces: none. */

void
StackTrace_entry(const char *name, int line, int level)
{
	(void)name, (void)line, (void)level;
}

void
StackTrace_exit(const char *name, int line, void *rc, int level)
{
	(void)name, (void)line, (void)rc, (void)level;
}

void
Log(int level, int number, const char *format, ...)
{
	(void)level, (void)number, (void)format;
}

int
Log_initialize(void *info)
{
	(void)info;
	return 0;
}

void
Log_terminate(void)
{
}

void
Log_setTraceCallback(void *callback)
{
	(void)callback;
}

void
Log_setTraceLevel(int level)
{
	(void)level;
}
