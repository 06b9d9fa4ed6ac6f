/*
 * fuzz_trace_driver PATH...: runs a fuzz target over files and over the files of directories, so
 * that a corpus replays in the ordinary tests, without libFuzzer. Each input also runs cut and with
 * bits turned, a few times, by a fixed rule.
 */
#include "base.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUTATIONS 500
static size_t inputs;

/* A copy with one to four bytes changed. malloc'd to its exact size, so that an overrun is seen. */
static void mutated(const uint8_t *data, size_t size, uint64_t seed)
{
	uint8_t *copy = ht_xmalloc(size);
	memcpy(copy, data, size);
	for (unsigned i = 0; i <= seed % 4 && size; i++) {
		seed = seed * 0x5851f42d4c957f2du + 0x14057b7ef767814fu;
		copy[(seed >> 33) % size] ^=
		    (uint8_t)(1u << (seed >> 60 & 7)) | (uint8_t)(seed >> 20);
	}
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(3);
	}
	uint8_t *data = ht_xmalloc((size_t)st.st_size);
	if (ht_pread_all(fd, data, (size_t)st.st_size, 0) != st.st_size)
		exit(3);
	close(fd);
	LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
	for (uint64_t i = 0; i < MUTATIONS; i++) {
		mutated(data, (size_t)st.st_size, i * 0x9e3779b97f4a7c15u + 1);
		if (i % 10 == 0)
			mutated(data, (size_t)((uint64_t)st.st_size * i / MUTATIONS), 0);
	}
	free(data);
	inputs++;
}

static void run_path(const char *path)
{
	struct stat st;
	struct dirent *entry;
	DIR *dir = !stat(path, &st) && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
	if (!dir) {
		run_file(path);
		return;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		char *child = ht_xasprintf("%s/%s", path, entry->d_name);
		run_path(child);
		free(child);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	printf("%zu inputs\n", inputs);
	return inputs ? 0 : 1; /* an empty corpus tests nothing */
}
