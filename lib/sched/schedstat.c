/* schedstat: see schedstat.h. */
#include "schedstat.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool ht_schedstat_read(pid_t pid, pid_t tid, struct ht_schedstat_words *s)
{
	char text[128];
	snprintf(text, sizeof(text), "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
	int fd = open(text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	uint64_t *words[] = {&s->running_ns, &s->runnable_ns, &s->slices};
	const char *p = text;
	for (size_t i = 0; i < HT_ARRAY_SIZE(words); i++) {
		char *end;
		*words[i] = strtoull(p, &end, 10);
		if (end == p)
			return false;
		p = end;
	}
	return true;
}

bool ht_schedstat_threads(pid_t pid, bool (*visit)(void *ctx, pid_t tid), void *ctx)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *d = opendir(path);
	if (!d)
		return false;
	bool go_on = true;
	for (struct dirent *e; go_on && (e = readdir(d));)
		if (isdigit((unsigned char)e->d_name[0]))
			go_on = visit(ctx, atoi(e->d_name));
	closedir(d);
	return true;
}
