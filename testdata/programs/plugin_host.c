/*
 * plugin_host: a C program that opens C++ plugins with RTLD_LOCAL, as python3 does.
 *
 *	plugin_host PLUGIN.so...
 *
 * The host itself does not link libstdc++, so operator new must be found in each plugin's own
 *scope.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef long work_function(int);
typedef long exhaust_function(void);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = strrchr(argv[i], '/');
		void *plugin = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
		work_function *work = plugin ? (work_function *)dlsym(plugin, "plugin_work") : NULL;
		exhaust_function *exhaust =
		    plugin ? (exhaust_function *)dlsym(plugin, "plugin_exhaust") : NULL;

		if (!work || !exhaust) {
			fprintf(stderr, "plugin_host: %s\n", dlerror());
			return 1;
		}
		printf("%s: work %ld, exhaust %ld\n", name ? name + 1 : argv[i], work(1000),
		       exhaust());
	}
	return 0;
}
