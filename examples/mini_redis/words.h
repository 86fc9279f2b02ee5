/* SPDX-License-Identifier: MIT */
/* Splits a line into words as Redis' sdssplitargs: blanks between them, "…" with escapes (\n \r \t \b
 * \a \xHH, else the byte itself), '…' with \' alone; a closing quote ends the word.
 *
 *     struct word word;
 *     size_t at = 0;
 *     char copies[sizeof line], *copy = copies;
 *     while (words_next(line, length, &at, &copy, &word) > 0)
 *         fwrite(word.text, 1, word.length, stdout);
 *
 * A line without quotes needs no copies: its words are slices of it. Each byte is read once, but for
 * the two behind \x. Allocates nothing; pure.
 */
#ifndef MINI_REDIS_WORDS_H
#define MINI_REDIS_WORDS_H

#include <stddef.h>

struct word {
    const char *text;
    size_t length;
};

/* Finds the next word from *at on, and moves *at behind it and the blank there. `*copy` is NULL, and
 * then quotes aren't allowed for; or room for what is left of the line, where the word is put, and
 * moves behind it. 1, or 0 when there are no more words, or -1 when quotes don't match. */
int words_next(const char *line, size_t length, size_t *at, char **copy, struct word *word);

#endif
