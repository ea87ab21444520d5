/*
 * lean: what paho's static library has in place of its records of memory and of calls, which took
 * more than half of the time of a message. Private to mqtt/.
 *
 * Names and types are those of paho's Heap.h, StackTrace.h and Log.h; lean.sh puts it together.
 */
#ifndef MQTT_LEAN_H
#define MQTT_LEAN_H

#include <stddef.h>

void *mymalloc(char *file, int line, size_t size);
void *myrealloc(char *file, int line, void *p, size_t size);
void myfree(char *file, int line, void *p);
void Heap_unlink(char *file, int line, void *p);
int Heap_initialize(void);
void Heap_terminate(void);

void StackTrace_entry(const char *name, int line, int level);
void StackTrace_exit(const char *name, int line, void *rc, int level);

void Log(int level, int number, const char *format, ...);
int Log_initialize(void *info);
void Log_terminate(void);
void Log_setTraceCallback(void *callback);
void Log_setTraceLevel(int level);

#endif
