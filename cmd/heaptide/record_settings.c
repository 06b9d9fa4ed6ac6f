/* record_settings: see record_settings.h. */
#include "record_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"

#define HT_STALL_NS_MAX (3600ull * 1000000000)
#define USUAL (HT_OPT_ALLOC | HT_OPT_MAP | HT_OPT_THREAD | HT_OPT_SYNC | HT_OPT_IO | HT_OPT_SCHED)

struct ht_record_settings ht_record_settings = {
	.free_stacks = true,
	.addresses = true,
	.stack_depth = 256,
	.stall_threshold = HT_STALL_NS,
	.events = USUAL,
	.timestamps = HT_STAMPS_ALLOC,
	.argv = HT_ARGV_ALL,
};

/* --- --events ----------------------------------------------------------------------------- */

/* One word of the list: name, +name, -name. */
static int add_event(uint32_t *events, const char *word, size_t n, bool *listed, struct ht_diag *d)
{
	char sign = *word == '+' || *word == '-' ? *word : '\0';
	word += sign != '\0';
	n -= sign != '\0';
	for (unsigned i = 0; i < HT_EVENT_CLASSES; i++) {
		if (strlen(ht_event_class_names[i]) != n || memcmp(ht_event_class_names[i], word, n))
			continue;
		if (!sign && !*listed) { /* the first plain name: the list replaces the default */
			*listed = true;
			*events = 0;
		}
		if (sign == '-')
			*events &= ~ht_class_options[i];
		else
			*events |= ht_class_options[i];
		return 0;
	}
	return ht_fail(d, HT_ERR_USAGE,
		       "unknown kind of event '%.*s': of alloc, map, thread, sync, io, sched, stall, fault",
		       (int)(n < 40 ? n : 40), word);
}

static int parse_events(void *value, const char *text, struct ht_diag *d)
{
	uint32_t events = USUAL;
	bool listed = false;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, ",");
		if (n) {
			int r = add_event(&events, p, n, &listed, d);
			if (r)
				return r;
		}
		p += n + (p[n] == ',');
	}
	if (!events)
		return ht_fail(d, HT_ERR_USAGE, "'%s' leaves nothing to record", text);
	*(uint32_t *)value = events;
	return 0;
}

static int parse_threshold(void *value, const char *text, struct ht_diag *d)
{
	uint64_t ns;
	if (ht_parse_time(text, &ns) || ns > HT_STALL_NS_MAX)
		return ht_fail(d, HT_ERR_USAGE, "'%.40s' is not a time of at most an hour, such as 20us or 1.5ms", text);
	*(uint64_t *)value = ns;
	return 0;
}

/* --- the table ---------------------------------------------------------------------------- */

static const char *const follow_choices[] = {"all", "fork", "exec", "none", NULL};
static const char *const wait_choices[] = {"command", "all", NULL};
static const char *const full_choices[] = {"wait", "drop", NULL};
static const char *const stamp_choices[] = {"each", "alloc", "coarse", NULL};
static const char *const argv_choices[] = {"none", "first", "all", NULL};

#define S(field) .value = &ht_record_settings.field
#define ENV(name) .environment = "HEAPTIDE_" name

