/* result: see result.h. */
#include "result.h"

static struct {
	bool json, csv;
	const char *output;
} settings;

const struct ht_option ht_result_options[] = {
    {.name = "json", .kind = HT_OPTION_FLAG, .value = &settings.json, .help = "print JSON"},
    {.name = "csv",
     .kind = HT_OPTION_FLAG,
     .value = &settings.csv,
     .help = "print the rows as CSV"},
    {.name = "output",
     .letter = 'o',
     .kind = HT_OPTION_STRING,
     .value = &settings.output,
     .argument = "FILE",
     .help = "write to FILE instead of standard output"},
    {0},
};

bool ht_result_is_data(void)
{
	return settings.json || settings.csv;
}

int ht_result_check(struct ht_diag *d)
{
	return settings.json && settings.csv
		   ? ht_fail(d, HT_ERR_USAGE, "--csv: cannot be combined with --json")
		   : 0;
}

int ht_result_open(struct ht_result *r, const char *schema, const char *never, struct ht_diag *d)
{
	int code = ht_output_open(&r->out, settings.output, never, d);
	if (code)
		return code;
	ht_emit_begin(&r->e,
		      settings.json  ? HT_EMIT_JSON
		      : settings.csv ? HT_EMIT_CSV
				     : HT_EMIT_TEXT,
		      &r->out, schema);
	return 0;
}

int ht_result_close(struct ht_result *r, struct ht_diag *d)
{
	ht_emit_end(&r->e);
	return ht_output_close(&r->out, d);
}
