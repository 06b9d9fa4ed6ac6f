/*
 * calls: from a call that took long to its record. Slow by nature, since something has just waited: this is where
 * descriptors are looked at. After a seccomp filter, when a system call that the program does not make itself may be
 * its end, kinds are guessed from the call's name and objects are not known.
 */
#include "calls.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>

uint32_t ht_timed = HT_TIMED_START;

HT_COLD uint64_t ht_call_unready(void)
{
	if (!ht_real_ready)
		ht_real_resolve();
	return 0;
}

int ht_errno(void)
{
	return errno;
}

bool ht_fd_look(int fd, struct ht_fd_facts *out)
{
	struct stat st;
	if (fd < 0 || ht_process.filtered || HT_SYSCALL2(SYS_fstat, fd, &st) != 0)
		return false;
	*out = (struct ht_fd_facts){.object = st.st_ino};
	switch (st.st_mode & S_IFMT) {
	case S_IFSOCK:
		out->kind = HT_WAIT_NET;
		break;
	case S_IFIFO:
		out->kind = HT_WAIT_PIPE;
		break;
	case S_IFREG:
	case S_IFDIR:
	case S_IFBLK:
		out->kind = HT_WAIT_DISK;
		break;
	case 0: /* eventfd, timerfd, signalfd, epoll: all share one inode, so the descriptor's number stands for it */
		out->anonymous = true;
		out->kind = HT_WAIT_OTHER;
		out->object = 1ull << 63 | (uint32_t)fd;
		break;
	default:
		out->kind = HT_WAIT_OTHER;
		out->object = 0;
	}
	return true;
}

/* By name, where the descriptor cannot be asked. */
static unsigned kind_of_call(unsigned call)
{
	switch (call) {
	case HT_CALL_RECV:
	case HT_CALL_SEND:
	case HT_CALL_RECVFROM:
	case HT_CALL_SENDTO:
	case HT_CALL_RECVMSG:
	case HT_CALL_SENDMSG:
	case HT_CALL_ACCEPT:
	case HT_CALL_CONNECT:
		return HT_WAIT_NET;
	case HT_CALL_PREAD:
	case HT_CALL_PWRITE:
	case HT_CALL_FSYNC:
	case HT_CALL_FDATASYNC:
	case HT_CALL_OPEN:
		return HT_WAIT_DISK;
	default:
		return HT_WAIT_OTHER;
	}
}

static unsigned outcome_of(int error)
{
	switch (error) {
	case 0:
		return HT_OUTCOME_OK;
	case EINTR:
		return HT_OUTCOME_INTERRUPTED;
	case EAGAIN:
	case ETIMEDOUT:
		return HT_OUTCOME_TIMEOUT;
	default:
		return HT_OUTCOME_FAILED;
	}
}

void ht_span_note(const struct ht_span *s, const struct ht_unwind_state *from)
{
	int e = errno;
	struct ht_note n = {.op = HT_REC_WAIT, .flags = HT_REC_STACK | HT_REC_STAMP | HT_REC_EXTRA, .address = s->object,
			    .size = s->end - s->begin, .extra2 = s->detail, .ticks = s->end};
	n.extra = s->call | (uint64_t)s->kind << 8 | (uint64_t)outcome_of(s->error) << 16 |
		  (uint64_t)(uint32_t)(s->fd + 1) << 32;
	ht_event(&n, from);
	errno = e;
}

void ht_span_note_fd(struct ht_span *s, const struct ht_unwind_state *from)
{
	struct ht_fd_facts facts;
	if (ht_fd_know(s->fd, &facts)) {
		s->object = facts.object;
		if (s->kind == HT_WAIT_NONE)
			s->kind = facts.kind;
	} else if (s->kind == HT_WAIT_NONE) {
		s->kind = kind_of_call(s->call);
	}
	ht_span_note(s, from);
}

void ht_io_note(struct ht_span *s, unsigned call, int fd, long result, uint64_t detail,
		const struct ht_unwind_state *from)
{
	s->call = call;
	s->kind = HT_WAIT_NONE;
	s->fd = fd;
	s->error = result < 0 ? errno : 0;
	s->object = 0;
	s->detail = detail;
	ht_span_note_fd(s, from);
}
