/* SPDX-License-Identifier: MIT */
/* What stops the program happens in a child process, whose last words are read; so a sanitizer's abort is not taken for
 * ours. The child starts no threads: ThreadSanitizer has none after a fork. */
#ifndef EDO_TESTS_LAST_WORDS_H
#define EDO_TESTS_LAST_WORDS_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "poll_harness.h"

/* The child's standard error, after it was ended by SIGABRT. */
HARNESS char *last_words(void (*act)(struct bench *))
{
    static char text[4096];
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct bench bench;
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        bench_begin(&bench);
        act(&bench);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t n; (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)n;
    text[length] = '\0';
    close(ends[0]);
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "it was not stopped: %s", text);
    cr_assert_null(strstr(text, "Sanitizer"), "%s", text);
    return text;
}

#define SAYS(act, what)                                                \
    do {                                                               \
        char *text_ = last_words(act);                                 \
        cr_assert_not_null(strstr(text_, what), "it said: %s", text_); \
    } while (0)

#endif
