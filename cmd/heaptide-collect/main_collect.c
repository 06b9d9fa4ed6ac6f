/*
 * heaptide-collect: the collector of a program that was started with LD_PRELOAD alone. The hook's
 * constructor starts it, twice cloned, and says hello on the descriptor that --fd names. Settings come from
 * HEAPTIDE_* variables; nothing is ever said on the program's terminal. It ends when the image
 * that started it and the children that this forked are gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "record_settings.h"
#include "ring.h"

/* The program's name and pid, for the file's name. */
static void who_calls(int fd, char command[64], pid_t *pid)
{
	struct ucred peer = {.pid = 0};
	struct ht_hello hello;
	socklen_t n = sizeof(peer);
	char path[64], link[4096];
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n);
	if (peer.pid <= 0 && recv(fd, &hello, sizeof(hello), MSG_PEEK) == (ssize_t)sizeof(hello))
		peer.pid = (pid_t)hello.pid;
	*pid = peer.pid;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)peer.pid);
	ssize_t got = readlink(path, link, sizeof(link) - 1);
	link[got > 0 ? got : 0] = '\0';
	const char *slash = strrchr(link, '/');
	snprintf(command, 64, "%.63s", slash && slash[1] ? slash + 1 : "program");
}

/* Closing the descriptor tells the hook: off. */
int main(int argc, char **argv)
{
	static const struct ht_option *const options[] = {ht_record_options, NULL};
	struct ht_collect_settings s;
	struct ht_collect_result result;
	struct ht_diag d = {0};
	char command[64], *end;
	pid_t pid;
	if (argc != 3 || strcmp(argv[1], "--fd")) {
		fprintf(stderr, "heaptide-collect: started by the hook, not by hand\n");
		return 2;
	}
	int fd = (int)strtol(argv[2], &end, 10);
	if (*end || fd < 0)
		return 2;
	if (ht_options_environment(options, &d) || ht_record_settings_check(&d))
		return 2;
	ht_record_settings_collect(&s);
	who_calls(fd, command, &pid);
	char *name = ht_record_file_name(ht_record_settings.output, command, pid);
	s.out_fd = ht_record_file_open(name, ht_record_settings.force, &d);
	if (s.out_fd < 0)
		return 3;
	s.hello_fd = fd;
	ht_collect_detach(&s);
	return ht_collect_run(&s, &result) ? 3 : 0;
}
