/*
 * heaptide.h: tell the recording what the program is doing: regions, tasks, logs and marks.
 *
 * For C (89 and later) and C++ (98 and later); nothing to link. A program that runs without heaptide pays one load
 * and one predicted branch a call; a recorded one finds the table below in the hook that was loaded before it.
 *
 *	region	an interval on one thread. Regions nest: they end in the reverse order, on the thread that
 *		began them. C++: `heaptide::region r("parse");` ends with its scope.
 *	task	a piece of work that may move between threads, such as a request. It is begun and ended once; a
 *		thread works for it from heaptide_task_enter to heaptide_task_leave, and these nest, too.
 *	log	a message with a category, attached to the thread's innermost task and region.
 *	mark	an instant of the whole process: "loaded", "phase 2".
 *	pause	from heaptide_pause to heaptide_resume (they nest, process-wide) allocations are not recorded; the
 *		frees of blocks recorded before still are.
 *
 * Names are NUL-terminated UTF-8 of at most 255 bytes (a log's message: 1,023), longer ones are cut; they are copied, so
 * they may be temporary. NULL is "". Ids of tasks are never 0 in a recorded program; 0 is always accepted and does nothing.
 * All functions may be called from any thread, and from signal handlers; none fails, and none sets errno.
 */
#ifndef HEAPTIDE_H
#define HEAPTIDE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the hook offers. Members are only ever added at the end: `size` tells which are there. */
struct heaptide_api {
	size_t size;
	void (*region_begin)(const char *name);
	void (*region_end)(const char *name);
	uint64_t (*task_begin)(const char *type);
	void (*task_end)(uint64_t task);
	void (*task_enter)(uint64_t task);
	void (*task_leave)(uint64_t task);
	void (*log)(const char *category, const char *message);
	void (*mark)(const char *name);
	void (*pause)(void);
	void (*resume)(void);
	int (*recording)(void);
};

/*
 * NULL where nobody offers it. Always through the global offset table: a weak reference by plain C is settled as NULL
 * when a program is linked without -pie, however it is started.
 */
#if defined(__x86_64__) && !defined(__ILP32__)
static __inline__ const struct heaptide_api *heaptide_api_get(void)
{
	const struct heaptide_api *api;
	__asm__(".weak heaptide_api_1\n\tmovq heaptide_api_1@GOTPCREL(%%rip), %0" : "=r"(api));
	return api;
}
#elif defined(__aarch64__) && !defined(__ILP32__)
static __inline__ const struct heaptide_api *heaptide_api_get(void)
{
	const struct heaptide_api *api;
	__asm__(".weak heaptide_api_1\n\tadrp %0, :got:heaptide_api_1\n\tldr %0, [%0, :got_lo12:heaptide_api_1]" : "=r"(api));
	return api;
}
#else
extern const struct heaptide_api heaptide_api_1 __attribute__((__weak__));
static __inline__ const struct heaptide_api *heaptide_api_get(void)
{
	return &heaptide_api_1;
}
#endif

#define HEAPTIDE_API_(api) __builtin_expect((api) != NULL, 0) /* the unrecorded program is to pay nothing */

static __inline__ void heaptide_region_begin(const char *name)
{
	const struct heaptide_api *api = heaptide_api_get();
	if (HEAPTIDE_API_(api))
		api->region_begin(name);
}

static __inline__ void heaptide_region_end(const char *name)
{
	const struct heaptide_api *api = heaptide_api_get();
	if (HEAPTIDE_API_(api))
		api->region_end(name);
}

static __inline__ uint64_t heaptide_task_begin(const char *type)
{
	const struct heaptide_api *api = heaptide_api_get();
	return HEAPTIDE_API_(api) ? api->task_begin(type) : 0;
}

static __inline__ void heaptide_task_end(uint64_t task)
{
	const struct heaptide_api *api = heaptide_api_get();
	if (HEAPTIDE_API_(api))
		api->task_end(task);
}

static __inline__ void heaptide_task_enter(uint64_t task)
{
	const struct heaptide_api *api = heaptide_api_get();
	if (HEAPTIDE_API_(api))
		api->task_enter(task);
}

static __inline__ void heaptide_task_leave(uint64_t task)
{
	const struct heaptide_api *api = heaptide_api_get();
	if (HEAPTIDE_API_(api))
		api->task_leave(task);
}

static __inline__ void heaptide_log(const char *category, const char *message)
{
	const struct heaptide_api *api = heaptide_api_get();
	if (HEAPTIDE_API_(api))
		api->log(category, message);
}

static __inline__ void heaptide_mark(const char *name)
{
	const struct heaptide_api *api = heaptide_api_get();
	if (HEAPTIDE_API_(api))
		api->mark(name);
}

static __inline__ void heaptide_pause(void)
{
	const struct heaptide_api *api = heaptide_api_get();
	if (HEAPTIDE_API_(api))
		api->pause();
}

static __inline__ void heaptide_resume(void)
{
	const struct heaptide_api *api = heaptide_api_get();
	if (HEAPTIDE_API_(api))
		api->resume();
}

static __inline__ int heaptide_recording(void)
{
	const struct heaptide_api *api = heaptide_api_get();
	return HEAPTIDE_API_(api) ? api->recording() : 0;
}

#ifdef __cplusplus
}

namespace heaptide {

/* A region that ends with its scope. `name` must live as long. */
class region {
public:
	explicit region(const char *name) : name_(name) { heaptide_region_begin(name_); }
	~region() { heaptide_region_end(name_); }

private:
	const char *name_;
	region(const region &);
	region &operator=(const region &);
};

/* A task that this thread begins and works for until the scope's end. */
class task {
public:
	explicit task(const char *type) : id_(heaptide_task_begin(type)) { heaptide_task_enter(id_); }
	~task()
	{
		heaptide_task_leave(id_);
		heaptide_task_end(id_);
	}
	uint64_t id() const { return id_; }

private:
	uint64_t id_;
	task(const task &);
	task &operator=(const task &);
};

/* This thread works for somebody's task until the scope's end. */
class task_scope {
public:
	explicit task_scope(uint64_t task) : id_(task) { heaptide_task_enter(id_); }
	~task_scope() { heaptide_task_leave(id_); }

private:
	uint64_t id_;
	task_scope(const task_scope &);
	task_scope &operator=(const task_scope &);
};

} /* namespace heaptide */
#endif

#endif
