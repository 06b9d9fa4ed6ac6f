/*
 * pingpong: two threads pass a byte to and fro through two pipes, or (with "socketpair") through one socketpair.
 *
 *	pingpong TRUTH.json [ROUNDS] [socketpair]
 *
 * Each read that had to wait was ended by the other thread's write: those are the handoffs.
 */
#include "time_truth.h"

#include <string.h>
#include <sys/socket.h>

static long rounds = 20000;
static enum truth_kind kind = TRUTH_PIPE;

static struct player {
	const char *name;
	int in, out;
	bool serves;
	int tid;
	unsigned long woken; /* reads that waited */
	pthread_t thread;
} players[2] = {{.name = "ping", .serves = true}, {.name = "pong"}};

static void pass(struct player *p)
{
	char byte = 'b';
	if (TRUTH(kind, write(p->out, &byte, 1)) != 1)
		abort();
}

static void *play(void *of)
{
	struct player *p = of;
	char byte;
	p->tid = truth_begin(p->name);
	for (long i = 0; i < rounds; i++) {
		if (p->serves)
			pass(p);
		uint64_t begin = truth_now();
		if (read(p->in, &byte, 1) != 1)
			abort();
		p->woken += truth_waited(kind, begin) >= 2000;
		if (!p->serves)
			pass(p);
	}
	truth_end();
	return NULL;
}

int main(int argc, char **argv)
{
	int a[2], b[2];
	if (argc < 2)
		return 2;
	if (argc > 2)
		rounds = atol(argv[2]);
	if (argc > 3 && !strcmp(argv[3], "socketpair")) {
		kind = TRUTH_NET;
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, a) != 0)
			return 1;
		players[0].in = players[0].out = a[0];
		players[1].in = players[1].out = a[1];
	} else {
		if (pipe(a) != 0 || pipe(b) != 0)
			return 1;
		players[0].out = a[1];
		players[1].in = a[0];
		players[1].out = b[1];
		players[0].in = b[0];
	}
	for (int i = 0; i < 2; i++)
		if (pthread_create(&players[i].thread, NULL, play, &players[i]) != 0)
			return 1;
	for (int i = 0; i < 2; i++)
		pthread_join(players[i].thread, NULL);
	for (int i = 0; i < 2; i++)
		truth_handoff(players[!i].tid, players[i].tid, kind, players[i].woken);
	return truth_write(argv[1]);
}
