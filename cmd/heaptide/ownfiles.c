/*
 * ownfiles: where heaptide's own files are: beside the executable, in the build tree or installed.
 * Never by PATH and never by the working directory: what is found here is loaded into programs.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

const char *ht_program_folder(void)
{
	static char folder[PATH_MAX];
	if (folder[0])
		return folder;
	ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	folder[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	return folder;
}

char *ht_find_own_file(const char *name, const char *const *places)
{
	const char *folder = ht_program_folder();
	for (size_t i = 0; folder[0]; i++) {
		char *path = i == 0 ? ht_xasprintf("%s/%s", folder, name)
				    : ht_xasprintf("%s/%s/%s", folder, places[i - 1], name);
		char *real = realpath(path, NULL);
		free(path);
		if (real)
			return real;
		if (!places[i])
			break;
	}
	return NULL;
}

char *ht_find_hook(void)
{
	static const char *const places[] = {"../../lib/hook", "../lib/heaptide", "../lib", NULL};
	const char *named = getenv("HEAPTIDE_HOOK");
	if (named && *named)
		return realpath(named, NULL);
	return ht_find_own_file("libheaptide-hook.so", places);
}
