/* Runs a fuzz target over each file named, or in each folder named, without a fuzzing engine. */
#include "config.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/file.h"

#define INPUT_MAX (1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
run_file(const char *path)
{
	AUTO(auto_free) char *data = NULL;
	AUTO(auto_free) uint8_t *exact = NULL;
	struct fault f = FAULT_INIT;
	size_t len;

	if (file_read(path, INPUT_MAX, &data, &len, &f)) {
		fprintf(stderr, "%s\n", f.text);
		return -1;
	}
	/* Without the NUL behind it, so that a sanitizer sees a read too far. */
	exact = malloc(len ? len : 1);
	if (!exact)
		return -1;
	memcpy(exact, data, len);
	LLVMFuzzerTestOneInput(exact, len);
	return 0;
}

static void
auto_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Returns how many files were run, or -1. */
static int
run_folder(const char *path)
{
	AUTO(auto_dir) DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	while (dir && (entry = readdir(dir))) {
		AUTO(auto_free) char *file = NULL;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0 || run_file(file))
			return -1;
		n++;
	}
	return dir ? n : -1;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int n = run_folder(argv[i]);

		if (n <= 0) {
			fprintf(stderr, "%s: nothing could be run\n", argv[i]);
			return 1;
		}
		printf("%s: %d inputs\n", argv[i], n);
	}
	return argc > 1 ? 0 : 1;
}
