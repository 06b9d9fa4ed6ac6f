/*
 * A library comes and goes between birth and death.
 * truth: work stays
 * link: -ldl
 */
#include <dlfcn.h>

#include "escape.h"

static NOINLINE void work(size_t n)
{
	void *p = malloc(n);
	use(p);
	void *library = dlopen("libutil.so.1", RTLD_NOW);
	if (library)
		dlclose(library);
	free(p);
	after();
}

int main(void)
{
	for (size_t i = 0; i < 20; i++)
		work(i);
	return 0;
}
