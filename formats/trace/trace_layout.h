/*
 * trace_layout: the bytes of a .tide file, as constants and as the codec of one block. Private to
 * this folder; SPEC.md says the same in words, and where the two differ SPEC.md is right.
 *
 *   file    = header  block*
 *   block   = head (64 bytes, own checksum)  payload (zstd frame or verbatim, checksum in the head)
 *   payload = column count, (id, encoding, length)*, then the columns' bytes in that order
 *
 * All integers of fixed width are little endian.
 */
#ifndef HT_TRACE_LAYOUT_H
#define HT_TRACE_LAYOUT_H

#include "base.h"

#define HT_FILE_MAGIC "\x89TIDE\r\n\x1a"
#define HT_FILE_MAGIC_LEN 8
#define HT_FILE_FIXED 16	     /* magic, major, minor, header length: the same in every version */
#define HT_FILE_HEADER_MAX (2u << 20)
#define HT_BLOCK_MAGIC "\xf7HTB"
#define HT_BLOCK_HEAD 64
#define HT_RAW_MAX (16u << 20)	     /* decompressed bytes of any block */
#define HT_EVENTS_MAX (1u << 20)     /* events of a block */
#define HT_RECORDS_MAX (1u << 20)    /* entries of a dictionary block */
#define HT_STRING_MAX (1u << 20)     /* bytes of a string */
#define HT_INDEX_MAX (256u << 10)    /* blocks that a footer lists; longer traces are scanned */
#define HT_WINDOW_LOG_MAX 23
/* A block that is kept in memory may not be a bomb: raw <= 64 * packed + 4096. */
#define HT_KEPT_RATIO 64
#define HT_KEPT_SLACK 4096

enum ht_block_kind {
	HT_KIND_STRINGS = 1,
	HT_KIND_IMAGES = 2,
	HT_KIND_MODULES = 3,
	HT_KIND_NODES = 4,
	HT_KIND_THREADS = 5,
	HT_KIND_SAMPLES = 6,
	HT_KIND_SYMBOLS = 7,
	HT_KIND_EVENTS = 16,
	HT_KIND_CHECKPOINT = 17,
	HT_KIND_SCHED = 18,
	HT_KIND_WAITS = 19,
	HT_KIND_STALLS = 20,
	HT_KIND_FOOTER = 32,
	HT_KIND_END = 33,
};

enum ht_block_flag { HT_BLOCK_ZSTD = 1 };

enum ht_encoding {
	HT_ENC_BYTES = 0,     /* verbatim, a fixed number of bytes for each value */
	HT_ENC_VARINT = 1,    /* LEB128 */
	HT_ENC_ZIGZAG = 2,    /* LEB128 of a zigzag value */
	HT_ENC_DELTA = 3,     /* LEB128 of zigzag(value - previous value of the column), first against 0 */
	HT_ENC_BACK = 4,      /* LEB128: 0 stands for 0, else own id - value */
	HT_ENC_ADDRESS8 = 5,  /* LEB128: zigzag(step / 8) + 1; 0: see the column of far ones. step: see ht_address_slot */
	HT_ENC_ADDRESS16 = 6, /* the same with 16 */
	HT_ENC_STEPS = 7,     /* two bits each, the first lowest: 0, 1, 2; 3: see the column of far ones */
	HT_ENC_TURNS = 8,     /* LEB128: zigzag(value - one of the last two - 1) << 1 | which of them */
};

