/*
 * trace_ops: the tables of the format: what each op carries, the reasons of loss, and the keys
 * under which totals stand in the footer. Numbers in these tables are on disk: add, never change.
 */
#include "trace_layout.h"
#include "trace_totals.h"

#define BIRTH (HT_OP_HAS_BIRTH | HT_OP_HAS_SIZE)
#define RANGE (HT_OP_HAS_ADDRESS | HT_OP_HAS_SIZE)
#define NAMED (HT_OP_HAS_EXTRA | HT_OP_EXTRA_STRING)
#define TEXT (HT_OP_HAS_EXTRA2 | HT_OP_EXTRA2_STRING)
/* What readers assume of an op that they do not know, so that they can step over it. */
#define LATER (HT_OP_HAS_SIZE | HT_OP_HAS_ADDRESS | HT_OP_HAS_EXTRA)

const struct ht_op_info ht_op_info[HT_OP_COUNT] = {
	[HT_OP_NONE] = {"", LATER},
	[HT_OP_MALLOC] = {"malloc", BIRTH},
	[HT_OP_CALLOC] = {"calloc", BIRTH},
	[HT_OP_ALIGNED] = {"aligned", BIRTH | HT_OP_HAS_EXTRA},
	[HT_OP_NEW] = {"new", BIRTH | HT_OP_HAS_EXTRA},
	[HT_OP_REALLOC] = {"realloc", BIRTH},
	[6] = {"", LATER},
	[7] = {"", LATER},
	[HT_OP_FREE] = {"free", HT_OP_HAS_FREED},
	[HT_OP_DELETE] = {"delete", HT_OP_HAS_FREED},
	[HT_OP_REALLOC_FREE] = {"realloc_free", HT_OP_HAS_FREED},
	[HT_OP_IMPLIED_FREE] = {"implied_free", HT_OP_HAS_FREED},
	[HT_OP_FREE_UNKNOWN] = {"free_unknown", HT_OP_HAS_ADDRESS},
	[HT_OP_REALLOC_FREE_UNKNOWN] = {"realloc_free_unknown", HT_OP_HAS_ADDRESS},
	[HT_OP_REALLOC_UNDO] = {"realloc_undo", 0},
	[HT_OP_FAILED] = {"failed", HT_OP_HAS_SIZE},
	[HT_OP_MMAP] = {"mmap", RANGE | HT_OP_HAS_EXTRA},
	[HT_OP_MUNMAP] = {"munmap", RANGE},
	[HT_OP_MREMAP] = {"mremap", RANGE | HT_OP_HAS_EXTRA | HT_OP_HAS_EXTRA2},
	[HT_OP_BRK] = {"brk", RANGE | HT_OP_HAS_EXTRA},
	[HT_OP_REGION_BEGIN] = {"region_begin", NAMED},
	[HT_OP_REGION_END] = {"region_end", NAMED},
	[HT_OP_TASK] = {"task", HT_OP_HAS_SIZE | HT_OP_HAS_EXTRA | TEXT},
	[HT_OP_LOG] = {"log", NAMED | TEXT},
	[HT_OP_THREAD_START] = {"thread_start", HT_OP_HAS_EXTRA},
	[HT_OP_THREAD_EXIT] = {"thread_exit", 0},
	[HT_OP_FORK] = {"fork", HT_OP_HAS_EXTRA},
	[HT_OP_IMAGE_START] = {"image_start", 0},
	[HT_OP_IMAGE_END] = {"image_end", HT_OP_HAS_EXTRA},
	[HT_OP_MARK] = {"mark", NAMED},
	[HT_OP_PAUSE] = {"pause", HT_OP_HAS_EXTRA},
	[31] = {"", LATER},
};

const uint8_t ht_event_encoding[HT_COL_EV_COUNT] = {
	[HT_COL_EV_PARAMS] = HT_ENC_VARINT,
	[HT_COL_EV_THREAD_ID] = HT_ENC_DELTA,
	[HT_COL_EV_THREAD_START] = HT_ENC_VARINT,
	[HT_COL_EV_RUN_THREAD] = HT_ENC_VARINT,
	[HT_COL_EV_RUN_LENGTH] = HT_ENC_VARINT,
	[HT_COL_EV_OP] = HT_ENC_BYTES,
	[HT_COL_EV_TIME] = HT_ENC_STEPS,
	[HT_COL_EV_BIRTH_STACK] = HT_ENC_DELTA,
	[HT_COL_EV_OTHER_STACK] = HT_ENC_DELTA,
	[HT_COL_EV_SIZE] = HT_ENC_VARINT,
	[HT_COL_EV_FREED] = HT_ENC_TURNS,
	[HT_COL_EV_BIRTH_ADDRESS] = HT_ENC_ADDRESS16,
	[HT_COL_EV_OTHER_ADDRESS] = HT_ENC_VARINT,
	[HT_COL_EV_EXTRA] = HT_ENC_VARINT,
	[HT_COL_EV_EXTRA2] = HT_ENC_VARINT,
	[HT_COL_EV_OTHER_SIZE] = HT_ENC_VARINT,
	[HT_COL_EV_FAR_TIME] = HT_ENC_ZIGZAG,
	[HT_COL_EV_FAR_ADDRESS] = HT_ENC_ZIGZAG,
};

