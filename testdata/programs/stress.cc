/*
 * stress: every way in which a stack can look odd while memory is allocated.
 *
 *	stress [-s SEED] [-n ROUNDS] [-t THREADS] [-p PLUGIN.so]
 *
 * Random recursion through functions with small, large, variable and over-aligned frames;
 *exceptions thrown, rethrown and caught at many depths; longjmp over frames; coroutines on stacks
 *of their own; callbacks from libc; signals whose handler allocates on an alternate stack; a plugin
 *opened and closed. All of them allocate and free. It prints one number that depends on SEED and
 *ROUNDS alone, so that a run under a recorder can be compared with one without.
 */
#include <alloca.h>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <memory>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

#define NOINLINE __attribute__((noinline))

static const char *plugin_path;
static volatile uintptr_t sink;

struct failure : std::runtime_error {
	using std::runtime_error::runtime_error;
};

struct state {
	uint64_t random, sum;
	jmp_buf out;
	ucontext_t main, fiber;
	bool fiber_done;
	void *kept[64];
};

static uint32_t draw(state &s, uint32_t below)
{
	s.random = s.random * 6364136223846793005ull + 1442695040888963407ull;
	return static_cast<uint32_t>(s.random >> 33) % below;
}

/* One block in, another out. The sum takes sizes only: addresses differ from run to run. */
static NOINLINE void touch(state &s)
{
	size_t size = 1 + draw(s, 700);
	unsigned i = draw(s, 64);

	if (draw(s, 4) == 0) {
		s.kept[i] = realloc(s.kept[i], size);
	} else {
		free(s.kept[i]);
		s.kept[i] = draw(s, 2) ? malloc(size) : calloc(1, size);
	}
	if (!s.kept[i])
		abort();
	memset(s.kept[i], 1, size);
	s.sum = s.sum * 31 + size;
}

static void wander(state &s, int depth);

static NOINLINE void frame_small(state &s, int depth)
{
	touch(s);
	wander(s, depth - 1);
	sink = static_cast<uintptr_t>(depth);
}

static NOINLINE void frame_large(state &s, int depth)
{
	volatile char room[3000];

	room[depth] = 1;
	wander(s, depth - 1);
	touch(s);
	sink = static_cast<uintptr_t>(room[depth]);
}

static NOINLINE void frame_variable(state &s, int depth)
{
	size_t size = 16 + draw(s, 500);
	volatile char *room = static_cast<volatile char *>(alloca(size));

	room[size - 1] = 1;
	wander(s, depth - 1);
	touch(s);
	sink = static_cast<uintptr_t>(room[size - 1]);
}

/* The frame is realigned: its CFA is found through a saved register. */
static NOINLINE void frame_aligned(state &s, int depth)
{
	alignas(64) volatile char room[128];

	room[0] = 1;
	touch(s);
	wander(s, depth - 1);
	if (reinterpret_cast<uintptr_t>(&room[0]) % 64 || room[0] != 1)
		abort();
}

static NOINLINE void frame_aligned_variable(state &s, int depth)
{
	alignas(128) volatile char room[256];
	size_t size = 16 + draw(s, 300);
	volatile char *more = static_cast<volatile char *>(alloca(size));

	room[1] = more[0] = 1;
	wander(s, depth - 1);
	touch(s);
	if (reinterpret_cast<uintptr_t>(&room[0]) % 128 || more[0] != 1)
		abort();
}

static NOINLINE void frame_catching(state &s, int depth)
{
	std::string name(20 + draw(s, 80), 'c');

	try {
		touch(s);
		wander(s, depth - 1);
	} catch (const failure &f) {
		s.sum += strlen(f.what());
		touch(s);
		if (draw(s, 3) == 0)
			throw;
	}
	s.sum += name.size();
}

static int compare(const void *a, const void *b, void *arg)
{
	state &s = *static_cast<state *>(arg);
	int x = *static_cast<const int *>(a), y = *static_cast<const int *>(b);

	if (draw(s, 8) == 0)
		touch(s);
	return (x > y) - (x < y);
}

/* More than a kilobyte, so that glibc's qsort takes its buffer from malloc. */
static NOINLINE void frame_sorting(state &s, int depth)
{
	std::vector<int> v(300 + draw(s, 20));

	for (int &x : v)
		x = static_cast<int>(draw(s, 1000));
	qsort_r(v.data(), v.size(), sizeof v[0], compare, &s);
	s.sum += static_cast<uint64_t>(v[v.size() / 2]);
	wander(s, depth - 4);
}

static NOINLINE void leave(state &s)
{
	touch(s);
	if (draw(s, 2))
		throw failure(std::string(30 + draw(s, 40), 'f'));
}

static void wander(state &s, int depth)
{
	static void (*const frames[])(state &, int) = {
	    frame_small,    frame_large,  frame_variable, frame_aligned, frame_aligned_variable,
	    frame_catching, frame_sorting};
	if (depth <= 0)
		return leave(s);
	frames[draw(s, depth > 4 ? 7 : 6)](s, depth);
}

/* --- leaving frames without returning
 * ------------------------------------------------------------- */