/* Columns of each kind. Ids are never reused; a reader skips those it does not know. */
enum { HT_COL_STRING_LENGTH, HT_COL_STRING_BYTES };
enum {
	HT_COL_EV_PARAMS, /* varints: time unit in ns, whether births carry addresses */
	HT_COL_EV_THREAD_ID,
	HT_COL_EV_THREAD_START,
	HT_COL_EV_RUN_THREAD,
	HT_COL_EV_RUN_LENGTH,
	HT_COL_EV_OP,
	HT_COL_EV_TIME,
	HT_COL_EV_BIRTH_STACK,
	HT_COL_EV_OTHER_STACK,
	HT_COL_EV_SIZE,
	HT_COL_EV_FREED,
	HT_COL_EV_BIRTH_ADDRESS,
	HT_COL_EV_OTHER_ADDRESS,
	HT_COL_EV_EXTRA,
	HT_COL_EV_EXTRA2,
	HT_COL_EV_OTHER_SIZE,
	HT_COL_EV_FAR_TIME,
	HT_COL_EV_FAR_ADDRESS,
	HT_COL_EV_COUNT,
};
enum {
	HT_COL_CP_PARAMS, /* varints: time unit in ns, number of the checkpoint, first_seq of the one before */
	HT_COL_CP_SEQ,
	HT_COL_CP_THREAD,
	HT_COL_CP_OP,
	HT_COL_CP_SIZE,
	HT_COL_CP_STACK,
	HT_COL_CP_TIME,
	HT_COL_CP_ORDER,
	HT_COL_CP_ADDRESS,
	HT_COL_CP_FREED,
	HT_COL_CP_ENDED,
	HT_COL_CP_BIRTHS_THREAD,
	HT_COL_CP_BIRTHS,
	HT_COL_CP_REALLOC_THREAD,
	HT_COL_CP_REALLOC_SEQ,
	HT_COL_CP_REALLOC_ADDRESS,
	HT_COL_CP_COUNT,
};
/* Each of the three kinds about time: params (varints: time unit in ns, records of the first series), then both
 * series, each beginning with its threads, their numbers of records, and times. */
enum { HT_COL_TIME_PARAMS };
enum {
	HT_COL_SWITCH_THREAD = 1,
	HT_COL_SWITCH_COUNT,
	HT_COL_SWITCH_STEP,
	HT_COL_SWITCH_WHAT,
	HT_COL_STAT_THREAD,
	HT_COL_STAT_COUNT,
	HT_COL_STAT_STEP,
	HT_COL_STAT_RUNNING,
	HT_COL_STAT_RUNNABLE,
	HT_COL_STAT_SLICES,
	HT_COL_SCHED_COUNT,
};
enum {
	HT_COL_WAIT_THREAD = 1,
	HT_COL_WAIT_COUNT,
	HT_COL_WAIT_GAP,
	HT_COL_WAIT_LENGTH,
	HT_COL_WAIT_PLACE,
	HT_COL_WAIT_DETAIL,
	HT_COL_WAKE_THREAD,
	HT_COL_WAKE_COUNT,
	HT_COL_WAKE_STEP,
	HT_COL_WAKE_PLACE,
	HT_COL_PLACE_KIND,
	HT_COL_PLACE_CALL,
	HT_COL_PLACE_OUTCOME,
	HT_COL_PLACE_FLAGS,
	HT_COL_PLACE_FD,
	HT_COL_PLACE_STACK,
	HT_COL_PLACE_OBJECT,
	HT_COL_WAITS_COUNT,
};
enum {
	HT_COL_STALL_THREAD = 1,
	HT_COL_STALL_COUNT,
	HT_COL_STALL_GAP,
	HT_COL_STALL_LENGTH,
	HT_COL_STALL_PLACE,
	HT_COL_STALL_ADDRESS,
	HT_COL_STALL_SIZE,
	HT_COL_FAULT_THREAD,
	HT_COL_FAULT_COUNT,
	HT_COL_FAULT_STEP,
	HT_COL_FAULT_PLACE,
	HT_COL_FAULT_ADDRESS,
	HT_COL_STALL_PLACE_OP,
	HT_COL_STALL_PLACE_STACK,
	HT_COL_STALLS_COUNT,
};
enum { HT_COL_SYMBOLS_FORMAT, HT_COL_SYMBOLS_BYTES };
enum {
	HT_COL_FT_LENGTH,
	HT_COL_FT_KIND,
	HT_COL_FT_COUNT,
	HT_COL_FT_BIRTHS,
	HT_COL_FT_FIRST_SEQ,
	HT_COL_FT_FIRST_NS,
	HT_COL_FT_SPAN_NS,
	HT_COL_FT_KEY,
	HT_COL_FT_VALUE,
};
/* What the writer uses, by column; a reader takes ADDRESS8 for ADDRESS16, too. */
extern const uint8_t ht_event_encoding[HT_COL_EV_COUNT], ht_checkpoint_encoding[HT_COL_CP_COUNT];
#define HT_COLUMNS_MAX 32 /* ids that this reader knows of are smaller */