const uint8_t ht_checkpoint_encoding[HT_COL_CP_COUNT] = {
	[HT_COL_CP_PARAMS] = HT_ENC_VARINT,
	[HT_COL_CP_SEQ] = HT_ENC_VARINT,
	[HT_COL_CP_THREAD] = HT_ENC_DELTA,
	[HT_COL_CP_OP] = HT_ENC_BYTES,
	[HT_COL_CP_SIZE] = HT_ENC_VARINT,
	[HT_COL_CP_STACK] = HT_ENC_DELTA,
	[HT_COL_CP_TIME] = HT_ENC_DELTA,
	[HT_COL_CP_ORDER] = HT_ENC_DELTA,
	[HT_COL_CP_ADDRESS] = HT_ENC_ZIGZAG,
	[HT_COL_CP_FREED] = HT_ENC_VARINT,
	[HT_COL_CP_ENDED] = HT_ENC_DELTA,
	[HT_COL_CP_BIRTHS_THREAD] = HT_ENC_DELTA,
	[HT_COL_CP_BIRTHS] = HT_ENC_VARINT,
	[HT_COL_CP_REALLOC_THREAD] = HT_ENC_DELTA,
	[HT_COL_CP_REALLOC_SEQ] = HT_ENC_VARINT,
	[HT_COL_CP_REALLOC_ADDRESS] = HT_ENC_VARINT,
};

const char *const ht_lost_names[HT_LOST_COUNT] = {
	[HT_LOST_RING_FULL] = "ring_full",
	[HT_LOST_NO_RING] = "no_ring",
	[HT_LOST_NO_CONTEXT] = "no_context",
	[HT_LOST_NESTED] = "nested",
	[HT_LOST_EARLY] = "early",
	[HT_LOST_ABANDONED] = "abandoned",
	[HT_LOST_DAMAGED] = "damaged",
	[HT_LOST_FULL_DISK] = "full_disk",
	[HT_LOST_AFTER_CLOSE] = "after_close",
	[HT_LOST_SCHED] = "sched",
};

const char *const ht_off_names[HT_OFF_NAMES] = {
	"", "stopped", "it took the collector for dead", "strict seccomp", "a fault of its own", "not followed",
};

#define TOTAL(key, field) {key, offsetof(struct ht_trace_totals, field)}
#define LOST(reason) {HT_TOTAL_LOST + reason, offsetof(struct ht_trace_totals, lost[reason])}

const struct ht_total_key ht_total_keys[] = {
	TOTAL(1, births),
	TOTAL(2, deaths),
	TOTAL(3, events),
	TOTAL(4, requested_bytes),
	TOTAL(5, counted),
	TOTAL(6, recorded),
	TOTAL(7, implied_frees),
	TOTAL(8, unknown_frees),
	TOTAL(9, failed_calls),
	TOTAL(10, undone_reallocs),
	TOTAL(11, truncated_stacks),
	TOTAL(12, guessed_frames),
	TOTAL(13, nested_events),
	TOTAL(14, abandoned),
	TOTAL(15, exec_not_attached),
	TOTAL(16, collector_cpu_ns),
	TOTAL(17, collector_peak_rss),
	TOTAL(18, blocked_ns),
	TOTAL(19, self_check_compared),
	TOTAL(20, self_check_differences),
	TOTAL(21, off_reason),
	TOTAL(22, peak_bytes),
	TOTAL(23, peak_ns),
	TOTAL(24, left_blocks),
	TOTAL(25, left_bytes),
	TOTAL(26, levels_known),
	TOTAL(27, waits),
	TOTAL(28, wakes),
	TOTAL(29, stalls),
	TOTAL(30, faults),
	TOTAL(31, switches),
	TOTAL(32, io_waits),
	LOST(HT_LOST_RING_FULL),
	LOST(HT_LOST_NO_RING),
	LOST(HT_LOST_NO_CONTEXT),
	LOST(HT_LOST_NESTED),
	LOST(HT_LOST_EARLY),
	LOST(HT_LOST_ABANDONED),
	LOST(HT_LOST_DAMAGED),
	LOST(HT_LOST_FULL_DISK),
	LOST(HT_LOST_AFTER_CLOSE),
	LOST(HT_LOST_SCHED),
};
const size_t ht_total_key_count = HT_ARRAY_SIZE(ht_total_keys);