static NOINLINE void jump(state &s, int depth)
{
	volatile char room[64];

	room[0] = static_cast<char>(depth);
	touch(s);
	if (depth > 0)
		jump(s, depth - 1);
	if (room[0] == 0)
		longjmp(s.out, 1);
	sink = static_cast<uintptr_t>(room[0]);
}

static NOINLINE void round_longjmp(state &s)
{
	if (setjmp(s.out) == 0)
		jump(s, static_cast<int>(draw(s, 30)));
	touch(s);
}

static NOINLINE void round_exceptions(state &s)
{
	try {
		wander(s, 5 + static_cast<int>(draw(s, 25)));
	} catch (const failure &f) {
		s.sum += strlen(f.what());
	}
}

/* --- other stacks
 * --------------------------------------------------------------------------------- */

static void fiber_main(unsigned high, unsigned low)
{
	state &s = *reinterpret_cast<state *>(static_cast<uintptr_t>(high) << 32 | low);

	for (int i = 0; i < 6; i++) {
		round_exceptions(s);
		swapcontext(&s.fiber, &s.main);
	}
	s.fiber_done = true;
}

/* The fiber and this function take turns; both allocate between the switches. */
static NOINLINE void round_fiber(state &s)
{
	const size_t size = 256 << 10;
	std::unique_ptr<char[]> stack(new char[size]);
	uintptr_t self = reinterpret_cast<uintptr_t>(&s);

	s.fiber_done = false;
	getcontext(&s.fiber);
	s.fiber.uc_stack.ss_sp = stack.get();
	s.fiber.uc_stack.ss_size = size;
	s.fiber.uc_link = &s.main;
	makecontext(&s.fiber, reinterpret_cast<void (*)()>(fiber_main), 2,
		    static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
	while (!s.fiber_done) {
		swapcontext(&s.main, &s.fiber);
		touch(s);
	}
}

static void on_signal(int)
{
	void *block = malloc(333);

	memset(block, 2, 333);
	free(block);
}

static NOINLINE void raise_below(state &s, int depth)
{
	if (depth == 0)
		pthread_kill(pthread_self(), SIGUSR1);
	else
		raise_below(s, depth - 1);
	touch(s);
}

static NOINLINE void round_signals(state &s)
{
	raise_below(s, static_cast<int>(draw(s, 20)));
}

static NOINLINE void round_plugin(state &s)
{
	void *plugin = plugin_path ? dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL) : nullptr;

	if (!plugin_path)
		return;
	if (!plugin) {
		fprintf(stderr, "stress: %s\n", dlerror());
		_exit(1);
	}
	auto run = reinterpret_cast<int (*)(int, int)>(dlsym(plugin, "plugin_run"));
	for (int i = 0; i < 4; i++) {
		int depth = static_cast<int>(draw(s, 12));

		s.sum += static_cast<uint64_t>(run(depth, static_cast<int>(draw(s, 100))));
	}
	dlclose(plugin);
	touch(s);
}

/* --- threads
 * -------------------------------------------------------------------------------------- */

struct job {
	pthread_t id;
	uint64_t seed, rounds, sum;
};

static void *thread_main(void *arg)
{
	static void (*const kinds[])(state &) = {
	    round_exceptions, round_exceptions, round_longjmp, round_fiber,
	    round_signals,    round_exceptions, round_longjmp, round_plugin};
	job &j = *static_cast<job *>(arg);
	std::unique_ptr<state> s(new state());
	stack_t signal_stack = {};
	std::unique_ptr<char[]> signal_room(new char[64 << 10]);

	s->random = j.seed;
	signal_stack.ss_sp = signal_room.get();
	signal_stack.ss_size = 64 << 10;
	sigaltstack(&signal_stack, nullptr);
	for (uint64_t i = 0; i < j.rounds; i++)
		kinds[draw(*s, 8)](*s);
	signal_stack.ss_flags = SS_DISABLE;
	sigaltstack(&signal_stack, nullptr);
	for (void *block : s->kept)
		free(block);
	j.sum = s->sum;
	return nullptr;
}

int main(int argc, char **argv)
{
	uint64_t seed = 1, rounds = 400, sum = 0;
	unsigned threads = 2;
	struct sigaction action = {};
	int c;

	while ((c = getopt(argc, argv, "s:n:t:p:")) != -1) {
		switch (c) {
		case 's':
			seed = strtoull(optarg, nullptr, 0);
			break;
		case 'n':
			rounds = strtoull(optarg, nullptr, 0);
			break;
		case 't':
			threads = static_cast<unsigned>(atoi(optarg));
			break;
		case 'p':
			plugin_path = optarg;
			break;
		default:
			return 2;
		}
	}
	action.sa_handler = on_signal;
	action.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR1, &action, nullptr);
	std::vector<job> jobs(threads);
	for (unsigned i = 0; i < threads; i++) {
		jobs[i] = {0, seed * 1000 + i, rounds / threads, 0};
		if (pthread_create(&jobs[i].id, nullptr, thread_main, &jobs[i]))
			return 1;
	}
	for (job &j : jobs) {
		pthread_join(j.id, nullptr);
		sum = sum * 131 + j.sum;
	}
	printf("stress: %016llx\n", static_cast<unsigned long long>(sum));
	return 0;
}
