/* trace_series: the tables of what blocks about time hold: their series, and their columns. Numbers are on disk: add,
 * never change. */
#include "trace_times.h"

#define SERIES(kind, column, type, time)                                                                               \
	{                                                                                                              \
		kind, column, sizeof(struct type), offsetof(struct type, thread), offsetof(struct type, time)          \
	}
const struct ht_series ht_series[HT_SERIES_COUNT] = {
    [HT_SERIES_SWITCHES] = SERIES(HT_KIND_SCHED, HT_COL_SWITCH_THREAD, ht_switch, time_ns),
    [HT_SERIES_SCHEDSTATS] = SERIES(HT_KIND_SCHED, HT_COL_STAT_THREAD, ht_schedstat, time_ns),
    [HT_SERIES_WAITS] = SERIES(HT_KIND_WAITS, HT_COL_WAIT_THREAD, ht_wait, end_ns),
    [HT_SERIES_WAKES] = SERIES(HT_KIND_WAITS, HT_COL_WAKE_THREAD, ht_wake, time_ns),
    [HT_SERIES_STALLS] = SERIES(HT_KIND_STALLS, HT_COL_STALL_THREAD, ht_stall, end_ns),
    [HT_SERIES_FAULTS] = SERIES(HT_KIND_STALLS, HT_COL_FAULT_THREAD, ht_fault, time_ns),
};

static const uint8_t sched_encodings[HT_COL_SCHED_COUNT] = {
    [HT_COL_TIME_PARAMS] = HT_ENC_VARINT,  [HT_COL_SWITCH_THREAD] = HT_ENC_DELTA, [HT_COL_SWITCH_COUNT] = HT_ENC_VARINT,
    [HT_COL_SWITCH_STEP] = HT_ENC_VARINT,  [HT_COL_SWITCH_WHAT] = HT_ENC_VARINT,  [HT_COL_STAT_THREAD] = HT_ENC_DELTA,
    [HT_COL_STAT_COUNT] = HT_ENC_VARINT,   [HT_COL_STAT_STEP] = HT_ENC_VARINT,	  [HT_COL_STAT_RUNNING] = HT_ENC_DELTA,
    [HT_COL_STAT_RUNNABLE] = HT_ENC_DELTA, [HT_COL_STAT_SLICES] = HT_ENC_DELTA,
};
static const uint8_t wait_encodings[HT_COL_WAITS_COUNT] = {
    [HT_COL_TIME_PARAMS] = HT_ENC_VARINT, [HT_COL_WAIT_THREAD] = HT_ENC_DELTA,	 [HT_COL_WAIT_COUNT] = HT_ENC_VARINT,
    [HT_COL_WAIT_GAP] = HT_ENC_ZIGZAG,	  [HT_COL_WAIT_LENGTH] = HT_ENC_VARINT,	 [HT_COL_WAIT_PLACE] = HT_ENC_VARINT,
    [HT_COL_WAIT_DETAIL] = HT_ENC_VARINT, [HT_COL_WAKE_THREAD] = HT_ENC_DELTA,	 [HT_COL_WAKE_COUNT] = HT_ENC_VARINT,
    [HT_COL_WAKE_STEP] = HT_ENC_VARINT,	  [HT_COL_WAKE_PLACE] = HT_ENC_VARINT,	 [HT_COL_PLACE_KIND] = HT_ENC_BYTES,
    [HT_COL_PLACE_CALL] = HT_ENC_BYTES,	  [HT_COL_PLACE_OUTCOME] = HT_ENC_BYTES, [HT_COL_PLACE_FLAGS] = HT_ENC_BYTES,
    [HT_COL_PLACE_FD] = HT_ENC_VARINT,	  [HT_COL_PLACE_STACK] = HT_ENC_DELTA,	 [HT_COL_PLACE_OBJECT] = HT_ENC_DELTA,
};
static const uint8_t stall_encodings[HT_COL_STALLS_COUNT] = {
    [HT_COL_TIME_PARAMS] = HT_ENC_VARINT,      [HT_COL_STALL_THREAD] = HT_ENC_DELTA,
    [HT_COL_STALL_COUNT] = HT_ENC_VARINT,      [HT_COL_STALL_GAP] = HT_ENC_ZIGZAG,
    [HT_COL_STALL_LENGTH] = HT_ENC_VARINT,     [HT_COL_STALL_PLACE] = HT_ENC_VARINT,
    [HT_COL_STALL_ADDRESS] = HT_ENC_DELTA,     [HT_COL_STALL_SIZE] = HT_ENC_VARINT,
    [HT_COL_FAULT_THREAD] = HT_ENC_DELTA,      [HT_COL_FAULT_COUNT] = HT_ENC_VARINT,
    [HT_COL_FAULT_STEP] = HT_ENC_VARINT,       [HT_COL_FAULT_PLACE] = HT_ENC_VARINT,
    [HT_COL_FAULT_ADDRESS] = HT_ENC_DELTA,     [HT_COL_STALL_PLACE_OP] = HT_ENC_BYTES,
    [HT_COL_STALL_PLACE_STACK] = HT_ENC_DELTA,
};
unsigned ht_times_columns(unsigned kind, const uint8_t **encodings)
{
	*encodings = kind == HT_KIND_SCHED ? sched_encodings : kind == HT_KIND_WAITS ? wait_encodings : stall_encodings;
	return kind == HT_KIND_SCHED   ? HT_COL_SCHED_COUNT
	       : kind == HT_KIND_WAITS ? HT_COL_WAITS_COUNT
				       : HT_COL_STALLS_COUNT;
}
