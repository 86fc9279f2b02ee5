/* SPDX-License-Identifier: MIT */
/* The futures and streams that the public headers declare, for tests that hold the pages about them. */
#ifndef EDO_TESTS_PUBLIC_FUTURES_H
#define EDO_TESTS_PUBLIC_FUTURES_H

#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

static char public_text_[131072];

/* A file as a string, until the next call. Paths are from the root, where tests run. */
__attribute__((unused)) static const char *contents_of(const char *path)
{
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    size_t length = fread(public_text_, 1, sizeof public_text_ - 1, file);
    cr_assert_lt(length, sizeof public_text_ - 1, "%s: too long for this test", path);
    public_text_[length] = '\0';
    fclose(file);
    return public_text_;
}

/* Calls f(header's path, its text, name) for each: told by what stands in the line after the struct's.
 * Returns how many there are. The text is not contents_of's. */
__attribute__((unused)) static int for_each_public_future(void (*f)(const char *path,
                                                                    const char *text,
                                                                    const char *name))
{
    static const char *const rooms[] = {"*.h",         "runtime/*.h",  "combinators/*.h",
                                        "streams/*.h", "channels/*.h", "sync/*.h",
                                        "io/*.h"};
    static const char *const declare[] = {" {\n    EDO_FUTURE(",
                                          " {\n    struct edo_stream stream_;"};
    static char text[sizeof public_text_];
    glob_t headers = {0};
    int flags = 0, found = 0;
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++, flags = GLOB_APPEND)
        glob(rooms[i], flags, NULL, &headers);
    for (size_t i = 0; i < headers.gl_pathc; i++) {
        const char *path = headers.gl_pathv[i];
        if (strstr(path, "_internal.h") != NULL)
            continue;
        strcpy(text, contents_of(path));
        for (size_t j = 0; j < sizeof declare / sizeof declare[0]; j++) {
            for (const char *end = text; (end = strstr(end, declare[j])) != NULL; end++) {
                const char *start = end;
                while (start > text && start[-1] != ' ' && start[-1] != '\n')
                    start--;
                char name[64];
                snprintf(name, sizeof name, "%.*s", (int)(end - start), start);
                if (strncmp(name, "edo_", 4) != 0)
                    continue; /* of a comment, or a macro */
                f(path, text, name);
                found++;
            }
        }
    }
    globfree(&headers);
    return found;
}

#endif