struct ht_block_head {
	uint8_t kind, flags;
	uint64_t first_seq; /* by kind: see SPEC.md */
	uint64_t first_ns, last_ns;
	uint64_t payload_hash;
	uint32_t sequence, packed_len, raw_len, count, births;
};
void ht_block_head_put(uint8_t out[HT_BLOCK_HEAD], const struct ht_block_head *h);
/* False when magic or checksum do not hold. */
bool ht_block_head_get(struct ht_block_head *h, const uint8_t in[HT_BLOCK_HEAD]);

uint64_t ht_trace_hash(const void *data, size_t n);

/* Compresses raw (or keeps it) and appends head and payload to out; fills the lengths, flags and
 * checksum of h. `kept`: the block is one that readers keep in memory (no bombs). */
struct ht_block_packer;
struct ht_block_packer *ht_block_packer_new(void);
void ht_block_packer_free(struct ht_block_packer *p);
void ht_block_pack(struct ht_block_packer *p, struct ht_block_head *h, const uint8_t *raw, size_t n, bool kept,
		   struct ht_buf *out);

/* Checks the payload against h and leaves its columns in raw. *zstd is a context that the caller
 * keeps (start with NULL) and gives to ht_block_unpack_release. */
int ht_block_unpack(void **zstd, const struct ht_block_head *h, const uint8_t *packed, struct ht_buf *raw,
		    struct ht_diag *d);
void ht_block_unpack_release(void *zstd);

/* The columns of a payload, as cursors; a column that is not there is empty. */
struct ht_columns {
	struct ht_cursor at[HT_COLUMNS_MAX];
	uint8_t encoding[HT_COLUMNS_MAX];
	uint32_t present; /* bit for each id */
};
int ht_columns_parse(struct ht_columns *c, const uint8_t *raw, size_t n, struct ht_diag *d);

/* One column on its way out. */
struct ht_column_out {
	uint8_t id, encoding;
	const uint8_t *data;
	size_t len;
};
/* Replaces raw by the payload of these columns; empty ones are left out. */
void ht_columns_build(struct ht_buf *raw, const struct ht_column_out *c, size_t n);

/* The new end. There must be room for 10 bytes; one beyond the end may be written, so that one
 * and two bytes take the same way. */
static inline uint8_t *ht_put_varint(uint8_t *at, uint64_t v)
{
	if (__builtin_expect(v < 1u << 14, 1)) {
		unsigned more = v > 127;
		at[0] = (uint8_t)(v | more << 7);
		at[1] = (uint8_t)(v >> 7);
		return at + 1 + more;
	}
	while (v >= 0x80) {
		*at++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*at++ = (uint8_t)v;
	return at;
}

/* --- one address ------------------------------------------------------------------------- */

/*
 * A birth's address stands as its step from the last address in the same slot: blocks of one size
 * and thread are neighbours or come back in turn. (Against the thread's last address whatever its
 * size, a python trace took 0.18 bytes an event, this 0.015; cc1 0.91 and 0.71.)
 */
#define HT_ADDRESS_SLOTS 4096
static inline unsigned ht_address_slot(uint64_t size, uint64_t local_thread)
{
	uint64_t size_class = size < 4080 ? (size + 23) >> 4 : 255;
	return (unsigned)(size_class + 256 * local_thread) % HT_ADDRESS_SLOTS;
}

#endif
