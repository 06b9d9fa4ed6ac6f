/*
 * thread: threads, forks, names, unloading, and the program's way into strict seccomp.
 *
 * pthread_create and thrd_create start the thread in a wrapper of ours, so that the stack's size, the start
 * routine and the creator are known, and the thread's end is seen: by return, by pthread_exit, or cancelled. The
 * wrapper's arguments wait in a small fixed pool; when that is full the thread starts without us and introduces
 * itself with its first event.
 */
#include "sample.h"
#include "sync.h"

#include <linux/seccomp.h>
#include <link.h>
#include <stdarg.h>
#include <sys/prctl.h>

#define STARTS 256
static struct start {
	uint32_t taken;
	uint32_t stack_kib;
	void *(*routine)(void *);
	void *arg;
	uint64_t creator;
} starts[STARTS];

static void note_exit(void)
{
	struct ht_thread *t = ht_self.thread;
	if (!ht_recording() || !t || t->magic != HT_THREAD_MAGIC)
		return;
	if (!(ht_process.options & HT_OPT_THREAD)) { /* not asked for; but its ring is free for others soon */
		HT_STORE_RELAXED(&t->w.slot->ended, 1);
		return;
	}
	struct ht_unwind_state from = HT_CALLER_STATE();
	struct ht_note n = {.op = HT_REC_THREAD_EXIT, .flags = HT_REC_STAMP};
	ht_sync_exit(&from);
	ht_event(&n, &from);
}

/* libc calls it when the thread's stack has been unwound, or we do. */
static void ended(void *unused)
{
	(void)unused;
	note_exit();
}

/* What the thread is to do; the pool's entry is free again. */
static struct start begin_thread(void *p)
{
	struct start *s = p, copy = *s;
	ht_self.stack_kib = s->stack_kib;
	ht_self.start_routine = (uint64_t)s->routine;
	ht_self.serial = s->creator; /* until the claim gives this thread its own */
	HT_STORE_RELEASE(&s->taken, 0);
	if (ht_recording() && ht_process.options & HT_OPT_THREAD && !ht_self.thread)
		ht_claim(false);
	return copy;
}

static void *run_thread(void *p)
{
	struct start s = begin_thread(p);
	struct ht_cleanup end;
	ht_real._pthread_cleanup_push(&end, ended, NULL);
	void *result = s.routine(s.arg);
	ht_real._pthread_cleanup_pop(&end, 1);
	return result;
}

static int run_c11_thread(void *p)
{
	struct start s = begin_thread(p);
	struct ht_cleanup end;
	ht_real._pthread_cleanup_push(&end, ended, NULL);
	int result = ((int (*)(void *))(void *)s.routine)(s.arg);
	ht_real._pthread_cleanup_pop(&end, 1);
	return result;
}

HT_EXPORT void pthread_exit(void *result) __attribute__((noreturn));
HT_EXPORT void pthread_exit(void *result)
{
	if (HT_UNLIKELY(!ht_real_ready))
		ht_real_resolve();
	if (!ht_self.start_routine) /* else its end is still to come */
		note_exit();
	ht_real.pthread_exit(result);
	__builtin_unreachable();
}

/* What a thread's first event does by system calls, now. */
static HT_COLD void introduce(const struct ht_unwind_state *from)
{
	struct ht_capture aside = {.aside = false};
	struct ht_thread *t = ht_recording() ? ht_enter(from) : NULL;
	if (!t && ht_recording())
		t = ht_enter_cold(from, &aside);
	if (t && aside.aside)
		t->nested = false;
	else if (t)
		ht_leave(t);
}

/* A forked child's first thread has its slot before others of the child have theirs: by it the collector knows the child. */
static void come_first(const struct ht_unwind_state *from)
{
	const struct ht_thread *t = ht_self.thread;
	if (HT_UNLIKELY(!t || t->magic != HT_THREAD_MAGIC) && ht_recording())
		introduce(from);
}

/* An entry of the pool; NULL when there is none, or nobody wants to know. */
static struct start *take_start(const void *attr, void *(*routine)(void *), void *arg)
{
	if (HT_UNLIKELY(!ht_real_ready))
		ht_real_resolve();
	struct start *s = NULL;
	if (HT_UNLIKELY(!ht_recording()))
		return NULL;
	for (unsigned i = 0; i < STARTS && !s; i++)
		if (!HT_LOAD_RELAXED(&starts[i].taken) && ht_cas_u32(&starts[i].taken, 0, 1))
			s = &starts[i];
	if (!s)
		return NULL;
	size_t size = (size_t)ht_process.default_stack_kib << 10;
	if (attr && ht_real.pthread_attr_getstacksize)
		ht_real.pthread_attr_getstacksize(attr, &size);
	s->stack_kib = (uint32_t)(size >> 10);
	s->routine = routine;
	s->arg = arg;
	s->creator = ht_self.serial;
	return s;
}

HT_EXPORT int pthread_create(void *thread, const void *attr, void *(*routine)(void *), void *arg);
HT_EXPORT int pthread_create(void *thread, const void *attr, void *(*routine)(void *), void *arg)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	come_first(&from);
	struct start *s = take_start(attr, routine, arg);
	int rc = ht_real.pthread_create(thread, attr, s ? run_thread : routine, s ? s : arg);
	if (rc != 0 && s)
		HT_STORE_RELEASE(&s->taken, 0);
	return rc;
}

