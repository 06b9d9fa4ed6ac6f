/*
 * hard: uses heaptide.h where it is hard to: in a library that comes and goes, in forked children, threads and signal
 * handlers, wrongly nested, with many names and long messages. Built with -fno-builtin, so that every malloc is one.
 *
 *	hard library FILE | forks | threads | signals | open | wrong | names | long | pauses
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heaptide.h"

static void use(size_t size)
{
	free(malloc(size));
}

static void library(const char *file)
{
	for (int i = 0; i < 3; i++) {
		void *h = dlopen(file, RTLD_NOW);
		void (*plugged)(void) = h ? (void (*)(void))dlsym(h, "plugged") : NULL;
		if (!plugged)
			exit(9);
		plugged();
		dlclose(h);
	}
}

static void forks(void)
{
	uint64_t task = heaptide_task_begin("job");
	heaptide_region_begin("outer");
	for (int i = 0; i < 3; i++) {
		if (!fork()) {
			heaptide_task_enter(task);
			heaptide_region_begin("child");
			use(50);
			heaptide_region_end("child");
			heaptide_task_leave(task);
			uint64_t own = heaptide_task_begin("job");
			heaptide_task_end(own);
			_exit(heaptide_recording() && (!own || own == task));
		}
		int status = 9;
		wait(&status);
		if (status)
			exit(9);
	}
	use(77);
	heaptide_region_end("outer");
	heaptide_task_end(task);
}

static void *work(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2000; i++) {
		heaptide_region_begin("work");
		use(10);
		heaptide_region_end("work");
	}
	return NULL;
}

static void *pause_often(void *unused)
{
	(void)unused;
	for (int i = 0; i < 500; i++) {
		heaptide_pause();
		use(4444);
		heaptide_resume();
	}
	return NULL;
}

static void threads(void *(*run)(void *))
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, run, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static volatile sig_atomic_t signals_seen;
static void handler(int signal)
{
	(void)signal;
	heaptide_region_begin("handler");
	heaptide_log("handler", "interrupted");
	heaptide_region_end("handler");
	signals_seen++;
}

static void signals(void)
{
	struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
	signal(SIGALRM, handler);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 50000 || signals_seen < 20; i++) {
		heaptide_region_begin("loop");
		use(30);
		heaptide_region_end("loop");
	}
	setitimer(ITIMER_REAL, &never, NULL);
	printf("%d\n", (int)signals_seen);
}

static void wrong(void)
{
	heaptide_region_end("never begun");
	heaptide_region_begin(NULL);
	heaptide_region_end(NULL);
	heaptide_task_end(0);
	heaptide_task_enter(12345);
	heaptide_task_leave(777);
	heaptide_log(NULL, NULL);
	heaptide_mark("a\"b\nc\033[31m\377");
	heaptide_resume();
	heaptide_resume();
	use(3);
}

static void long_ones(void)
{
	char *text = malloc(1 << 20);
	memset(text, 'y', (1 << 20) - 1);
	text[(1 << 20) - 1] = '\0';
	for (int i = 0; i < 200; i++)
		heaptide_log("long", text);
	heaptide_region_begin(text);
	heaptide_region_end(text);
	free(text);
}

static void pauses(void)
{
	use(1111);
	threads(pause_often);
	use(2222);
	heaptide_pause();
	if (!fork()) { /* the child is paused, too, and resumes for itself */
		use(5555);
		heaptide_resume();
		use(6666);
		_exit(0);
	}
	wait(NULL);
	use(5555);
	heaptide_resume();
	use(3333);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	char name[32];
	if (!strcmp(what, "library"))
		library(argv[2]);
	else if (!strcmp(what, "forks"))
		forks();
	else if (!strcmp(what, "threads"))
		threads(work);
	else if (!strcmp(what, "signals"))
		signals();
	else if (!strcmp(what, "wrong"))
		wrong();
	else if (!strcmp(what, "long"))
		long_ones();
	else if (!strcmp(what, "pauses"))
		pauses();
	else if (!strcmp(what, "open") || !strcmp(what, "names"))
		for (int i = 0; i < 100000; i++) {
			snprintf(name, sizeof(name), *what == 'n' ? "name %d" : "never ended", i);
			heaptide_region_begin(name);
			if (*what == 'n')
				heaptide_region_end(name);
			else if (i % 100 == 0)
				use(5);
		}
	else
		return 2;
	return 0;
}