const struct ht_option ht_record_options[] = {
	{.name = "", .kind = HT_OPTION_HEADING, .help = "The trace:"},
	{.name = "output", .letter = 'o', .kind = HT_OPTION_STRING, S(output), .argument = "FILE", ENV("OUTPUT"),
	 .help = "write FILE; %p pid, %h host, %t time", .fallback = "COMMAND.PID.tide"},
	{.name = "force", .kind = HT_OPTION_FLAG, S(force), ENV("FORCE"), .help = "replace FILE if it exists"},
	{.name = "max-file", .kind = HT_OPTION_SIZE, S(max_file), .argument = "SIZE", ENV("MAX_FILE"),
	 .help = "stop recording, cleanly, at this size"},
	{.name = "argv", .kind = HT_OPTION_CHOICE, S(argv), .choices = argv_choices, ENV("ARGV"),
	 .help = "what of command lines is kept", .fallback = "all"},
	{.name = "addresses", .kind = HT_OPTION_ONOFF, S(addresses), .argument = "on|off", ENV("ADDRESSES"),
	 .help = "keep block addresses (off: smaller files)", .fallback = "on"},
	{.name = "symbolize", .kind = HT_OPTION_FLAG, S(symbolize), ENV("SYMBOLIZE"),
	 .help = "store resolved symbols in the trace"},
	{.name = "", .kind = HT_OPTION_HEADING, .help = "What is recorded:"},
	{.name = "events", .kind = HT_OPTION_CUSTOM, S(events), .argument = "LIST", ENV("EVENTS"),
	 .parse = parse_events, .help = "of alloc,map,thread,sync,io,sched,stall,fault; +x and -x change the default",
	 .fallback = "all but stall, fault"},
	{.name = "stall-threshold", .kind = HT_OPTION_CUSTOM, S(stall_threshold), .argument = "T", ENV("STALL_THRESHOLD"),
	 .parse = parse_threshold, .help = "with --events=+stall: calls of the allocator that take longer", .fallback = "20us"},
	{.name = "free-stacks", .kind = HT_OPTION_ONOFF, S(free_stacks), .argument = "on|off", ENV("FREE_STACKS"),
	 .help = "the stack of each free", .fallback = "on"},
	{.name = "stack-depth", .kind = HT_OPTION_NUMBER, S(stack_depth), .argument = "N", ENV("STACK_DEPTH"),
	 .min = 1, .max = HT_DEPTH_MAX, .help = "frames per stack, leaf-most first", .fallback = "256"},
	{.name = "timestamps", .kind = HT_OPTION_CHOICE, S(timestamps), .choices = stamp_choices,
	 ENV("TIMESTAMPS"), .help = "what takes a stamp of its own", .fallback = "alloc"},
	{.name = "sample", .kind = HT_OPTION_SIZE, S(sample), .argument = "BYTES", ENV("SAMPLE"),
	 .max = 1ull << 40, .help = "one sample per BYTES allocated; 0: every allocation", .fallback = "0"},
	{.name = "sample-seed", .kind = HT_OPTION_NUMBER, S(sample_seed), .argument = "N", ENV("SAMPLE_SEED"),
	 .max = UINT64_MAX, .help = "choose the same samples again; 0: at random", .fallback = "0"},
	{.name = "follow", .kind = HT_OPTION_CHOICE, S(follow), .choices = follow_choices, ENV("FOLLOW"),
	 .help = "which processes COMMAND starts are recorded, too", .fallback = "all"},
	{.name = "", .kind = HT_OPTION_HEADING, .help = "How:"},
	{.name = "wait", .kind = HT_OPTION_CHOICE, S(wait), .choices = wait_choices, ENV("WAIT"),
	 .help = "return when COMMAND, or all of them, ended", .fallback = "command"},
	{.name = "exec", .kind = HT_OPTION_FLAG, S(exec), ENV("EXEC"),
	 .help = "COMMAND replaces record in its pid; no summary"},
	{.name = "on-full", .kind = HT_OPTION_CHOICE, S(on_full), .choices = full_choices, ENV("ON_FULL"),
	 .help = "a full ring: wait a little, or drop; drops are counted", .fallback = "wait"},
	{.name = "ring-memory", .kind = HT_OPTION_SIZE, S(ring_memory), .argument = "SIZE", ENV("RING_MEMORY"),
	 .min = 1, .max = 1ull << 36, .help = "cap of all rings of a process (256K at least)",
	 .fallback = "64M or memory/16"},
	{.name = "collector-memory", .kind = HT_OPTION_SIZE, S(collector_memory), .argument = "SIZE",
	 ENV("COLLECTOR_MEMORY"), .min = 1u << 20, .max = 1ull << 46, .help = "cap of the collector",
	 .fallback = "memory/8"},
	{.name = "self-check", .kind = HT_OPTION_FLAG, S(self_check), ENV("SELF_CHECK"),
	 .help = "compare every stack with a full unwind"},
	{.name = "strict", .kind = HT_OPTION_FLAG, S(strict), ENV("STRICT"),
	 .help = "exit 125 when the recording is incomplete"},
	{.name = "status-file", .kind = HT_OPTION_STRING, S(status_file), .argument = "FILE", ENV("STATUS_FILE"),
	 .help = "write how COMMAND ended, and the recording, as JSON"},
	{.name = "quiet", .letter = 'q', .kind = HT_OPTION_FLAG, S(quiet), ENV("QUIET"),
	 .help = "no summary"},
	{0},
};

