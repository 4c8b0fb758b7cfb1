/* Tables for people: columns as wide as their widest cell, the last one left open. Cells are
 * cleaned of control characters; an empty cell shows as "-", so that a line always splits into as
 * many words as there are columns. */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "cli/terminal.h"

#define TABLE_COLUMNS_MAX 12

struct table;

struct table *table_new(const char *const *headings, size_t column_count);
void table_free(struct table *table);
void cleanup_table(struct table **table);

/* Appends a cell; rows fill from left to right. */
void table_cell(struct table *table, const char *text);
void table_cell_styled(struct table *table, const char *text, enum style style);
/* The whole text with headings; the heading row alone when there are no rows. */
void table_render(const struct table *table, const struct terminal *terminal, struct buf *out);
