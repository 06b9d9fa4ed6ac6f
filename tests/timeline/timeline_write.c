/*
 * timeline_write: a timeline of the tests, as a file: the one made by hand, or a machine's.
 *
 *	timeline_write perfetto|chrome FILE [bare | SEED THREADS CPUS STEPS [LIMIT]]
 *
 * bare: the one made by hand, as where no switches could be seen.
 * LIMIT: of Chrome's events; for Perfetto, the bytes after which a sequence begins anew.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chrome.h"
#include "perfetto.h"
#include "timeline_fixture.h"

int main(int argc, char **argv)
{
	struct ht_diag d = {{0}, {0}};
	struct ht_timeline *made = NULL;
	const struct ht_timeline *t = &ht_fixture;
	if (argc != 3 && argc != 4 && argc != 7 && argc != 8) {
		fprintf(stderr, "timeline_write perfetto|chrome FILE [bare | SEED THREADS CPUS STEPS [LIMIT]]\n");
		return 2;
	}
	int fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0666);
	if (fd < 0) {
		perror(argv[2]);
		return 3;
	}
	struct ht_timeline bare = ht_fixture;
	bare.switch_count = bare.span_count = 0;
	if (argc == 4)
		t = &bare;
	if (argc >= 7)
		t = made = ht_fixture_random((unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), (unsigned)atoi(argv[5]),
					     (size_t)atoll(argv[6]));
	bool perfetto = !strcmp(argv[1], "perfetto");
	int r;
	if (argc == 8)
		r = (perfetto ? ht_perfetto_write : ht_chrome_write)(t, (size_t)atoll(argv[7]), fd, &d);
	else
		r = (perfetto ? ht_perfetto_exporter : ht_chrome_exporter).write_timeline(t, fd, &d);
	close(fd);
	if (*d.text)
		fprintf(stderr, "%s\n%s\n", d.text, d.hint);
	printf("%zu switches, %zu arrows, %zu slices, %zu spans\n", t->switch_count, t->arrow_count, t->slice_count,
	       t->span_count);
	if (made)
		ht_fixture_free(made);
	return r ? 1 : 0;
}
