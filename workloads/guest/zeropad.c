/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path names hashed a word at a time, as Linux hashes them, at every offset before a page end:
 * load_unaligned_zeropad() reads beyond the name's end, into a page that may be lent. Every hash is
 * compared with one made byte by byte.
 *
 * Arguments: iterations, seed, bug=ignore-table (faults are not fixed up: the kernel must die),
 * bug=no-shift (the fixup forgets the offset: hashes must be found wrong).
 */
#include "kernel.h"

#include <hyp/hcall.h>

#define NAME_MAX 40
#define ENDS     16u /* offsets before the page end at which names end */
#define PAIRS    8u

#define ONES  0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

struct pair {
    uint64_t near, far; /* physical; far follows near */
};

static struct pair pairs[PAIRS];
static uint64_t seed, fixup_mask = 7;
static bool ignore_table;

static struct {
    uint64_t names, crossings, crossings_lent, lent, refused, shared, strays_lent;
} count;

bool guest_fault(struct regs *regs, const struct fl_fault *fault)
{
    if (ignore_table)
        fl_die(regs, fault);
    return false;
}

/*
 * Eight bytes at any address. If the page that the last of them are in cannot be read, they are
 * zero: the fixup loads the aligned word around the first, which lies in their page, and shifts.
 */
static inline uint64_t load_unaligned_zeropad(const char *address)
{
    uint64_t word, offset;

#if defined(__aarch64__)
    __asm__ volatile("1: ldr %0, [%2]\n"
                     "2:\n"
                     ".pushsection .text.fixup, \"ax\"\n"
                     "3: and %1, %2, %3\n"
                     "bic %0, %2, #7\n"
                     "ldr %0, [%0]\n"
                     "lsl %1, %1, #3\n"
                     "lsr %0, %0, %1\n"
                     "b 2b\n"
                     ".popsection\n" FL_EXTABLE(1b, 3b)
                     : "=&r"(word), "=&r"(offset)
                     : "r"(address), "r"(fixup_mask)
                     : "memory");
#else
    __asm__ volatile("1: mov (%2), %0\n"
                     "2:\n"
                     ".pushsection .text.fixup, \"ax\"\n"
                     "3: mov %2, %0\n"
                     "mov %2, %1\n"
                     "and %3, %1\n"
                     "and $-8, %0\n"
                     "mov (%0), %0\n"
                     "shl $3, %1\n"
                     "shr %%cl, %0\n"
                     "jmp 2b\n"
                     ".popsection\n" FL_EXTABLE(1b, 3b)
                     : "=&r"(word), "=&c"(offset)
                     : "r"(address), "r"(fixup_mask)
                     : "memory", "cc");
#endif
    if (((uint64_t)address & (PAGE_SIZE - 1)) > PAGE_SIZE - 8)
        count.crossings++;
    return word;
}

/* The lowest bit 7 that is set stands in the first byte that is zero. */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - ONES) & ~word & HIGHS;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 29;
}

/* Hash and length of the component of a path that begins there. Not inlined: reports name it. */
static __attribute__((noinline)) uint64_t hash_name(const char *name, uint64_t *length)
{
    uint64_t hash = 0;

    for (uint64_t at = 0;; at += 8) {
        uint64_t word = load_unaligned_zeropad(name + at);
        uint64_t ends = zero_bytes(word) | zero_bytes(word ^ '/' * ONES);
        if (ends) {
            unsigned int bytes = (unsigned int)__builtin_ctzll(ends) / 8;
            *length = at + bytes;
            return mix(hash, bytes ? word & (~0ull >> (64 - 8 * bytes)) : 0);
        }
        hash = mix(hash, word);
    }
}

/* The same, byte by byte. */
static uint64_t hash_bytes(const char *name, uint64_t *length)
{
    uint64_t hash = 0;
    uint64_t word = 0;
    uint64_t at = 0;

    for (; name[at] && name[at] != '/'; at++) {
        word |= (uint64_t)(uint8_t)name[at] << 8 * (at % 8);
        if (at % 8 == 7) {
            hash = mix(hash, word);
            word = 0;
        }
    }
    *length = at;
    return mix(hash, word);
}

/* A path of `length` characters, and its NUL. */
static void make_path(char *path, unsigned int length)
{
    for (unsigned int i = 0; i < length; i++) {
        uint64_t pick = fl_random(&seed) >> 40;
        path[i] = pick % 9 == 0 ? '/' : (char)('a' + pick % 26);
    }
    path[length] = '\0';
}

