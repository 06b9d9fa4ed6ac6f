/*
 * sym_wire: what the reader's child tells its parent, as flat records over a socket.
 *
 *   record = length u32 | type u8 | payload of that length          (little endian)
 *   STRING   bytes                           the n-th one has id n, from 1; id 0 = none
 *   ANSWER   index u32, frames * FRAME       for the index-th address asked; a later one replaces it
 *   FRAME    function linkage suffix file u32 each (ids), line u32, start line u32, inlined u8
 *   KIND     kind u8, reason bytes           how well the module can be read; the last one holds
 *   FILE     which u8, nth u16, id length u8, build-id, name    asks for a file: answered by its path, in
 *            SYM_PATH_SIZE bytes, empty if there is none, and an fd
 *   DONE                                     nothing was lost
 *
 * The parent believes none of it: a child that a hostile file has taken over can give wrong names
 * and nothing else.
 */
#ifndef HT_SYM_WIRE_H
#define HT_SYM_WIRE_H

#include "sym_map.h"
#include "symbolize.h"

enum sym_record { SYM_REC_STRING = 1, SYM_REC_ANSWER, SYM_REC_KIND, SYM_REC_FILE, SYM_REC_DONE };
enum sym_file {
	SYM_FILE_DEBUG,	    /* the separate debug file of a build-id */
	SYM_FILE_LINK,	    /* the one that .gnu_debuglink names */
	SYM_FILE_ALTERNATE, /* dwz's common file: by name, then by build-id */
	SYM_FILE_PACKAGE,   /* .dwp of the module */
	SYM_FILE_LOOSE,	    /* .dwo by path */
};

#define SYM_HEADER_SIZE	  5
#define SYM_PATH_SIZE	  256
#define SYM_REASON_MAX	  640
#define SYM_FRAME_SIZE	  25
#define SYM_FRAMES_MAX	  1024
#define SYM_STRING_MAX	  (64 * 1024)
#define SYM_RECORD_MAX	  (SYM_STRING_MAX + 256)

struct sym_wire_frame {
	uint32_t function, linkage, suffix, file, line, start_line;
	bool inlined;
};

/* The child's end. A failing write ends the child: nobody listens any more. */
struct sym_out {
	int fd;
	bool hold; /* everything stays in buf, for a file */
	struct ht_buf buf;
	struct sym_strings strings;
};
/* The id of a string, sent when it is new; 0 for NULL. Longer than SYM_STRING_MAX is cut. */
uint32_t sym_out_string(struct sym_out *o, const char *text);
void sym_out_answer(struct sym_out *o, uint32_t index, const struct sym_wire_frame *frames, size_t count);
void sym_out_kind(struct sym_out *o, enum ht_symbols_kind kind, const char *reason);
void sym_out_done(struct sym_out *o);
void sym_out_flush(struct sym_out *o);
/* Asks the parent for the nth file that fits; the descriptor and its path (SYM_PATH_SIZE bytes, may be NULL), or -1. */
int sym_out_ask_file(struct sym_out *o, enum sym_file which, unsigned nth, const char *name, const uint8_t *id,
		     size_t id_len, char *path);

/* The parent's end of the question: the path, and fd unless it is -1. */
void sym_wire_send_file(int socket, int fd, const char *path);

#endif
