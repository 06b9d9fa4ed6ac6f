/*
 * sym_fetch: debug files from debuginfod servers. Only on request, since a build-id tells strangers what runs here. The
 * client library is looked for at run time: it brings curl and a dozen others along, which nobody needs who did not ask.
 */
#include "sym_open.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

struct sym_fetch {
	void *client;
	void (*end)(void *client);
	int (*find)(void *client, const unsigned char *id, int id_len, char **path);
};

static void *library(void)
{
	static void *handle;
	if (!handle)
		handle = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
	return handle;
}

const char *sym_fetch_obstacle(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	if (!urls || !*urls)
		return "DEBUGINFOD_URLS names no server";
	return library() ? NULL : "libdebuginfod.so.1 is not installed";
}

static struct sym_fetch *open_client(void)
{
	if (sym_fetch_obstacle())
		return NULL;
	void *(*begin)(void) = (void *(*)(void))dlsym(library(), "debuginfod_begin");
	struct sym_fetch f = { .end = (void (*)(void *))dlsym(library(), "debuginfod_end"),
			       .find = (int (*)(void *, const unsigned char *, int, char **))dlsym(
				       library(), "debuginfod_find_debuginfo") };
	if (!begin || !f.end || !f.find || !(f.client = begin()))
		return NULL;
	struct sym_fetch *copy = ht_xmalloc(sizeof(f));
	*copy = f;
	return copy;
}

int sym_fetch_debug(struct sym_fetch **client, const uint8_t *id, size_t id_len, char *path, size_t size)
{
	char *found = NULL;
	if (!id_len || id_len > 64)
		return -1;
	if (!*client)
		*client = open_client();
	int fd = *client ? (*client)->find((*client)->client, id, (int)id_len, &found) : -1;
	snprintf(path, size, "%s", found ? found : "");
	free(found);
	return fd < 0 ? -1 : fd;
}

void sym_fetch_close(struct sym_fetch *client)
{
	if (client)
		client->end(client->client);
	free(client);
}
