/*
 * hostile_select: select with more descriptors asked for than the sets have bits, as programs do that ask for
 * getdtablesize() of them. The kernel looks only at those that the process can have, so nobody may read further: behind
 * each set comes memory that cannot be read.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <unistd.h>

static int ends[2];

static void *make_room(void *unused)
{
	char data[65536];
	usleep(20000);
	(void)!read(ends[0], data, sizeof(data));
	return unused;
}

static fd_set *at_the_edge(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mprotect(p + 4096, 4096, PROT_NONE) != 0)
		return NULL;
	return (fd_set *)(p + 4096 - sizeof(fd_set));
}

int main(void)
{
	static const char data[65536];
	fd_set *in = at_the_edge(), *out = at_the_edge();
	pthread_t thread;
	if (!in || !out || pipe(ends) != 0 || write(ends[1], data, sizeof(data)) != sizeof(data))
		return 2;
	for (int i = 0; i < 3; i++) {
		memset(in, 0, sizeof(*in));
		memset(out, 0, sizeof(*out));
		FD_SET(ends[1], out);
		if (pthread_create(&thread, NULL, make_room, NULL) != 0)
			return 2;
		struct timespec most = {5, 0};
		int r = i % 2 ? pselect(1 << 20, in, out, NULL, &most, NULL) : select(1 << 20, in, out, NULL, NULL);
		printf("%d %d\n", r, FD_ISSET(ends[1], out) != 0);
		pthread_join(thread, NULL);
		if (write(ends[1], data, sizeof(data)) != sizeof(data))
			return 2;
	}
	return 0;
}
