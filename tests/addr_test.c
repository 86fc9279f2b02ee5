/* SPDX-License-Identifier: MIT */
/* Addresses: what is read, what is refused, and that writing one and reading it gives it again. */
#include "io_helpers.h"

Test(addr, reads_and_writes_addresses)
{
    static const char *const same[] = {
        "1.2.3.4:80",
        "0.0.0.0:0",
        "255.255.255.255:65535",
        "127.0.0.1:1",
        "[::1]:6379",
        "[::]:0",
        "[fe80::1]:80",
        "[2001:db8::8:800:200c:417a]:443",
        "[::ffff:1.2.3.4]:5",
        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
    };
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        struct edo_addr addr;
        char text[EDO_ADDR_TEXT];
        cr_assert_eq(edo_addr_parse(&addr, same[i]), 0, "%s", same[i]);
        cr_assert_str_eq(edo_addr_format(&addr, text), same[i]);
        bool v6 = same[i][0] == '[';
        cr_assert_eq(addr.any.sa_family, v6 ? AF_INET6 : AF_INET);
        cr_assert_eq(addr.length, v6 ? sizeof addr.v6 : sizeof addr.v4);
        cr_assert_eq(edo_addr_port(&addr), atoi(strrchr(same[i], ':') + 1));
    }
}

Test(addr, reads_other_spellings)
{
    static const char *const pairs[][2] = {
        {"1.2.3.4:080", "1.2.3.4:80"},
        {"[0:0:0:0:0:0:0:1]:1", "[::1]:1"},
        {"[2001:DB8::1]:00443", "[2001:db8::1]:443"},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct edo_addr addr;
        char text[EDO_ADDR_TEXT];
        cr_assert_eq(edo_addr_parse(&addr, pairs[i][0]), 0, "%s", pairs[i][0]);
        cr_assert_str_eq(edo_addr_format(&addr, text), pairs[i][1]);
    }
}

static void check_unchanged(const struct edo_addr *addr, const struct edo_addr *before,
                            const char *text)
{
    cr_assert_eq(memcmp(addr, before, sizeof *addr), 0, "%s", text);
}

Test(addr, refuses_what_is_no_address_and_leaves_the_old_one)
{
    static const char *const wrong[] = {
        "",
        ":",
        ":80",
        "1.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:x",
        "1.2.3.4:-1",
        "1.2.3.4:+1",
        "1.2.3.4: 1",
        "1.2.3.4:1 ",
        " 1.2.3.4:1",
        "1.2.3.4:65536",
        "1.2.3.4:100000",
        "1.2.3.4:99999999999999999999",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "1.2.3.256:80",
        "01.2.3.4:80:80",
        "1.2.3.4.:80",
        "127.1:80",
        "0x7f.0.0.1:80",
        "2130706433:80",
        "localhost:80",
        "::1:80",
        "[::1]",
        "[::1]:",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[:80",
        "[1.2.3.4]:80",
        "[::1]]:80",
        "[[::1]:80",
        "[::1]x:80",
        "[::g]:80",
        "[1:2:3:4:5:6:7:8:9]:80",
        "[::1::2]:80",
        "[::ffff:1.2.3.4.5]:80",
        "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]:1",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff0000000000000000000000000000000:1",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct edo_addr addr, before;
        memset(&addr, 0x5a, sizeof addr);
        before = addr;
        cr_assert_eq(edo_addr_parse(&addr, wrong[i]), UV_EINVAL, "%s", wrong[i]);
        check_unchanged(&addr, &before, wrong[i]);
    }
}

Test(addr, reads_numbers_alone_strictly)
{
    struct edo_addr addr, before;
    cr_assert_eq(edo_addr_ip(&addr, "1.2.3.4", 65535), 0);
    cr_assert(addr.any.sa_family == AF_INET && edo_addr_port(&addr) == 65535);
    cr_assert_eq(edo_addr_ip(&addr, "::1", 80), 0);
    cr_assert(addr.any.sa_family == AF_INET6 && edo_addr_port(&addr) == 80);
    cr_assert_eq(edo_addr_ip(&addr, "fe80::1%lo", 80), 0);
    cr_assert_neq(addr.v6.sin6_scope_id, 0);
    before = addr;
    static const char *const wrong[] = {"",          "1",     "1.2",       "1.2.3",
                                        "localhost", "[::1]", "1.2.3.4 ",  "1.2.3.4:80",
                                        "::1 ",      ":::",   "0x1.2.3.4", "1.2.3.-4"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        cr_assert_eq(edo_addr_ip(&addr, wrong[i], 1), UV_EINVAL, "%s", wrong[i]);
        check_unchanged(&addr, &before, wrong[i]);
    }
}

/* Any bytes: no crash, and what is read is written and read again. */
Test(addr, survives_any_text)
{
    static const char alphabet[] = "0123456789abcdef.:[]%x -+";
    uint32_t random = 1;
    for (int i = 0; i < 300000; i++) {
        char text[80], again[EDO_ADDR_TEXT];
        struct edo_addr addr, second;
        size_t length = (random >> 8) % (sizeof text - 1);
        for (size_t j = 0; j < length; j++) {
            random = random * 1664525u + 1013904223u;
            text[j] = alphabet[(random >> 16) % (sizeof alphabet - 1)];
        }
        random = random * 1664525u + 1013904223u;
        text[length] = '\0';
        if (edo_addr_parse(&addr, text) != 0)
            continue;
        cr_assert_eq(edo_addr_parse(&second, edo_addr_format(&addr, again)), 0, "%s", text);
        cr_assert_eq(edo_addr_port(&addr), edo_addr_port(&second));
    }
}
