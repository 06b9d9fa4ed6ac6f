/* sym_wire: the child's end; see sym_wire.h. */
#include "sym_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FLUSH_AT (64 * 1024)

static void put32(struct ht_buf *b, uint32_t v)
{
	uint8_t bytes[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };
	ht_buf_append(b, bytes, 4);
}

static void begin(struct sym_out *o, enum sym_record type, size_t payload)
{
	if (o->buf.len >= FLUSH_AT)
		sym_out_flush(o);
	put32(&o->buf, (uint32_t)payload);
	ht_buf_byte(&o->buf, (uint8_t)type);
}

void sym_out_flush(struct sym_out *o)
{
	if (o->hold)
		return;
	if (ht_write_all(o->fd, o->buf.data, o->buf.len))
		_exit(0);
	o->buf.len = 0;
}

uint32_t sym_out_string(struct sym_out *o, const char *text)
{
	if (!text)
		return 0;
	bool is_new;
	size_t n = strnlen(text, SYM_STRING_MAX);
	uint32_t id = sym_strings_add(&o->strings, text, n, &is_new);
	if (is_new) {
		begin(o, SYM_REC_STRING, n);
		ht_buf_append(&o->buf, text, n);
	}
	return id;
}

void sym_out_answer(struct sym_out *o, uint32_t index, const struct sym_wire_frame *frames, size_t count)
{
	begin(o, SYM_REC_ANSWER, 4 + count * SYM_FRAME_SIZE);
	put32(&o->buf, index);
	for (size_t i = 0; i < count; i++) {
		const struct sym_wire_frame *f = &frames[i];
		put32(&o->buf, f->function);
		put32(&o->buf, f->linkage);
		put32(&o->buf, f->suffix);
		put32(&o->buf, f->file);
		put32(&o->buf, f->line);
		put32(&o->buf, f->start_line);
		ht_buf_byte(&o->buf, f->inlined);
	}
}

void sym_out_kind(struct sym_out *o, enum ht_symbols_kind kind, const char *reason)
{
	size_t n = strnlen(reason, SYM_REASON_MAX - 1);
	begin(o, SYM_REC_KIND, 1 + n);
	ht_buf_byte(&o->buf, (uint8_t)kind);
	ht_buf_append(&o->buf, reason, n);
}

void sym_out_done(struct sym_out *o)
{
	begin(o, SYM_REC_DONE, 0);
	sym_out_flush(o);
}

/* The path and at most one descriptor, which comes with the first byte. */
static int receive_file(int socket, char path[SYM_PATH_SIZE])
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { path, SYM_PATH_SIZE };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n;
	do
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		_exit(0); /* nobody listens any more */
	for (size_t got = (size_t)n; got < SYM_PATH_SIZE; got += (size_t)n) {
		n = read(socket, path + got, SYM_PATH_SIZE - got);
		if (n <= 0)
			_exit(0);
	}
	path[SYM_PATH_SIZE - 1] = '\0';
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	int fd;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int sym_out_ask_file(struct sym_out *o, enum sym_file which, unsigned nth, const char *name, const uint8_t *id,
		     size_t id_len, char *path)
{
	char unused[SYM_PATH_SIZE];
	size_t n = strnlen(name, 4096);
	if (id_len > UINT8_MAX || nth > UINT16_MAX)
		return -1;
	begin(o, SYM_REC_FILE, 4 + id_len + n);
	ht_buf_byte(&o->buf, (uint8_t)which);
	ht_buf_byte(&o->buf, (uint8_t)nth);
	ht_buf_byte(&o->buf, (uint8_t)(nth >> 8));
	ht_buf_byte(&o->buf, (uint8_t)id_len);
	ht_buf_append(&o->buf, id, id_len);
	ht_buf_append(&o->buf, name, n);
	sym_out_flush(o);
	return receive_file(o->fd, path ? path : unused);
}

void sym_wire_send_file(int socket, int fd, const char *path)
{
	char text[SYM_PATH_SIZE] = "";
	strncpy(text, path, sizeof(text) - 1);
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec part = { text, sizeof(text) };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	/* A child that is gone will be noticed at the end of its stream. */
	(void)!sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}
