#include "cli/table.h"

#include <stdlib.h>

#include "base/check.h"

#define CELL_BYTES_MAX 1024

struct cell {
	char *text;
	enum style style; /* 0: none */
};

struct table {
	const char *const *headings;
	size_t column_count;
	struct cell *cells; /* row by row */
	size_t count, capacity;
	size_t widths[TABLE_COLUMNS_MAX];
};

struct table *table_new(const char *const *headings, size_t column_count)
{
	struct table *table = xcalloc(1, sizeof(*table));

	CHECK(column_count > 0 && column_count <= TABLE_COLUMNS_MAX);
	table->headings = headings;
	table->column_count = column_count;
	for (size_t i = 0; i < column_count; i++)
		table->widths[i] = terminal_width(headings[i]);
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

void cleanup_table(struct table **table)
{
	table_free(*table);
}

void table_cell_styled(struct table *table, const char *text, enum style style)
{
	size_t column = table->count % table->column_count;
	struct buf clean;
	size_t width;

	if (table->count == table->capacity) {
		table->capacity = table->capacity ? table->capacity * 2 : 64;
		table->cells = xreallocarray(table->cells, table->capacity, sizeof(struct cell));
	}
	buf_init(&clean, CELL_BYTES_MAX);
	terminal_clean(&clean, text && text[0] ? text : "-");
	width = terminal_width(clean.data);
	if (width > table->widths[column])
		table->widths[column] = width;
	table->cells[table->count++] = (struct cell){.text = buf_detach(&clean), .style = style};
}

void table_cell(struct table *table, const char *text)
{
	table_cell_styled(table, text, 0);
}

static void render_cell(const struct table *table, const struct terminal *terminal, size_t column,
			const char *text, enum style style, struct buf *out)
{
	size_t width = terminal_width(text);

	if (style)
		buf_append_str(out, terminal_out_style(terminal, style));
	buf_append_str(out, text);
	if (style)
		buf_append_str(out, terminal_out_style(terminal, STYLE_RESET));
	if (column + 1 == table->column_count) {
		buf_append_char(out, '\n');
		return;
	}
	for (; width < table->widths[column] + 2; width++)
		buf_append_char(out, ' ');
}

void table_render(const struct table *table, const struct terminal *terminal, struct buf *out)
{
	CHECK(table->count % table->column_count == 0);
	for (size_t i = 0; i < table->column_count; i++)
		render_cell(table, terminal, i, table->headings[i], STYLE_DIM, out);
	for (size_t i = 0; i < table->count; i++)
		render_cell(table, terminal, i % table->column_count, table->cells[i].text,
			    table->cells[i].style, out);
}