HT_EXPORT int thrd_create(void *thread, int (*routine)(void *), void *arg);
HT_EXPORT int thrd_create(void *thread, int (*routine)(void *), void *arg)
{
	struct ht_unwind_state from = HT_CALLER_STATE();
	come_first(&from);
	struct start *s = take_start(NULL, (void *(*)(void *))(void *)routine, arg);
	int rc = ht_real.thrd_create(thread, s ? run_c11_thread : routine, s ? s : arg);
	if (rc != 0 && s)
		HT_STORE_RELEASE(&s->taken, 0);
	return rc;
}

HT_EXPORT int pthread_setname_np(uintptr_t thread, const char *name);
HT_EXPORT int pthread_setname_np(uintptr_t thread, const char *name)
{
	if (HT_UNLIKELY(!ht_real_ready))
		ht_real_resolve();
	int rc = ht_real.pthread_setname_np(thread, name);
	/* a name for another thread is read by the collector from /proc, later */
	if (rc == 0 && ht_recording() && thread == (uintptr_t)__builtin_thread_pointer()) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		struct ht_thread *t = ht_enter(&from);
		if (t) {
			ht_note_name(t, name);
			ht_leave(t);
		}
	}
	return rc;
}

void ht_seccomp_ahead(long option, unsigned long value, const struct ht_unwind_state *from)
{
	/* Strict seccomp kills on every system call but four: from here on not one of ours. */
	if (option == PR_SET_SECCOMP && value == SECCOMP_MODE_STRICT && ht_recording())
		ht_turn_off(HT_OFF_SECCOMP);
	/* A filter is there, or may be soon: without privileges this comes first, and a system call that the program makes
	 * itself does not pass here. */
	if ((option == PR_SET_SECCOMP && value == SECCOMP_MODE_FILTER) || (option == PR_SET_NO_NEW_PRIVS && value)) {
		introduce(from);
		ht_process.filtered = true;
	}
}

HT_EXPORT int prctl(int option, ...);
HT_EXPORT int prctl(int option, ...)
{
	unsigned long a[4];
	va_list ap;
	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (HT_UNLIKELY(!ht_real_ready))
		ht_real_resolve();
	if (option == PR_SET_SECCOMP || option == PR_SET_NO_NEW_PRIVS) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		ht_seccomp_ahead(option, a[0], &from);
	}
	int rc = ht_real.prctl(option, a[0], a[1], a[2], a[3]);
	if (rc == 0 && option == PR_SET_NAME && ht_recording()) {
		struct ht_unwind_state from = HT_CALLER_STATE();
		struct ht_thread *t = ht_enter(&from);
		if (t) {
			ht_note_name(t, (const char *)a[0]);
			ht_leave(t);
		}
	}
	return rc;
}

/* In the parent: who the child is. It may never have an event, and this process may end before it has one. */
static HT_COLD void note_child(uint32_t token, int pid, const struct ht_unwind_state *from)
{
	struct ht_thread *t = ht_enter(from);
	uint64_t *p = t ? ht_ring_reserve(&t->w, 24, !(ht_process.options & HT_OPT_DROP)) : NULL;
	if (p) {
		p[1] = token;
		p[2] = pid > 0 ? (uint64_t)pid : 0;
		ht_ring_commit(&t->w, p, 24, HT_REC_FORKED | (uint64_t)HT_REC_EXTRA << 8);
	}
	if (t)
		ht_leave(t);
}

HT_EXPORT int fork(void);
HT_EXPORT int fork(void)
{
	if (HT_UNLIKELY(!ht_real_ready))
		ht_real_resolve();
	if (!ht_recording() || !(ht_process.options & HT_OPT_FOLLOW_FORK))
		return ht_real.fork();
	/* The child's first event names this record: what was live here, it inherits. */
	struct ht_unwind_state from = HT_CALLER_STATE();
	uint32_t token = __atomic_add_fetch(&ht_process.seg->fork_tokens, 1, __ATOMIC_RELAXED);
	struct ht_note n = {.op = HT_REC_FORK, .flags = HT_REC_STACK | HT_REC_STAMP | HT_REC_EXTRA,
			    .extra = token};
	ht_event(&n, &from);
	ht_self.fork_token = token;
	int pid = ht_real.fork();
	if (pid == 0) {
		ht_sample_forked(token);
		ht_sync_forked();
	}
	if (pid != 0 && ht_recording())
		note_child(token, pid, &from);
	return pid;
}

static int count_unloads(struct dl_phdr_info *info, size_t size, void *out)
{
	(void)size;
	*(unsigned long long *)out = info->dlpi_subs;
	return 1;
}

HT_EXPORT int dlclose(void *handle);
HT_EXPORT int dlclose(void *handle)
{
	if (HT_UNLIKELY(!ht_real_ready))
		ht_real_resolve();
	if (!ht_recording())
		return ht_real.dlclose(handle);
	unsigned long long before = 0, after = 0;
	dl_iterate_phdr(count_unloads, &before);
	int rc = ht_real.dlclose(handle);
	dl_iterate_phdr(count_unloads, &after);
	if (before != after) {
		/* Code at these addresses may be other code tomorrow: every row and every cached stack is forgotten. */
		ht_unwind_flush();
		HT_STORE_RELAXED(&ht_process.seg->generation, ht_unwind_generation);
	}
	return rc;
}
