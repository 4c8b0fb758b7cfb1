#include "hcloud/selector.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/str.h"
#include "hcloud/label.h"

#define TERMS_MAX  64
#define VALUES_MAX 64

enum term_kind {
	TERM_EXISTS = 1,
	TERM_ABSENT,
	TERM_IN, /* "k=v" is "k in (v)" */
	TERM_NOT_IN,
};

struct term {
	enum term_kind kind;
	char *key;
	char *values[VALUES_MAX];
	size_t value_count;
};

struct selector {
	struct term terms[TERMS_MAX];
	size_t term_count;
};

struct parser {
	const char *text;
	size_t at;
	char *error_text;
};

static int expected(struct parser *parser, const char *what)
{
	(void)snprintf(parser->error_text, SELECTOR_ERROR_BYTES, "expected %s at pos %zu", what,
		       parser->at);
	return -1;
}

static void skip_spaces(struct parser *parser)
{
	parser->at += strspn(parser->text + parser->at, " ");
}

/* The next characters are `word`: they are eaten. */
static bool eat(struct parser *parser, const char *word)
{
	skip_spaces(parser);
	if (!str_has_prefix(parser->text + parser->at, word))
		return false;
	parser->at += strlen(word);
	return true;
}

/* A bare word of the characters that keys and values have. */
static size_t word_bytes(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./");
}

static int parse_key(struct parser *parser, char **ret)
{
	skip_spaces(parser);
	const char *begin = parser->text + parser->at;
	size_t bytes = word_bytes(begin);

	if (bytes == 0 || !label_key_is_valid(begin, bytes))
		return expected(parser, "label key");
	*ret = xstrndup(begin, bytes);
	parser->at += bytes;
	return 0;
}

static int parse_value(struct parser *parser, struct term *term)
{
	skip_spaces(parser);
	const char *begin = parser->text + parser->at;
	size_t bytes = word_bytes(begin);

	if (!label_value_is_valid(begin, bytes) || term->value_count == VALUES_MAX)
		return expected(parser, "label value");
	term->values[term->value_count++] = xstrndup(begin, bytes);
	parser->at += bytes;
	return 0;
}

static int parse_set(struct parser *parser, struct term *term)
{
	if (!eat(parser, "("))
		return expected(parser, "opening parenthesis");
	do {
		if (parse_value(parser, term) < 0)
			return -1;
	} while (eat(parser, ","));
	return eat(parser, ")") ? 0 : expected(parser, "closing parenthesis");
}

/* "in" and "notin" are words of their own, apart from what follows. */
static bool eat_word(struct parser *parser, const char *word)
{
	skip_spaces(parser);
	const char *at = parser->text + parser->at;

	return word_bytes(at) == strlen(word) && eat(parser, word);
}

static int parse_term(struct parser *parser, struct term *term)
{
	bool is_negated = eat(parser, "!");

	if (parse_key(parser, &term->key) < 0)
		return -1;
	if (is_negated) {
		term->kind = TERM_ABSENT;
		return 0;
	}
	if (eat(parser, "!=")) {
		term->kind = TERM_NOT_IN;
		return parse_value(parser, term);
	}
	if (eat(parser, "==") || eat(parser, "=")) {
		term->kind = TERM_IN;
		return parse_value(parser, term);
	}
	if (eat_word(parser, "in")) {
		term->kind = TERM_IN;
		return parse_set(parser, term);
	}
	if (eat_word(parser, "notin")) {
		term->kind = TERM_NOT_IN;
		return parse_set(parser, term);
	}
	term->kind = TERM_EXISTS;
	return 0;
}

static int parse_terms(struct parser *parser, struct selector *selector)
{
	skip_spaces(parser);
	if (parser->text[parser->at] == '\0')
		return 0;
	do {
		if (selector->term_count == TERMS_MAX)
			return expected(parser, "end of input");
		if (parse_term(parser, &selector->terms[selector->term_count++]) < 0)
			return -1;
	} while (eat(parser, ","));
	return parser->text[parser->at] == '\0' ? 0 : expected(parser, "comma");
}

int selector_parse(const char *text, struct selector **ret, char error_text[SELECTOR_ERROR_BYTES])
{
	CLEANUP(cleanup_selector) struct selector *selector = xcalloc(1, sizeof(*selector));
	struct parser parser = {.text = text, .error_text = error_text};

	if (parse_terms(&parser, selector) < 0)
		return -1;
	*ret = TAKE_PTR(selector);
	return 0;
}

void selector_free(struct selector *selector)
{
	if (!selector)
		return;
	for (size_t i = 0; i < selector->term_count; i++) {
		struct term *term = &selector->terms[i];

		free(term->key);
		for (size_t j = 0; j < term->value_count; j++)
			free(term->values[j]);
	}
	free(selector);
}

void cleanup_selector(struct selector **selector)
{
	selector_free(*selector);
}

static bool term_matches(const struct term *term, const json_t *labels)
{
	const char *value = json_string_value(json_object_get(labels, term->key));
	bool is_among = false;

	for (size_t i = 0; value && i < term->value_count; i++)
		is_among = is_among || str_eq(value, term->values[i]);
	switch (term->kind) {
	case TERM_EXISTS:
		return value != NULL;
	case TERM_ABSENT:
		return value == NULL;
	case TERM_IN:
		return is_among;
	case TERM_NOT_IN: /* holds for what has no such label, too */
		return !is_among;
	}
	UNREACHABLE();
}

bool selector_matches(const struct selector *selector, const json_t *labels)
{
	for (size_t i = 0; i < selector->term_count; i++) {
		if (!term_matches(&selector->terms[i], labels))
			return false;
	}
	return true;
}