int ht_record_settings_check(struct ht_diag *d)
{
	if (ht_record_settings.symbolize && ht_record_settings.exec)
		return ht_fail(d, HT_ERR_USAGE, "--symbolize: cannot be combined with --exec");
	return 0;
}

void ht_record_settings_collect(struct ht_collect_settings *out)
{
	static const unsigned follow[] = {HT_FOLLOW_FORK | HT_FOLLOW_EXEC, HT_FOLLOW_FORK, HT_FOLLOW_EXEC, 0};
	static const uint32_t stamps[] = {HT_OPT_STAMP_EACH, 0, HT_OPT_STAMP_COARSE};
	const struct ht_record_settings *s = &ht_record_settings;
	uint32_t hook = s->events | stamps[s->timestamps];
	if (s->free_stacks)
		hook |= HT_OPT_FREE_STACKS;
	if (s->on_full == HT_FULL_DROP)
		hook |= HT_OPT_DROP;
	if (s->sample) /* a stamp each: they are few, and may be far apart */
		hook = (hook | HT_OPT_STAMP_EACH) & ~(uint32_t)HT_OPT_STAMP_COARSE;
	if (s->self_check)
		hook |= HT_OPT_SELF_CHECK;
	*out = (struct ht_collect_settings){
		.out_fd = -1,
		.listen_fd = -1,
		.listen_path_fd = -1,
		.hello_fd = -1,
		.control_fd = -1,
		.hook_options = hook,
		.stack_depth = (uint32_t)s->stack_depth,
		.sample_bytes = s->sample,
		.sample_seed = s->sample_seed,
		.stall_ns = s->stall_threshold,
		.follow = follow[s->follow],
		.wait_all = s->wait == HT_WAIT_ALL,
		.addresses = s->addresses,
		.free_stacks = s->free_stacks,
		.argv = s->argv,
		.ring_memory = s->ring_memory,
		.collector_memory = s->collector_memory,
		.max_file = s->max_file,
	};
}

/* --- the file ----------------------------------------------------------------------------- */

static void append_expansion(struct ht_buf *b, char what, pid_t pid)
{
	char text[300] = "";
	time_t now = time(NULL);
	struct tm tm;
	switch (what) {
	case 'p':
		ht_buf_printf(b, "%d", (int)pid);
		break;
	case 'h':
		gethostname(text, sizeof(text) - 1);
		ht_buf_printf(b, "%s", text);
		break;
	case 't':
		if (localtime_r(&now, &tm))
			strftime(text, sizeof(text), "%Y%m%d-%H%M%S", &tm);
		ht_buf_printf(b, "%s", text);
		break;
	case '%':
		ht_buf_byte(b, '%');
		break;
	default:
		ht_buf_printf(b, "%%%c", what);
	}
}

char *ht_record_file_name(const char *pattern, const char *command, pid_t pid)
{
	if (!pattern || !*pattern) {
		const char *base = ht_base_name(command);
		return ht_xasprintf("%.100s.%d.tide", *base == '-' ? base + 1 : base, (int)pid);
	}
	struct ht_buf b = {0};
	for (const char *p = pattern; *p; p++) {
		if (*p == '%' && p[1])
			append_expansion(&b, *++p, pid);
		else
			ht_buf_byte(&b, (uint8_t)*p);
	}
	ht_buf_byte(&b, 0);
	return (char *)b.data;
}

int ht_record_file_open(const char *path, bool force, struct ht_diag *d)
{
	if (force)
		unlink(path); /* what stands there now may be somebody's open file, or a link to elsewhere */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	int e = errno;
	ht_fail(d, HT_ERR_SYSTEM, "%s: %s", path, strerror(e));
	if (e == EEXIST)
		ht_hint(d, "--force replaces it");
	return HT_ERR_SYSTEM;
}
