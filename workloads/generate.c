/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/workload.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

enum {
    BLOCK = 1 << 16, /* records */
    TURN = 1000,     /* accesses of a CPU in a row */
    LENDABLE = 8,    /* one page of so many */
    FREE_ORDER = 9,  /* of the free blocks in front of the records */
    FREE_TIMES = 8,  /* so many times the working set is free behind it, RAM permitting */
    SITES = 3,
    LIFETIMES_MAX = 1 << 20, /* pages that are lent at a time */
};

enum { LOAD, STORE, ZEROPAD };

#define RAM_START UINT64_C(0x40000000)
#define TEXT      UINT64_C(0xffff800080010000)

/* A page that comes back. */
struct loan {
    uint64_t due; /* access */
    uint64_t page;
};

struct workload {
    struct trace_source source; /* first: the source is the workload */
    struct wl_options options;
    struct trace_header header;
    struct trace_range ram;
    struct trace_extable fixup;
    struct trace_site sites[SITES];
    uint64_t random, access, position;
    uint64_t next_free;     /* block that is told to be free next */
    uint64_t next_donation; /* access */
    uint64_t next_page;     /* lendable page that is tried next */
    uint8_t *lent;          /* by lendable page */
    struct loan *loans;     /* a ring: they come back in the order in which they were given */
    uint64_t first_loan, loan_count;
    struct trace_rec rec[BLOCK];
    struct trace_event event[BLOCK];
    size_t count, event_count;
};

