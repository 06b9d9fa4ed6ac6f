/*
 * rows: works on an SQL database in memory, the same in every run: tests link it with two versions of the library and
 * compare. Statements, indexes, sorting, joins, blobs, strings, a transaction that is taken back.
 *
 *	rows COUNT	prints how many rows it inserted, each with one sqlite3_bind_int64, and a sum over what it read
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"

static sqlite3 *db;
static long inserted, sum;

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(db));
	exit(1);
}

static void run(const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail(sql);
}

static void insert_rows(int count)
{
	sqlite3_stmt *s;
	char name[64];
	if (sqlite3_prepare_v2(db, "INSERT INTO item(id, name, body) VALUES(?, ?, zeroblob(40))", -1, &s, NULL) != SQLITE_OK)
		fail("prepare");
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "item number %d of a long list", i * 7919 % count);
		sqlite3_bind_int64(s, 1, i);
		sqlite3_bind_text(s, 2, name, -1, SQLITE_TRANSIENT);
		if (sqlite3_step(s) != SQLITE_DONE)
			fail("insert");
		sqlite3_reset(s);
		inserted++;
	}
	sqlite3_finalize(s);
}

static void read_rows(const char *sql)
{
	sqlite3_stmt *s;
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
		fail(sql);
	while (sqlite3_step(s) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(s, 0);
		sum += text ? (long)strlen(text) : 0;
	}
	sqlite3_finalize(s);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 1000;
	if (sqlite3_open(":memory:", &db) != SQLITE_OK)
		fail("open");
	run("CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, body BLOB); CREATE TABLE tag(item, word)");
	run("BEGIN");
	insert_rows(count);
	run("INSERT INTO tag SELECT id, substr(name, 6, 12) FROM item WHERE id % 3 = 0; COMMIT");
	run("CREATE INDEX by_name ON item(name); CREATE INDEX by_word ON tag(word)");
	for (int i = 0; i < 20; i++) {
		read_rows("SELECT upper(name) FROM item WHERE id % 5 = 1 ORDER BY name DESC");
		read_rows("SELECT word || ':' || count(*) FROM tag GROUP BY word HAVING count(*) > 0");
		read_rows("SELECT item.name FROM tag JOIN item ON item.id = tag.item WHERE tag.word LIKE 'number 1%'");
		read_rows("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100) SELECT x FROM n");
	}
	run("BEGIN; UPDATE item SET body = zeroblob(100) WHERE id % 2 = 0; ROLLBACK");
	run("DELETE FROM tag WHERE item % 2 = 0");
	sqlite3_close(db);
	printf("%ld %ld\n", inserted, sum);
	return 0;
}
