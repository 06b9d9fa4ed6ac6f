/*
 * procfs: what /proc says about processes that may vanish at any moment. Every function has an answer for
 * that; none fails.
 */
#ifndef HT_PROCFS_H
#define HT_PROCFS_H

#include <sys/types.h>

#include "base.h"

pid_t ht_proc_parent(pid_t pid); /* 0 = unknown */
/* A process that is gone or a zombie is not alive. */
bool ht_proc_alive(pid_t pid);
/* Identity of the running program's file; false: unknown. */
bool ht_proc_exe_id(pid_t pid, uint64_t *dev, uint64_t *ino);
/* The program's path, or "" (n > 0). */
size_t ht_proc_exe(pid_t pid, char *path, size_t n);
/* argv, NUL-separated, at most 64 KiB. */
void ht_proc_cmdline(pid_t pid, struct ht_buf *out);
/* Name of a thread without the newline, at most 15 bytes and NUL. */
void ht_proc_comm(pid_t pid, pid_t tid, char name[16]);
/* Resident bytes (0 = gone) and number of threads. */
uint64_t ht_proc_rss(pid_t pid, uint32_t *threads);
/* nested: tid is what the thread's own pid namespace calls it. */
bool ht_proc_thread_alive(pid_t pid, pid_t tid, bool nested);
/* What a thread is called in its own pid namespace; and which thread, as we see it, is called so there. 0 = not to be found. */
uint32_t ht_proc_own_tid(pid_t pid, pid_t tid);
pid_t ht_proc_find_tid(pid_t pid, uint32_t own_tid);
/* Does the process map the file with this inode number under "/memfd:"? */
bool ht_proc_maps_memfd(pid_t pid, uint64_t ino);
/* The process that maps it and calls itself own_pid in its namespace; 0 = none. Reads all of /proc. */
pid_t ht_proc_find_nested(uint32_t own_pid, uint64_t ino);
/* Another process that maps the file; 0 = none. */
pid_t ht_proc_find_mapping(uint64_t ino);
/* Every process whose environment, as it began, holds the text; until visit answers true. */
void ht_proc_find_environment(const char *text, bool (*visit)(void *ctx, pid_t pid), void *ctx);

#endif