/* Walks a path whose NUL is at `end` of the near page. */
static void walk(const struct pair *pair, const char *path, unsigned int length, uint64_t end)
{
    char *at = (char *)fl_va(pair->near) + end - length;

    memcpy(at, path, length + 1);
    for (unsigned int done = 0; done <= length;) {
        uint64_t got_length, want_length;
        uint64_t got = hash_name(at + done, &got_length);
        uint64_t want = hash_bytes(path + done, &want_length);
        count.names++;
        if (got != want || got_length != want_length) {
            fl_fail("wrong hash %lx of %s, wanted %lx: it ends %lu bytes before the page does\n",
                    got, path + done, want, PAGE_SIZE - 1 - end);
        }
        done += (unsigned int)want_length + 1;
    }
}

static uint64_t strays(void)
{
    uint64_t sum = 0;

    for (unsigned int kind = 0; kind < FL_FAULT_OTHER; kind++)
        sum += fl_faults[kind];
    return sum;
}

/* Names that end at each of the last offsets of the near page. */
static void walk_all(const struct pair *pair, bool lent)
{
    char path[NAME_MAX + 1];
    uint64_t strays_before = strays();
    uint64_t crossings_before = count.crossings;

    for (unsigned int end = 0; end < ENDS; end++) {
        unsigned int length = (unsigned int)(fl_random(&seed) >> 40) % NAME_MAX + 1;
        make_path(path, length);
        walk(pair, path, length, PAGE_SIZE - 1 - end);
    }
    if (lent) {
        count.strays_lent += strays() - strays_before;
        count.crossings_lent += count.crossings - crossings_before;
    } else if (strays() != strays_before) {
        fl_fail("faults on a page that is not lent\n");
    }
}

/* What follows a name must not matter. */
static void fill(uint64_t pa)
{
    uint64_t *words = fl_va(pa);

    words[0] = fl_random(&seed);
    words[511] = fl_random(&seed);
}

static void lend(const struct pair *pair, uint64_t owner)
{
    if (fl_call(FL_LEND, pair->far, owner, 1) != 0) {
        count.refused++;
        return;
    }
    count.lent++;
    walk_all(pair, true);
    fl_check(fl_call(FL_RETURN, pair->far, 1, 0) == 0);
    fill(pair->far);
    walk_all(pair, false);
}

static void share(const struct pair *pair)
{
    if (fl_call(HYP_HCALL_HOST_SHARE_HYP, pair->far >> PAGE_SHIFT, 0, 0) != 0)
        return;
    count.shared++;
    walk_all(pair, false);
    fl_check(fl_call(HYP_HCALL_HOST_UNSHARE_HYP, pair->far >> PAGE_SHIFT, 0, 0) == 0);
}

static void tally(void)
{
    fl_tally("names hashed", count.names);
    fl_tally("page crossings", count.crossings);
    fl_tally("crossings into lent pages", count.crossings_lent);
    fl_tally("pages lent", count.lent);
    fl_tally("pages shared", count.shared);
    fl_tally("loans refused", count.refused);
    fl_tally("strays met", strays());
    fl_tally("strays repaired", fl_repaired);
}

/* How the strays arrived. */
static void print_kinds(void)
{
    static const char *const kinds[FL_FAULT_OTHER] = {
        [FL_FAULT_PAGE] = "page faults",        [FL_FAULT_REFLECTED] = "reflected aborts",
        [FL_FAULT_ABORT] = "external aborts",   [FL_FAULT_LENT] = "new-syndrome aborts",
        [FL_FAULT_SDEI] = "SDEI notifications", [FL_FAULT_VE] = "#VE",
    };

    for (unsigned int kind = 0; kind < FL_FAULT_OTHER; kind++)
        if (fl_faults[kind])
            fl_print("%lu %s, %lu repaired\n", fl_faults[kind], kinds[kind], fl_repaired);
}

int guest_main(void)
{
    uint64_t iterations = fl_argument("iterations", 16);

    seed = fl_argument("seed", 1) * 2 + 1;
    ignore_table = fl_argument_is("bug", "ignore-table");
    fixup_mask = fl_argument_is("bug", "no-shift") ? 0 : 7;
    for (unsigned int i = 0; i < PAIRS; i++) {
        pairs[i].near = fl_pages(2);
        pairs[i].far = pairs[i].near + PAGE_SIZE;
        fill(pairs[i].far);
    }
    fl_mark("nothing lent");
    for (unsigned int i = 0; i < PAIRS; i++)
        walk_all(&pairs[i], false);
    fl_mark("lend, share, return");
    for (uint64_t i = 0; i < iterations; i++) {
        const struct pair *pair = &pairs[fl_random(&seed) >> 40 & (PAIRS - 1)];
        lend(pair, 0);
        share(pair);
        lend(pair, 1);
        tally();
    }
    fl_print("%lu names, %lu crossings into lent pages\n", count.names, count.crossings_lent);
    print_kinds();
    return 0;
}
