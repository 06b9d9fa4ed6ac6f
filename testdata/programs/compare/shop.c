/*
 * shop: a small program whose allocations are known, in functions that can be reordered: tests build it in several ways and
 * compare. Functions stand between lines of "//==", with all prototypes above the first, so that any order compiles.
 *
 *	shop ROUNDS
 *
 * Per round: 50 nodes with a name each, an index of 20 names, one report that grows by realloc, a parse of a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
	struct node *next;
	char *name;
};
static void *volatile keep;
char *dup_name(const char *s);
struct node *make_node(struct node *next, const char *s);
void drop_nodes(struct node *n);
int parse_items(int count);
int index_names(int count);
char *grow_report(int lines);
int read_line(const char *line);
int one_round(int round);

//==
__attribute__((noinline)) char *dup_name(const char *s)
{
	char *p = malloc(strlen(s) + 1);
	return strcpy(p, s);
}
//==
__attribute__((noinline)) struct node *make_node(struct node *next, const char *s)
{
	struct node *n = malloc(sizeof(*n));
	n->next = next;
	n->name = dup_name(s);
	return n;
}
//==
__attribute__((noinline)) void drop_nodes(struct node *n)
{
	while (n) {
		struct node *next = n->next;
		free(n->name);
		free(n);
		n = next;
	}
}
//==
__attribute__((noinline)) int parse_items(int count)
{
	struct node *list = NULL;
	int seen = 0;
	for (int i = 0; i < count; i++)
		list = make_node(list, "an item");
	for (struct node *n = list; n; n = n->next)
		seen++;
	drop_nodes(list);
	return seen;
}
//==
__attribute__((noinline)) int index_names(int count)
{
	char **names = calloc((size_t)count, sizeof(*names));
	for (int i = 0; i < count; i++)
		names[i] = dup_name("an entry of the index");
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return count;
}
//==
__attribute__((noinline)) char *grow_report(int lines)
{
	char *text = NULL;
	for (int i = 1; i <= lines; i++) {
		text = realloc(text, (size_t)i * 64);
		memset(text + (i - 1) * 64, 'x', 64);
	}
	return text;
}
//==
static inline char *first_word(const char *line)
{
	size_t n = strcspn(line, " ");
	char *word = malloc(n + 1);
	memcpy(word, line, n);
	word[n] = 0;
	return word;
}
__attribute__((noinline)) int read_line(const char *line)
{
	char *word = first_word(line);
	int length = (int)strlen(word);
	keep = word;
	free(word);
	return length;
}
//==
__attribute__((noinline)) int one_round(int round)
{
	char *report = grow_report(4);
	int sum = report[0] + parse_items(50) + index_names(20) + read_line("hello world");
	free(report);
	return sum + round;
}
//==
int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 100, sum = 0;
	for (int i = 0; i < rounds; i++)
		sum += one_round(i);
	keep = malloc(777); /* stays */
	printf("%d\n", sum != 0);
	return 0;
}
