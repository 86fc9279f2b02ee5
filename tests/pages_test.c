/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal/sys.h"

enum { SMALL = 65536, HUGE = 2 << 20 };

/* Whether the system has been asked for huge pages there. */
static bool asked_for_huge(const void *pages)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    cr_assert_not_null(maps);
    char line[512], flags[512] = "";
    unsigned long begin, end;
    bool here = false, asked = false;
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
            here = (uintptr_t)pages >= begin && (uintptr_t)pages < end;
        else if (here && sscanf(line, "VmFlags: %511[^\n]", flags) == 1)
            asked = strstr(flags, "hg") != NULL;
    }
    fclose(maps);
    cr_assert_neq(flags[0], 0);
    return asked;
}

static void check(char *pages, size_t size)
{
    cr_assert_not_null(pages);
    cr_assert_eq((uintptr_t)pages % size, 0);
    for (size_t i = 0; i < size; i++)
        cr_assert_eq(pages[i], 0);
    memset(pages, 1, size);
}

Test(pages, are_zeros_aligned_to_their_size_and_errno_is_unchanged)
{
    errno = ENOTTY;
    for (size_t size = 4096; size <= 2 * HUGE; size *= 2) {
        char *pages = edo_pages_map(size);
        check(pages, size);
        edo_pages_unmap(pages, size);
    }
    cr_assert_eq(errno, ENOTTY);
}

Test(pages, a_part_of_them_goes_back)
{
    char *pages = edo_pages_map(HUGE);
    check(pages, HUGE);
    edo_pages_unmap(pages + SMALL, SMALL);
    cr_assert_eq(pages[0] + pages[2 * SMALL], 2);
    edo_pages_unmap(pages, SMALL);
    edo_pages_unmap(pages + 2 * SMALL, HUGE - 2 * SMALL);
}

Test(pages, after_a_huge_page_that_was_dear_they_are_small)
{
    edo_huge_fail(1, false);
    char *dear = edo_pages_map(HUGE);
    bool was_dear = edo_huge_fail(0, false);
    cr_assert(was_dear);
    check(dear, HUGE);
    char *next = edo_pages_map(HUGE);
    cr_assert(!asked_for_huge(next));
    check(next, HUGE);
    edo_pages_unmap(dear, HUGE);
    edo_pages_unmap(next, HUGE);
}
