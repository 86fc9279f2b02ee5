/* SPDX-License-Identifier: MIT */
/* The checker's own tests: small programs of which C11 says what they may do. The names are those of
 * the literature (Alglave, Maranget and Tautschnig, "Herding Cats", TOPLAS 2014; Lahav et al.,
 * "Repairing Sequential Consistency in C/C++11", PLDI 2017).
 *
 * Two outcomes that C11 allows cannot come up here, because a store is in its location's modification
 * order when it is executed, and a load reads what has been stored: LB's 11, and 2+2W's 11. They are
 * pinned below, and told of in docs/model-checking.md.
 */
#include "tests/model/model.h"

static _Atomic(int) x, y, z;
static int r[8];
static int data;
static struct edo_lock lock;

#define THREAD(name)            \
    static void name(void *arg) \
    {                           \
        (void)arg;
#define END }
#define RUN2(a, b)             \
    do {                       \
        model_thread(a, NULL); \
        model_thread(b, NULL); \
        model_join_all();      \
    } while (0)
#define FINAL(p) edo_load(p, relaxed)

/* ---- Store buffering: each stores, then loads what the other stored ---- */

#define SB(name, store, load, expected)                \
    THREAD(sb_##name##_a)                              \
    edo_store(&x, 1, store);                           \
    r[0] = edo_load(&y, load);                         \
    END THREAD(sb_##name##_b) edo_store(&y, 1, store); \
    r[1] = edo_load(&x, load);                         \
    END MODEL(sb_##name, .outcomes = expected)         \
    {                                                  \
        RUN2(sb_##name##_a, sb_##name##_b);            \
        model_outcome(r[0], r[1]);                     \
    }
SB(relaxed, relaxed, relaxed, "00 01 10 11")
SB(release_acquire, release, acquire, "00 01 10 11")
SB(sc_store, seq_cst, acquire, "00 01 10 11")
SB(sc_load, release, seq_cst, "00 01 10 11")
SB(sc, seq_cst, seq_cst, "01 10 11")

/* The same with a read-modify-write: no fence is in it. */
#define SB_RMW(name, rmw, load, expected)                    \
    THREAD(sb_rmw_##name##_a)                                \
    edo_exchange(&x, 1, rmw);                                \
    r[0] = edo_load(&y, load);                               \
    END THREAD(sb_rmw_##name##_b) edo_fetch_add(&y, 1, rmw); \
    r[1] = edo_load(&x, load);                               \
    END MODEL(sb_rmw_##name, .outcomes = expected)           \
    {                                                        \
        RUN2(sb_rmw_##name##_a, sb_rmw_##name##_b);          \
        model_outcome(r[0], r[1]);                           \
    }
SB_RMW(acq_rel, acq_rel, acquire, "00 01 10 11")
SB_RMW(sc_and_acquire, seq_cst, acquire, "00 01 10 11")
SB_RMW(sc, seq_cst, seq_cst, "01 10 11")

/* One side reads by a read-modify-write: it reads the newest, and what it reads from synchronises. */
THREAD(sb_newest_a)
edo_exchange(&x, 1, acq_rel);
r[0] = edo_exchange(&y, 2, acq_rel);
END THREAD(sb_newest_b) edo_exchange(&y, 1, acq_rel);
r[1] = edo_load(&x, relaxed);
END MODEL(sb_rmw_reads_newest, .outcomes = "01 10 11")
{
    RUN2(sb_newest_a, sb_newest_b);
    model_outcome(r[0], r[1]);
}

/* ---- Message passing ---- */

#define MP(name, store, load, expected)                  \
    THREAD(mp_##name##_a)                                \
    edo_store(&x, 1, relaxed);                           \
    edo_store(&y, 1, store);                             \
    END THREAD(mp_##name##_b) r[0] = edo_load(&y, load); \
    r[1] = edo_load(&x, relaxed);                        \
    END MODEL(mp_##name, .outcomes = expected)           \
    {                                                    \
        RUN2(mp_##name##_a, mp_##name##_b);              \
        model_outcome(r[0], r[1]);                       \
    }
MP(relaxed, relaxed, relaxed, "00 01 10 11")
MP(no_release, relaxed, acquire, "00 01 10 11")
MP(no_acquire, release, relaxed, "00 01 10 11")
MP(release_acquire, release, acquire, "00 01 11")
MP(sc, seq_cst, seq_cst, "00 01 11")

/* A failed compare-exchange is a load of its second order. */
#define MP_CAS(name, fail, expected)                      \
    THREAD(mp_cas_##name##_a)                             \
    edo_store(&x, 1, relaxed);                            \
    edo_store(&y, 1, release);                            \
    END THREAD(mp_cas_##name##_b) int was = 2;            \
    edo_cas(&y, &was, 3, relaxed, fail);                  \
    r[0] = was;                                           \
    r[1] = edo_load(&x, relaxed);                         \
    END MODEL(mp_failed_cas_##name, .outcomes = expected) \
    {                                                     \
        RUN2(mp_cas_##name##_a, mp_cas_##name##_b);       \
        model_outcome(r[0], r[1]);                        \
    }
MP_CAS(relaxed, relaxed, "00 01 10 11")
MP_CAS(acquire, acquire, "00 01 11")

/* The plain form: no order, a race; the order, none. */
THREAD(mp_plain_a)
data = 1;
edo_store(&y, 1, release);
END THREAD(mp_plain_b) r[0] = edo_load(&y, acquire);
r[1] = r[0] ? data : 0;
END MODEL(mp_plain, .outcomes = "00 11")
{
    RUN2(mp_plain_a, mp_plain_b);
    model_outcome(r[0], r[1]);
}

/* ---- Release sequences ---- */

/* Read-modify-writes carry on what an earlier store released, whoever does them. */
THREAD(rs_store_release)
edo_store(&x, 1, relaxed);
edo_store(&y, 1, release);
END THREAD(rs_reader) r[0] = edo_load(&y, acquire);
r[1] = edo_load(&x, relaxed);
END THREAD(rs_rmw)
int was = 1;
edo_cas(&y, &was, 2, relaxed, relaxed);
END MODEL(release_sequence_rmw, .outcomes = "00 01 11 21")
{
    model_thread(rs_store_release, NULL);
    model_thread(rs_rmw, NULL);
    model_thread(rs_reader, NULL);
    model_join_all();
    model_outcome(r[0], r[1]);
}

/* Two in a row, and the one that released is itself a read-modify-write. */
THREAD(rs_release_rmw)
edo_store(&x, 1, relaxed);
edo_fetch_add(&y, 1, release);
END THREAD(rs_add) edo_fetch_add(&y, 3, relaxed);
END MODEL(release_sequence_rmw_releases, .outcomes = "00 01 11 30 31 41")
{
    model_thread(rs_release_rmw, NULL);
    model_thread(rs_add, NULL);
    model_thread(rs_reader, NULL);
    model_join_all();
    /* 4 is both: whichever came first, the release is in it. */
    model_outcome(r[0], r[1]);
}

/* A plain store ends it: another thread's, and since C++20 also its own. */
THREAD(rs_store)
if (edo_load(&y, relaxed) == 1)
    edo_store(&y, 2, relaxed);
END MODEL(release_sequence_ended_by_store, .outcomes = "00 01 11 20 21")
{
    model_thread(rs_store_release, NULL);
    model_thread(rs_store, NULL);
    model_thread(rs_reader, NULL);
    model_join_all();
    model_outcome(r[0], r[1]);
}
THREAD(rs_own_store)
edo_store(&x, 1, relaxed);
edo_store(&y, 1, release);
edo_store(&y, 2, relaxed);
END MODEL(release_sequence_ended_by_own_store, .outcomes = "00 01 11 20 21")
{
    RUN2(rs_own_store, rs_reader);
    model_outcome(r[0], r[1]);
}

/* ---- Load buffering: 11 is C11's, and not explored ---- */

THREAD(lb_a)
r[0] = edo_load(&x, relaxed);
edo_store(&y, 1, relaxed);
END THREAD(lb_b) r[1] = edo_load(&y, relaxed);
edo_store(&x, 1, relaxed);
END MODEL(lb_relaxed, .outcomes = "00 01 10")
{
    RUN2(lb_a, lb_b);
    model_outcome(r[0], r[1]);
}

/* ---- Independent reads of independent writes ---- */

#define IRIW(name, store, load, expected)                  \
    THREAD(iriw_##name##_a)                                \
    edo_store(&x, 1, store);                               \
    END THREAD(iriw_##name##_b) edo_store(&y, 1, store);   \
    END THREAD(iriw_##name##_c) r[0] = edo_load(&x, load); \
    r[1] = edo_load(&y, load);                             \
    END THREAD(iriw_##name##_d) r[2] = edo_load(&y, load); \
    r[3] = edo_load(&x, load);                             \
    END MODEL(iriw_##name, .outcomes = expected)           \
    {                                                      \
        model_thread(iriw_##name##_a, NULL);               \
        model_thread(iriw_##name##_b, NULL);               \
        model_thread(iriw_##name##_c, NULL);               \
        model_thread(iriw_##name##_d, NULL);               \
        model_join_all();                                  \
        model_outcome(r[0], r[1], r[2], r[3]);             \
    }
#define BUT_1010 "0000 0001 0010 0011 0100 0101 0110 0111 1000 1001 1011 1100 1101 1110 1111"
IRIW(release_acquire, release, acquire, "1010 " BUT_1010)
IRIW(sc, seq_cst, seq_cst, BUT_1010)

/* ---- Coherence: one location, relaxed ---- */

THREAD(store_1)
edo_store(&x, 1, relaxed);
END THREAD(store_2) edo_store(&x, 2, relaxed);
END THREAD(read_read) r[0] = edo_load(&x, relaxed);
r[1] = edo_load(&x, relaxed);
END THREAD(read_read_too) r[2] = edo_load(&x, relaxed);
r[3] = edo_load(&x, relaxed);
END MODEL(corr, .outcomes = "00 01 11")
{
    RUN2(store_1, read_read);
    model_outcome(r[0], r[1]);
}
/* Two readers agree on the order of two stores: of 36 outcomes, those with a return, and 1221 and
 * 2112, are missing. */
MODEL(corr_two_writers, .outcomes = "0000 0001 0002 0011 0012 0021 0022 "
                                    "0100 0101 0102 0111 0112 0121 0122 "
                                    "0200 0201 0202 0211 0212 0221 0222 "
                                    "1100 1101 1102 1111 1112 1121 1122 "
                                    "1200 1201 1202 1211 1212 1222 "
                                    "2100 2101 2102 2111 2121 2122 "
                                    "2200 2201 2202 2211 2212 2221 2222")
{
    model_thread(store_1, NULL);
    model_thread(store_2, NULL);
    model_thread(read_read, NULL);
    model_thread(read_read_too, NULL);
    model_join_all();
    model_outcome(r[0], r[1], r[2], r[3]);
}
THREAD(read_write)
r[0] = edo_load(&x, relaxed);
edo_store(&x, 1, relaxed);
END MODEL(corw, .outcomes = "01 02 21")
{
    RUN2(read_write, store_2);
    model_outcome(r[0], FINAL(&x));
}
THREAD(write_read)
edo_store(&x, 1, relaxed);
r[0] = edo_load(&x, relaxed);
END MODEL(cowr, .outcomes = "11 12 22")
{
    RUN2(write_read, store_2);
    model_outcome(r[0], FINAL(&x));
}
MODEL(coww, .outcomes = "2")
{
    edo_store(&x, 1, relaxed);
    edo_store(&x, 2, relaxed);
    model_outcome(FINAL(&x));
}

/* ---- Three threads: what is known is passed on ---- */

#define ALL_BUT_110 "000 001 010 011 100 101 111"
THREAD(wrc_b)
r[0] = edo_load(&x, relaxed);
edo_store(&y, 1, release);
END THREAD(wrc_c) r[1] = edo_load(&y, acquire);
r[2] = edo_load(&x, relaxed);
END MODEL(wrc, .outcomes = ALL_BUT_110)
{
    model_thread(store_1, NULL);
    model_thread(wrc_b, NULL);
    model_thread(wrc_c, NULL);
    model_join_all();
    model_outcome(r[0], r[1], r[2]);
}
THREAD(wrc_relaxed_b)
r[0] = edo_load(&x, relaxed);
edo_store(&y, 1, relaxed);
END MODEL(wrc_relaxed, .outcomes = ALL_BUT_110 " 110")
{
    model_thread(store_1, NULL);
    model_thread(wrc_relaxed_b, NULL);
    model_thread(wrc_c, NULL);
    model_join_all();
    model_outcome(r[0], r[1], r[2]);
}
THREAD(isa2_b)
r[0] = edo_load(&y, acquire);
edo_store(&z, 1, release);
END THREAD(isa2_c) r[1] = edo_load(&z, acquire);
r[2] = edo_load(&x, relaxed);
END MODEL(isa2, .outcomes = ALL_BUT_110)
{
    model_thread(rs_store_release, NULL);
    model_thread(isa2_b, NULL);
    model_thread(isa2_c, NULL);
    model_join_all();
    model_outcome(r[0], r[1], r[2]);
}

/* ---- Stores against each other ---- */

#define S(name, store, load, expected)                  \
    THREAD(s_##name##_a)                                \
    edo_store(&x, 2, relaxed);                          \
    edo_store(&y, 1, store);                            \
    END THREAD(s_##name##_b) r[0] = edo_load(&y, load); \
    edo_store(&x, 1, relaxed);                          \
    END MODEL(s_##name, .outcomes = expected)           \
    {                                                   \
        RUN2(s_##name##_a, s_##name##_b);               \
        model_outcome(r[0], FINAL(&x));                 \
    }
/* Relaxed, C11 has 12 as well: x's stores in another order than they were executed, as in 2+2W. */
S(relaxed, relaxed, relaxed, "01 02 11")
S(release_acquire, release, acquire, "01 02 11")

#define R(name, order, load, expected)                \
    THREAD(r_##name##_a)                              \
    edo_store(&x, 1, order);                          \
    edo_store(&y, 1, order);                          \
    END THREAD(r_##name##_b) edo_store(&y, 2, order); \
    r[0] = edo_load(&x, load);                        \
    END MODEL(r_##name, .outcomes = expected)         \
    {                                                 \
        RUN2(r_##name##_a, r_##name##_b);             \
        model_outcome(r[0], FINAL(&y));               \
    }
R(release_acquire, release, acquire, "01 02 11 12")
R(sc, seq_cst, seq_cst, "01 11 12")

THREAD(ww_a)
edo_store(&x, 1, relaxed);
edo_store(&y, 2, relaxed);
END THREAD(ww_b) edo_store(&y, 1, relaxed);
edo_store(&x, 2, relaxed);
END
/* 11 is C11's, and not explored. */
MODEL(ww_2_2, .outcomes = "12 21 22")
{
    RUN2(ww_a, ww_b);
    model_outcome(FINAL(&x), FINAL(&y));
}

/* The same limit with one blind thread and read-modify-writes: C11 has 10 as well. */
THREAD(ww_rmw_a)
edo_store(&x, 1, relaxed);
edo_store(&y, 1, relaxed);
END THREAD(ww_rmw_b) r[0] = edo_fetch_add(&y, 2, relaxed);
r[1] = edo_fetch_add(&x, 2, relaxed);
END MODEL(ww_rmw, .outcomes = "00 01 11")
{
    RUN2(ww_rmw_a, ww_rmw_b);
    model_outcome(r[0], r[1]);
}

/* ---- seq_cst mixed with the rest ---- */

/* A seq_cst load may not go behind the last seq_cst store, but sees a relaxed one or not. */
THREAD(mix_store)
edo_store(&x, 1, seq_cst);
edo_store(&x, 2, relaxed);
edo_store(&y, 1, seq_cst);
END THREAD(mix_load) r[0] = edo_load(&y, seq_cst);
r[1] = edo_load(&x, seq_cst);
END MODEL(sc_mix_relaxed_store, .outcomes = "00 01 02 12")
{
    RUN2(mix_store, mix_load);
    model_outcome(r[0], r[1]);
}
/* Stricter than C++20: here, as in C11's first text, the order of seq_cst operations respects all of
 * happens-before. "Repairing SC" (section 2) gives that up where other orders are mixed in: it allows
 * 130 in the first, 100 in the second; neither comes up. */
THREAD(z6_a)
edo_store(&x, 1, seq_cst);
edo_store(&y, 1, release);
END THREAD(z6_b) r[0] = edo_fetch_add(&y, 1, seq_cst);
r[1] = edo_load(&y, relaxed);
END THREAD(z6_c) edo_store(&y, 3, seq_cst);
r[2] = edo_load(&x, seq_cst);
END MODEL(sc_mix_z6)
{
    model_thread(z6_a, NULL);
    model_thread(z6_b, NULL);
    model_thread(z6_c, NULL);
    model_join_all();
    model_assert(!(r[0] == 1 && r[1] == 3 && r[2] == 0));
}
THREAD(rwc_b)
r[0] = edo_load(&x, acquire);
r[1] = edo_load(&y, seq_cst);
END THREAD(sb_sc_only_store) edo_store(&x, 1, seq_cst);
END THREAD(rwc_c) edo_store(&y, 1, seq_cst);
r[2] = edo_load(&x, seq_cst);
END MODEL(sc_mix_rwc, .outcomes = "000 001 010 011 101 110 111")
{
    model_thread(sb_sc_only_store, NULL);
    model_thread(rwc_b, NULL);
    model_thread(rwc_c, NULL);
    model_join_all();
    model_outcome(r[0], r[1], r[2]);
}
/* Dekker's, one side of it by read-modify-write, the other by a store: as `parked` and `inject`. */
THREAD(dekker_a)
edo_store(&x, 1, seq_cst);
r[0] = edo_load(&y, seq_cst);
END THREAD(dekker_b)
int was = 0;
while (!edo_cas_weak(&y, &was, 1, seq_cst, relaxed))
    was = 0;
r[1] = edo_load(&x, seq_cst);
END MODEL(sc_mix_dekker, .outcomes = "01 10 11")
{
    RUN2(dekker_a, dekker_b);
    model_outcome(r[0], r[1]);
}
THREAD(dekker_weak_b)
int was = 0;
while (!edo_cas_weak(&y, &was, 1, acq_rel, relaxed))
    was = 0;
r[1] = edo_load(&x, seq_cst);
END MODEL(sc_mix_dekker_weak, .outcomes = "00 01 10 11")
{
    RUN2(dekker_a, dekker_weak_b);
    model_outcome(r[0], r[1]);
}

/* ---- Read-modify-writes ---- */

THREAD(add_a)
r[0] = edo_fetch_add(&x, 1, relaxed);
END THREAD(add_b) r[1] = edo_fetch_add(&x, 1, relaxed);
END MODEL(rmw_atomic, .outcomes = "012 102")
{
    RUN2(add_a, add_b);
    model_outcome(r[0], r[1], FINAL(&x));
}
/* Every order matters, so there are 18 over 9 executions: 48,620. The table's last column is the
 * checker's pace. */
THREAD(add_nine)
for (int i = 0; i < 9; i++)
    edo_fetch_add(&x, 1, relaxed);
END MODEL(rmw_interleaved, .outcomes = "1")
{
    RUN2(add_nine, add_nine);
    model_outcome(FINAL(&x) == 18);
}
static _Atomic(uint8_t) byte;
static _Atomic(int64_t) wide;
MODEL(rmw_values, .outcomes = "1")
{
    edo_init(&byte, 250);
    edo_init(&wide, -1);
    model_assert(edo_fetch_add(&byte, 10, relaxed) == 250 && FINAL(&byte) == 4);
    model_assert(edo_fetch_sub(&byte, 5, relaxed) == 4 && FINAL(&byte) == 255);
    model_assert(edo_fetch_and(&byte, 0x0f, relaxed) == 255 && FINAL(&byte) == 15);
    model_assert(edo_fetch_or(&byte, 0x30, relaxed) == 15 && FINAL(&byte) == 0x3f);
    model_assert(edo_exchange(&byte, 7, relaxed) == 0x3f && FINAL(&byte) == 7);
    model_assert(edo_fetch_add(&wide, -1, relaxed) == -1 && FINAL(&wide) == -2);
    int64_t was = -2;
    model_assert(edo_cas(&wide, &was, INT64_MIN, relaxed, relaxed));
    was = 0;
    model_assert(!edo_cas(&wide, &was, 1, relaxed, relaxed) && was == INT64_MIN);
    model_outcome(1);
}
MODEL(cas_strong, .outcomes = "1")
{
    int was = 0;
    model_outcome(edo_cas(&x, &was, 1, relaxed, relaxed));
}
/* May fail although it could succeed, and shows then what it expected. */
MODEL(cas_weak, .outcomes = "00 10")
{
    int was = 0;
    bool done = edo_cas_weak(&x, &was, 1, relaxed, relaxed);
    model_outcome(done, was);
}
/* Not twice in a row: a loop that tries again would not end. */
MODEL(cas_weak_again, .spurious = 2, .outcomes = "01 10 11")
{
    for (int i = 0; i < 2; i++) {
        int was = 0;
        r[i] = edo_cas_weak(&x, &was, 0, relaxed, relaxed);
    }
    model_outcome(r[0], r[1]);
}
THREAD(store_1_2)
edo_store(&x, 1, relaxed);
edo_store(&x, 2, relaxed);
END
    /* Failing, it may read an old value; success needs the newest. */
    THREAD(cas_stale) r[1] = 5;
r[0] = edo_cas(&x, &r[1], 6, relaxed, relaxed);
END MODEL(cas_fails_stale, .outcomes = "00 01 02")
{
    RUN2(store_1_2, cas_stale);
    model_outcome(r[0], r[1]);
}
/* What it could read as equal is not a failure: then it is compared with the newest. */
THREAD(cas_old)
r[1] = 0;
r[0] = edo_cas(&x, &r[1], 6, relaxed, relaxed);
END MODEL(cas_needs_newest, .outcomes = "01 10")
{
    RUN2(store_1, cas_old);
    model_outcome(r[0], r[1]);
}

/* ---- Locks, events, choices ---- */

THREAD(locked_add)
edo_lock(&lock);
data++;
edo_unlock(&lock);
END MODEL(lock_excludes, .outcomes = "3")
{
    edo_lock_init(&lock);
    model_thread(locked_add, NULL);
    model_thread(locked_add, NULL);
    model_thread(locked_add, NULL);
    model_join_all();
    edo_lock_destroy(&lock);
    model_outcome(data);
}
THREAD(tried_add)
if (edo_try_lock(&lock)) {
    data++;
    edo_unlock(&lock);
}
END
/* Who finds it held gives up; who comes before or after does not. */
MODEL(try_lock_excludes, .tries = true, .outcomes = "1 2 3")
{
    edo_lock_init(&lock);
    model_thread(tried_add, NULL);
    model_thread(locked_add, NULL);
    model_thread(tried_add, NULL);
    model_join_all();
    edo_lock_destroy(&lock);
    model_outcome(data);
}
static int event;
THREAD(waits)
model_wait(&event);
r[0] = edo_load(&x, acquire);
END THREAD(signals) edo_store(&x, 1, release);
model_signal(&event);
END
/* An event orders nothing. */
MODEL(event_orders_nothing, .outcomes = "0 1")
{
    RUN2(waits, signals);
    model_outcome(r[0]);
}
THREAD(waits_twice)
model_wait(&event);
model_wait(&event);
END
/* Two signals before the wait are one. */
MODEL(event_merges, .fails = "lost wake-up")
{
    model_thread(waits_twice, NULL);
    model_signal(&event);
    model_signal(&event);
    model_join_all();
}
MODEL(event_is_kept, .outcomes = "1")
{
    model_signal(&event);
    model_thread(waits, NULL);
    model_join_all();
    model_outcome(1);
}
THREAD(waits_a_while)
r[0] = model_wait_timed(&event);
END MODEL(event_timed, .outcomes = "0 1")
{
    RUN2(waits_a_while, signals);
    model_outcome(r[0]);
}
MODEL(choices, .outcomes = "00 01 02 10 11 12")
{
    unsigned a = model_choose(2);
    model_outcome((int)a, (int)model_choose(3));
}

/* ---- Storage: each execution begins anew, each thread has its own ---- */

static _Thread_local int local = 3;
static int initialised = 5;
THREAD(counts_local)
model_assert(local == 3);
local++;
model_assert(local == 4);
END MODEL(storage, .outcomes = "0 1 2")
{
    model_assert(initialised == 5 && data == 0 && FINAL(&x) == 0 && local == 3);
    local = initialised = 9;
    data = 1;
    RUN2(counts_local, store_1);
    edo_store(&x, 7, relaxed);
    model_assert(local == 9);
    model_outcome((int)model_choose(3));
}