static uint64_t next_random(struct workload *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static uint64_t pa_of(const struct workload *w, uint64_t page)
{
    return RAM_START + (page << w->options.page_shift);
}

/* Pages that may be lent: the last of each eight. Not 0, as the options were checked. */
static uint64_t lendable_pages(const struct workload *w)
{
    const uint64_t pages = w->options.working_set / LENDABLE;

    return pages ? pages : 1;
}

/* ---- records ---- */

static void put_event(struct workload *w, enum trace_kind kind, uint64_t pa, uint64_t a,
                      uint32_t owner)
{
    w->rec[w->count++] = (struct trace_rec){.addr = pa,
                                            .site = (uint32_t)w->event_count,
                                            .kind = (uint8_t)kind,
                                            .cpu = (uint8_t)(w->access / TURN % w->options.cpus)};
    w->event[w->event_count++] =
        (struct trace_event){.a = a, .owner = owner, .clock = w->access + 1};
}

/* Of `count` things the first ones most: 4/5 to the first fifth, and so on. */
static uint64_t skewed(struct workload *w, uint64_t count)
{
    while (count >= 5 && next_random(w) % 5 < 4)
        count /= 5;
    return next_random(w) % count;
}

/* The n-th page that is never lent. */
static uint64_t used_page(uint64_t n)
{
    return n / (LENDABLE - 1) * LENDABLE + n % (LENDABLE - 1);
}

static uint64_t choose_address(struct workload *w)
{
    const uint64_t used = lendable_pages(w) * (LENDABLE - 1);
    const uint64_t cpu = w->access / TURN % w->options.cpus;
    const unsigned int shift = w->options.page_shift;
    const uint64_t offset = next_random(w) % (UINT64_C(1) << (shift - 3)) * 8;
    const uint64_t lines = UINT64_C(1) << (shift - 6);
    uint64_t share, line;

    switch (w->options.pattern) {
    case WL_UNIFORM:
        break;
    case WL_SKEWED:
        /* Hot pages lie apart: the multiplier is a prime, and larger than any working set. */
        return used_page(skewed(w, used) * UINT64_C(2654435761) % used) << shift | offset;
    case WL_STREAM:
        share = used / w->options.cpus ? used / w->options.cpus : 1;
        line = w->access / (TURN * w->options.cpus) * TURN + w->access % TURN;
        return used_page((cpu * share + line / lines % share) % used) << shift | line % lines * 64;
    }
    return used_page(next_random(w) % used) << shift | offset;
}

static void put_access(struct workload *w)
{
    struct trace_rec *rec = &w->rec[w->count++];
    uint64_t offset = choose_address(w);

    *rec = (struct trace_rec){.kind = TRACE_ACCESS,
                              .cpu = (uint8_t)(w->access / TURN % w->options.cpus)};
    if (next_random(w) % 1000000 < w->options.crossings) {
        /* The last word of the page in front of a lendable one, and up to seven bytes beyond. */
        offset = next_random(w) % lendable_pages(w) * LENDABLE + LENDABLE - 2;
        offset = ((offset + 1) << w->options.page_shift) - 1 - next_random(w) % 7;
        rec->site = ZEROPAD;
    } else {
        rec->site = next_random(w) % 100 < w->options.stores ? STORE : LOAD;
    }
    rec->addr = w->header.linear_start + offset;
    w->access++;
}

/* ---- lending ---- */

static void take_back(struct workload *w)
{
    const struct loan *loan = &w->loans[w->first_loan];

    put_event(w, TRACE_RECLAIM, pa_of(w, loan->page), 1, TRACE_OWNER_GUEST | 1 << 8);
    w->lent[loan->page / LENDABLE] = 0;
    w->first_loan = (w->first_loan + 1) % LIFETIMES_MAX;
    w->loan_count--;
}

/* The next lendable page that is not lent; false when all are. */
static bool lend_one(struct workload *w)
{
    const uint64_t lendable = lendable_pages(w);

    for (uint64_t i = 0; i < lendable; i++) {
        const uint64_t n = (w->next_page + i) % lendable;

        if (w->lent[n])
            continue;
        w->next_page = n + 1;
        w->lent[n] = 1;
        put_event(w, TRACE_DONATE, pa_of(w, n * LENDABLE + LENDABLE - 1), 1,
                  TRACE_OWNER_GUEST | 1 << 8);
        if (w->options.lifetime)
            w->loans[(w->first_loan + w->loan_count++) % LIFETIMES_MAX] =
                (struct loan){w->access + w->options.lifetime, n * LENDABLE + LENDABLE - 1};
        return true;
    }
    return false;
}

static void donate(struct workload *w)
{
    w->next_donation += w->options.donate_every;
    for (unsigned int i = 0; i < w->options.batch && w->loan_count < LIFETIMES_MAX; i++)
        if (!lend_one(w))
            return;
}

/* ---- the source ---- */

static const struct trace_header *wl_header(struct trace_source *source)
{
    return &((struct workload *)source)->header;
}

static bool is_over(const struct workload *w)
{
    return w->access == w->options.accesses;
}

static int wl_next(struct trace_source *source, struct trace_block *block,
                   struct trace_error *error)
{
    struct workload *w = (struct workload *)source;
    const uint64_t ram = w->options.ram_bytes >> w->options.page_shift;
    const uint64_t known = w->options.working_set * (1 + FREE_TIMES);
    const uint64_t pages = ram < known ? ram : known;

    (void)error;
    w->count = w->event_count = 0;
    /* Room for a donation of the largest batch is left at the end of a block. */
    while (w->count < BLOCK - 1024 && !is_over(w)) {
        if (w->next_free + (1 << FREE_ORDER) <= pages) {
            put_event(w, TRACE_FREE, pa_of(w, w->next_free), FREE_ORDER, 0);
            w->next_free += 1 << FREE_ORDER;
        } else if (w->loan_count && w->loans[w->first_loan].due <= w->access) {
            take_back(w);
        } else if (w->options.donate_every && w->next_donation <= w->access) {
            donate(w);
        } else {
            put_access(w);
        }
    }
    *block = (struct trace_block){.first = w->position,
                                  .rec = w->rec,
                                  .count = w->count,
                                  .events = w->event,
                                  .event_count = w->event_count,
                                  .text = "",
                                  .text_size = 1,
                                  .sites = w->sites,
                                  .site_count = SITES};
    w->position += w->count;
    return w->count > 0;
}

static void wl_close(struct trace_source *source)
{
    struct workload *w = (struct workload *)source;

    free(w->lent);
    free(w->loans);
    free(w);
}

struct wl_options wl_defaults(void)
{
    return (struct wl_options){
        .arch = TRACE_ARCH_ARM64,
        .page_shift = 12,
        .cpus = 2,
        .ram_bytes = UINT64_C(1) << 30,
        .working_set = 32768,
        .accesses = 10000000,
        .pattern = WL_SKEWED,
        .stores = 30,
        .crossings = 20,
        .donate_every = 10000,
        .batch = 1,
        .lifetime = 1000000,
        .seed = 1,
    };
}

/* ---- options ---- */

__attribute__((format(printf, 2, 3))) static bool refuse(struct trace_error *error,
                                                         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return false;
}

static bool within(const char *name, uint64_t value, uint64_t min, uint64_t max,
                   struct trace_error *error)
{
    return (value >= min && value <= max) ||
           refuse(error, "%s: %" PRIu64 " is out of range: %" PRIu64 " to %" PRIu64, name, value,
                  min, max);
}

static bool check(const struct wl_options *o, struct trace_error *error)
{
    const uint64_t pages = o->ram_bytes >> (o->page_shift & 63);

    if (o->page_shift != 12 &&
        (o->arch != TRACE_ARCH_ARM64 || (o->page_shift != 14 && o->page_shift != 16)))
        return refuse(error, "page-size: expected 4K, or for arm64 16K or 64K");
    if (!within("cpus", o->cpus, 1, 256, error) ||
        !within("memory", o->ram_bytes, UINT64_C(64) << 20, UINT64_C(1) << 40, error) ||
        !within("working-set", o->working_set, 64, pages / 2, error) ||
        !within("accesses", o->accesses, 1, UINT64_C(1) << 48, error) ||
        !within("stores", o->stores, 0, 100, error) ||
        !within("crossings", o->crossings, 0, 1000000, error) ||
        !within("batch", o->batch, 1, 512, error) ||
        !within("donate-every", o->donate_every, 0, UINT64_C(1) << 48, error) ||
        !within("lifetime", o->lifetime, 0, UINT64_C(1) << 48, error) ||
        !within("seed", o->seed, 1, UINT64_MAX, error))
        return false;
    if (o->ram_bytes % (UINT64_C(2) << 20))
        return refuse(error, "memory: %" PRIu64 " bytes are no multiple of 2 MiB", o->ram_bytes);
    return o->working_set % LENDABLE == 0 ||
           refuse(error, "working-set: %" PRIu64 " pages are no multiple of %d", o->working_set,
                  LENDABLE);
}

static void describe(struct workload *w)
{
    static char provenance[] = "made by a generator", clock[] = "accesses";

    w->ram = (struct trace_range){RAM_START, RAM_START + w->options.ram_bytes};
    w->fixup = (struct trace_extable){TEXT + 16 * ZEROPAD, TEXT + 16 * ZEROPAD + 8, 4, 0};
    w->header = (struct trace_header){
        .arch = w->options.arch,
        .cpus = w->options.cpus,
        .page_shift = w->options.page_shift,
        .linear_start = w->options.arch == TRACE_ARCH_ARM64 ? UINT64_C(0xffff000000000000)
                                                            : UINT64_C(0xffff888000000000),
        .linear_pa = RAM_START,
        .text = TEXT,
        .ram = &w->ram,
        .ram_count = 1,
        .extable = &w->fixup,
        .extable_count = 1,
        .provenance = provenance,
        .clock = clock,
    };
    w->header.linear_end = w->header.linear_start + w->options.ram_bytes;
    for (uint64_t i = 0; i < SITES; i++)
        w->sites[i] = (struct trace_site){
            .pc = TEXT + 16 * i, .size_log2 = 3, .store = i == STORE, .zeropad = i == ZEROPAD};
}

struct trace_source *wl_open(const struct wl_options *options, struct trace_error *error)
{
    struct workload *w;

    if (!check(options, error))
        return NULL;
    w = calloc(1, sizeof(*w));
    if (!w || !(w->lent = calloc(options->working_set / LENDABLE, 1)) ||
        !(w->loans = calloc(LIFETIMES_MAX, sizeof(*w->loans)))) {
        if (w)
            wl_close(&w->source);
        refuse(error, "out of memory");
        return NULL;
    }
    w->source = (struct trace_source){wl_header, wl_next, wl_close};
    w->options = *options;
    w->random = options->seed;
    w->next_donation = options->donate_every;
    /* Whole blocks behind the working set are free. */
    w->next_free = (options->working_set + (1 << FREE_ORDER) - 1) >> FREE_ORDER << FREE_ORDER;
    describe(w);
    return &w->source;
}
