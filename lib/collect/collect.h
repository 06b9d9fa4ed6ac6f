/*
 * collect: the process beside the target. It makes the shared segments, drains their rings, puts
 * the events of all threads into one order and writes the trace. This header is what `record` and
 * heaptide-collect see of it.
 *
 *   record                              heaptide-collect (plain LD_PRELOAD)
 *   ht_collect_listen()   socket        the hello waits on hello_fd
 *   fork, ht_collect_detach()           ht_collect_detach()
 *   ht_collect_run()                    ht_collect_run()
 *
 * The caller opens the output; ht_collect_run() returns when the file is complete, or cannot be
 * continued. A failing disk or a hostile target never makes it fail: that is a result.
 */
#ifndef HT_COLLECT_H
#define HT_COLLECT_H

#include <sys/types.h>

#include "schedstat.h"
#include "trace.h"

#define HT_COLLECT_PATH 96
#define HT_CALL_NS 2000u   /* calls on descriptors that took longer are noted */
#define HT_STALL_NS 20000u /* default of stall_ns */

/* Follow bits. */
enum { HT_FOLLOW_FORK = 1, HT_FOLLOW_EXEC = 2 };
enum ht_argv_keep { HT_ARGV_NONE = 0, HT_ARGV_FIRST, HT_ARGV_ALL };

struct ht_collect_settings {
	int out_fd;	     /* fresh, for appending */
	int listen_fd;	     /* abstract socket, -1 = none */
	int listen_path_fd;  /* path socket, -1 = none */
	char listen_path[HT_COLLECT_PATH]; /* removed at the end; "" = none */
	int hello_fd;	     /* one connection that is there already, -1 = none */
	int control_fd;	     /* to record, -1 = none: then the end of all images ends the trace */
	char token[40];	     /* hello's must be equal; "" = none asked */
	uint32_t hook_options; /* enum ht_seg_option but for NO_TSC and FOLLOW, which are decided here */
	uint32_t stack_depth;
	uint64_t sample_bytes; /* 0: every allocation */
	uint64_t sample_seed;  /* 0: at random */
	uint64_t stall_ns;     /* calls of the allocator that took longer are noted, where HT_OPT_STALL asks */
	unsigned follow;
	bool wait_all;	     /* go on after the command's end, until every image ended */
	bool addresses, free_stacks;
	int argv;	     /* enum ht_argv_keep */
	uint64_t ring_memory;	   /* of one segment; 0 = default */
	uint64_t collector_memory; /* 0 = default */
	uint64_t max_file;	   /* 0 = none */
	const char *const *command; /* for the header, NULL-terminated; NULL = from the first image */
};

/* Which of hook_options each class of events is; index: enum ht_event_class. */
extern const uint32_t ht_class_options[HT_EVENT_CLASSES];

/* record -> collector, SOCK_SEQPACKET. */
enum ht_collect_word {
	HT_COLLECT_PID = 1, /* value = the command's pid: its image is the first one */
	HT_COLLECT_EXIT,    /* value = the command's wait status */
	HT_COLLECT_STOP,    /* end the trace now */
};
struct ht_collect_message {
	uint32_t word;
	int32_t value;
	bool has_schedstat; /* EXIT: what its first thread had run, read before it was waited for */
	struct ht_schedstat_words schedstat;
};

#define HT_RUNNING_MAX 8
/* collector -> record: first one with ready set, last one with the result. */
struct ht_collect_result {
	bool ready;	    /* nothing else in it counts */
	bool attached;	    /* at least one image spoke to us */
	uint32_t images, processes;
	uint32_t running_count; /* images still running when the trace was closed */
	uint32_t running[HT_RUNNING_MAX];
	uint64_t duration_ns, file_bytes;
	bool failed;	    /* the output could not be written: recorded until then */
	char failure[96];   /* why, as the system says it */
	bool size_limit;    /* --max-file ended it */
	uint64_t stopped_ns; /* then: recorded until */
	uint64_t peak_rss;  /* largest RSS sample of one image */
	uint32_t segment_flags; /* enum ht_seg_flag */
	char shadowed_by[128];
	char new_bypassed[256]; /* the first program whose operator new is not the runtime's and not hooked, "" = none */
	char refusal[128];  /* why the last image that asked got no segment, "" = none did */
	struct ht_trace_totals totals;
};

/* Binds an abstract SOCK_SEQPACKET socket of a random name; fills in name (without the leading NUL) and token. */
int ht_collect_listen(char name[40], char token[40], struct ht_diag *d);
/*
 * A path socket beside it, for targets in another network namespace, in a fresh folder of its own under
 * $XDG_RUNTIME_DIR or /tmp. The descriptor, or -1 with path "": then there is none, which is no error.
 */
int ht_collect_listen_path(char path[HT_COLLECT_PATH]);
/* Removes it, if it is still there; path becomes "". */
void ht_collect_unlink_path(char path[HT_COLLECT_PATH]);
/* Own session, no terminal, no signal ends us; closes every descriptor but those of the settings. */
void ht_collect_detach(const struct ht_collect_settings *s);
/* Runs to the end; with a control_fd it sends ready, then the result. */
int ht_collect_run(const struct ht_collect_settings *s, struct ht_collect_result *r);

/* Defaults that depend on the machine and its cgroup. */
uint64_t ht_collect_default_rings(void);
uint64_t ht_collect_default_memory(void);

#endif
