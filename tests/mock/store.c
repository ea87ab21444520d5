/*
 * store: the file that lets processes share a token. Knows its form, a text:
 *
 *   mock-pkcs11 LAST-ID
 *   slot SLOT WRONG-PINS
 *   object SLOT ID TYPE:VALUE ...        (type and value in hex)
 *
 * Each call of the module reads it whole under a lock (FILE.lock) and replaces it by renaming.
 * Private keys lie open in it: it is a test's file.
 */
#include "config.h"

#include "mock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <openssl/crypto.h>

static int lock_fd = -1;

static int
nibble(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Decodes hex in place. Returns its length, or -1. */
static long
decode_hex(char *text)
{
	size_t len = strlen(text);
	int high, low;

	if (len % 2)
		return -1;
	for (size_t i = 0; i < len / 2; i++) {
		high = nibble(text[2 * i]);
		low = nibble(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -1;
		text[i] = (char)(high << 4 | low);
	}
	return (long)(len / 2);
}

static bool
parse_attrs(char *text, struct attrs *attrs)
{
	char *rest = NULL, *word, *end;
	CK_ATTRIBUTE_TYPE type;
	long len;

	for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		type = strtoul(word, &end, 16);
		if (end == word || *end++ != ':')
			return false;
		len = decode_hex(end);
		if (len < 0 || attrs_set(attrs, type, end, (size_t)len) != CKR_OK)
			return false;
	}
	return true;
}

static bool
parse_object(char *line)
{
	struct object object = {.session = 0}, *objects;
	int end = 0;

	if (sscanf(line, "object %lu %lu %n", &object.slot, &object.id, &end) != 2 || end == 0 ||
		object.slot >= MOCK_SLOTS)
		return false;
	if (!parse_attrs(line + end, &object.attrs)) {
		attrs_clear(&object.attrs);
		return false;
	}
	objects = realloc(mock.objects, (mock.n_objects + 1) * sizeof(*objects));
	if (!objects) {
		attrs_clear(&object.attrs);
		return false;
	}
	mock.objects = objects;
	objects[mock.n_objects++] = object;
	return true;
}

static bool
parse_line(char *line, size_t number)
{
	CK_ULONG last_id;
	unsigned slot, wrong;

	line[strcspn(line, "\n")] = '\0';
	if (number == 1) {
		if (sscanf(line, "mock-pkcs11 %lu", &last_id) != 1)
			return false;
		/* A session object of this process may have a higher id already. */
		if (last_id > mock.last_id)
			mock.last_id = last_id;
		return true;
	}
	if (sscanf(line, "slot %u %u", &slot, &wrong) == 2 && slot < MOCK_SLOTS) {
		mock.slots[slot].wrong = wrong;
		return true;
	}
	return parse_object(line);
}

static void
forget_token_objects(void)
{
	for (size_t i = mock.n_objects; i-- > 0;)
		if (mock.objects[i].session == 0)
			object_remove(i);
	for (size_t i = 0; i < MOCK_SLOTS; i++)
		mock.slots[i].wrong = 0;
}

static CK_RV
load(void)
{
	FILE *file = fopen(mock.store, "re");
	char *line = NULL;
	size_t size = 0, number = 0;
	bool good = true;
	ssize_t len;

	forget_token_objects();
	mock.dirty = false;
	/* Not there yet: an empty token. */
	if (!file && access(mock.store, F_OK) != 0)
		return CKR_OK;
	while (file && good && (len = getline(&line, &size, file)) > 0) {
		good = parse_line(line, ++number);
		OPENSSL_cleanse(line, (size_t)len);
	}
	free(line);
	if (!file || !good || number == 0) {
		fprintf(stderr, "mock-pkcs11: %s: cannot read line %zu\n", mock.store, number);
		good = false;
	}
	if (file)
		fclose(file);
	return good ? CKR_OK : CKR_GENERAL_ERROR;
}

static void
print(FILE *file)
{
	fprintf(file, "mock-pkcs11 %lu\n", mock.last_id);
	for (unsigned i = 0; i < MOCK_SLOTS; i++)
		fprintf(file, "slot %u %u\n", i, mock.slots[i].wrong);
	for (size_t i = 0; i < mock.n_objects; i++) {
		const struct object *object = &mock.objects[i];

		if (object->session != 0)
			continue;
		fprintf(file, "object %lu %lu", object->slot, object->id);
		for (size_t j = 0; j < object->attrs.n; j++) {
			const CK_ATTRIBUTE *attr = &object->attrs.list[j];
			const unsigned char *bytes = attr->pValue;

			fprintf(file, " %lx:", attr->type);
			for (CK_ULONG k = 0; k < attr->ulValueLen; k++)
				fprintf(file, "%02x", bytes[k]);
		}
		fputc('\n', file);
	}
}

static CK_RV
save(void)
{
	char path[sizeof(mock.store) + 8];
	FILE *file;
	int fd, failed;

	snprintf(path, sizeof(path), "%s.new", mock.store);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (file) {
		print(file);
		failed = ferror(file);
		if ((fclose(file) == 0) && !failed && rename(path, mock.store) == 0)
			return CKR_OK;
	}
	fprintf(stderr, "mock-pkcs11: cannot write %s\n", mock.store);
	return CKR_GENERAL_ERROR;
}

CK_RV
store_begin(void)
{
	char path[sizeof(mock.store) + 8];

	mock.dirty = false;
	if (!mock.store[0])
		return CKR_OK;
	snprintf(path, sizeof(path), "%s.lock", mock.store);
	lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock_fd < 0 || flock(lock_fd, LOCK_EX) != 0) {
		fprintf(stderr, "mock-pkcs11: cannot lock %s\n", path);
		return CKR_GENERAL_ERROR;
	}
	return load();
}

CK_RV
store_end(void)
{
	CK_RV rv = CKR_OK;

	if (lock_fd < 0)
		return CKR_OK;
	if (mock.dirty)
		rv = save();
	mock.dirty = false;
	close(lock_fd);
	lock_fd = -1;
	return rv;
}
