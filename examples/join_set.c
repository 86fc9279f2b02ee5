/* SPDX-License-Identifier: MIT */
/* A crawler that looks for a word. Each page is fetched by a task of its own; the links of one that has ended
 * become tasks in turn. They are in a set, out of which they come as they end, and in which those are aborted
 * that are not wanted any more. */
#include <stdio.h>
#include <string.h>

#include "edo.h"

struct page {
    const char *path, *text;
    int ms; /* how long it takes */
    const char *links[3];
};

static const struct page site[] = {
    {"/", "welcome", 5, {"/tea", "/cups"}},
    {"/tea", "kinds of tea", 10, {"/tea/black", "/tea/green", "/tea/blue"}},
    {"/tea/black", "assam, darjeeling", 3, {"/tea", "/cups"}},
    {"/tea/green", "gyokuro, sencha", 20, {"/tea", "/cups"}},
    {"/cups", "they are counted, and not yet all", 60000, {"/"}},
};
enum { PAGES = sizeof site / sizeof site[0] };

static const struct page *page_at(const char *path)
{
    for (int i = 0; i < PAGES; i++)
        if (strcmp(site[i].path, path) == 0)
            return &site[i];
    return NULL;
}

struct fetch {
    FUTURE(const struct page *);
    const char *path;
    struct edo_sleep sleep;
};

ASYNC(fetch)
{
    ASYNC_BEGIN;
    self->output = page_at(self->path);
    if (self->output == NULL)
        PANIC("no page %s", self->path); /* ends this task, not the others */
    AWAIT(self->sleep, edo_sleep((uint64_t)self->output->ms));
    ASYNC_END;
}

struct crawl {
    FUTURE(int); /* 0; UV_ENOENT; or why a task could not be spawned */
    const char *word;
    const char *seen[2 * PAGES];
    int count;
    JOIN_SET(const struct page *) set;
    const struct page *page;
    char report[64];
    struct edo_join_set_join_next next;
    struct edo_join_set_shutdown shutdown;
};

/* Once each. */
static int visit(struct crawl *self, const char *path)
{
    for (int i = 0; i < self->count; i++)
        if (strcmp(self->seen[i], path) == 0)
            return 0;
    self->seen[self->count++] = path;
    return edo_join_set_spawn(&self->set, NEW(fetch, .path = path));
}

static int visit_links(struct crawl *self)
{
    int error = 0;
    for (int i = 0; i < 3 && error == 0 && self->page->links[i] != NULL; i++)
        error = visit(self, self->page->links[i]);
    return error;
}

ASYNC(crawl)
{
    ASYNC_BEGIN;
    self->output = visit(self, "/");
    while (self->output == 0) {
        AWAIT(self->next, edo_join_set_join_next_report(&self->set, NULL, &self->page, self->report,
                                                        sizeof self->report));
        if (self->next.output == UV_EOF)
            RETURN(UV_ENOENT);
        if (self->next.output < 0) {
            printf("%.*s\n", (int)strcspn(self->report, "\n"), self->report);
            continue;
        }
        printf("%s\n", self->page->path);
        if (strstr(self->page->text, self->word) != NULL)
            break;
        self->output = visit_links(self);
    }
    if (self->output == 0)
        printf("has %s; %zu left\n", self->word, edo_join_set_len(&self->set));
    AWAIT(self->shutdown, edo_join_set_shutdown(&self->set)); /* waits for them, aborted */
ASYNC_FINALLY:
    edo_join_set_drop(&self->set); /* waits for none: for when the crawl itself is dropped */
    ASYNC_END;
}

EDO_MAIN(NEW(crawl, .word = argc > 1 ? argv[1] : "sencha"))
