/*
 * calls_data: moving bytes from and to descriptors of any kind. What stdio reads and writes itself does not pass here:
 * its inner calls stay inside libc.
 */
#include "calls.h"

HT_HOOK(long, read, (int fd, void *to, size_t n), (fd, to, n))
{
	HT_TIMED_IO(long, ht_real.read(fd, to, n), HT_CALL_READ, fd, true);
}

HT_HOOK(long, __read_chk, (int fd, void *to, size_t n, size_t room), (fd, to, n, room))
{
	HT_TIMED_IO(long, ht_real.__read_chk(fd, to, n, room), HT_CALL_READ, fd, true);
}

HT_HOOK(long, write, (int fd, const void *data, size_t n), (fd, data, n))
{
	HT_TIMED_OUT(long, ht_real.write(fd, data, n), HT_CALL_WRITE, fd, r_);
}

HT_HOOK(long, readv, (int fd, const void *parts, int n), (fd, parts, n))
{
	HT_TIMED_IO(long, ht_real.readv(fd, parts, n), HT_CALL_READV, fd, true);
}

HT_HOOK(long, writev, (int fd, const void *parts, int n), (fd, parts, n))
{
	HT_TIMED_OUT(long, ht_real.writev(fd, parts, n), HT_CALL_WRITEV, fd, r_);
}

/* With an offset: files, which nobody waits for. */
#define AT(name, which, params, args)                                         \
	HT_HOOK(long, name, params, args)                                     \
	{                                                                     \
		HT_TIMED_IO(long, ht_real.name args, which, fd, true);        \
	}
AT(pread, HT_CALL_PREAD, (int fd, void *to, size_t n, long at), (fd, to, n, at))
AT(pread64, HT_CALL_PREAD, (int fd, void *to, size_t n, long at), (fd, to, n, at))
AT(__pread_chk, HT_CALL_PREAD, (int fd, void *to, size_t n, long at, size_t room), (fd, to, n, at, room))
AT(__pread64_chk, HT_CALL_PREAD, (int fd, void *to, size_t n, long at, size_t room), (fd, to, n, at, room))
AT(pwrite, HT_CALL_PWRITE, (int fd, const void *data, size_t n, long at), (fd, data, n, at))
AT(pwrite64, HT_CALL_PWRITE, (int fd, const void *data, size_t n, long at), (fd, data, n, at))
AT(preadv, HT_CALL_PREADV, (int fd, const void *parts, int n, long at), (fd, parts, n, at))
AT(preadv64, HT_CALL_PREADV, (int fd, const void *parts, int n, long at), (fd, parts, n, at))
AT(pwritev, HT_CALL_PWRITEV, (int fd, const void *parts, int n, long at), (fd, parts, n, at))
AT(pwritev64, HT_CALL_PWRITEV, (int fd, const void *parts, int n, long at), (fd, parts, n, at))
/* With an offset of -1, as readv and writev. */
AT(preadv2, HT_CALL_PREADV, (int fd, const void *parts, int n, long at, int flags), (fd, parts, n, at, flags))
AT(preadv64v2, HT_CALL_PREADV, (int fd, const void *parts, int n, long at, int flags), (fd, parts, n, at, flags))

HT_HOOK(long, pwritev2, (int fd, const void *parts, int n, long at, int flags), (fd, parts, n, at, flags))
{
	HT_TIMED_OUT(long, ht_real.pwritev2(fd, parts, n, at, flags), HT_CALL_PWRITEV, fd, r_);
}

HT_HOOK(long, pwritev64v2, (int fd, const void *parts, int n, long at, int flags), (fd, parts, n, at, flags))
{
	HT_TIMED_OUT(long, ht_real.pwritev64v2(fd, parts, n, at, flags), HT_CALL_PWRITEV, fd, r_);
}

HT_HOOK(long, sendfile, (int to, int from, long *at, size_t n), (to, from, at, n))
{
	HT_TIMED_OUT(long, ht_real.sendfile(to, from, at, n), HT_CALL_SENDFILE, to, r_);
}

HT_HOOK(long, sendfile64, (int to, int from, long *at, size_t n), (to, from, at, n))
{
	HT_TIMED_OUT(long, ht_real.sendfile64(to, from, at, n), HT_CALL_SENDFILE, to, r_);
}
