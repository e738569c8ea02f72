/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generator: what it lends comes back in time, what is lent is not touched but across an edge.
 */
#include "workloads/workload.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"

static struct wl_options small(void)
{
    struct wl_options options = wl_defaults();

    options.ram_bytes = UINT64_C(64) << 20;
    options.working_set = 1024;
    options.accesses = 200000;
    options.donate_every = 500;
    options.lifetime = 20000;
    options.crossings = 5000;
    return options;
}

static struct trace_source *open_it(const struct wl_options *options)
{
    struct trace_error error = {""};
    struct trace_source *source = wl_open(options, &error);

    if (!source)
        fail_msg("%s", error.text);
    return source;
}

/* What is seen of a workload, record by record. */
struct seen {
    uint64_t hash, accesses, donations, reclaims, crossings, into_lent, lent, most_lent;
    uint64_t due[8192]; /* by page: access after which it must be back; 0: not lent */
    uint64_t hits[8192];
    uint64_t cpus;
};

static void see_access(struct seen *seen, const struct trace_header *header,
                       const struct trace_site *site, uint64_t va)
{
    const uint64_t offset = va - header->linear_start;
    const bool crosses = (offset & 4095) > 4088;

    assert_in_range(va, header->linear_start, header->linear_end - 1);
    assert_int_equal(seen->due[offset >> 12], 0); /* never begins in a lent page */
    seen->accesses++;
    seen->hits[offset >> 12]++;
    assert_int_equal(crosses, site->zeropad);
    seen->crossings += crosses;
    seen->into_lent += crosses && seen->due[(offset >> 12) + 1];
}

static void see(const struct wl_options *options, struct seen *seen)
{
    struct trace_source *source = open_it(options);
    const struct trace_header *header = source->header(source);
    struct trace_block block;
    struct trace_error error;
    uint64_t position = 0;

    memset(seen, 0, sizeof(*seen));
    while (source->next(source, &block, &error) == 1) {
        assert_int_equal(block.first, position);
        position += block.count;
        for (size_t i = 0; i < block.count; i++) {
            const struct trace_rec *rec = &block.rec[i];
            const uint64_t page = (rec->addr - 0x40000000) >> 12;

            seen->hash = (seen->hash ^ rec->addr ^ (uint64_t)rec->kind << 56) * 0x100000001b3;
            seen->cpus |= UINT64_C(1) << rec->cpu;
            switch (rec->kind) {
            case TRACE_ACCESS:
                see_access(seen, header, &block.sites[rec->site], rec->addr);
                break;
            case TRACE_DONATE:
                assert_int_equal(seen->due[page], 0);
                seen->due[page] = seen->accesses + options->lifetime + 1;
                seen->donations++;
                seen->lent++;
                break;
            case TRACE_RECLAIM:
                assert_int_equal(seen->due[page], seen->accesses + 1);
                seen->due[page] = 0;
                seen->reclaims++;
                seen->lent--;
                break;
            default:
                assert_int_equal(rec->kind, TRACE_FREE);
                assert_true(page >= options->working_set);
            }
            if (seen->lent > seen->most_lent)
                seen->most_lent = seen->lent;
        }
    }
    source->close(source);
}

static void the_same_options_give_the_same_records(void **state)
{
    static struct seen one, two, other;
    struct wl_options options = small();

    (void)state;
    see(&options, &one);
    see(&options, &two);
    assert_memory_equal(&one, &two, sizeof(one));
    options.seed = 2;
    see(&options, &other);
    assert_int_not_equal(one.hash, other.hash);
}

static void pages_are_lent_in_time_and_come_back_in_time(void **state)
{
    static struct seen seen;
    struct wl_options options = small();

    (void)state;
    see(&options, &seen);
    assert_int_equal(seen.accesses, 200000);
    assert_int_equal(seen.donations, 399);
    assert_int_equal(seen.reclaims, 359); /* those of the first 180,000 accesses */
    assert_int_equal(seen.most_lent, 40);
    options.batch = 4;
    options.lifetime = 0;
    see(&options, &seen);
    assert_int_equal(seen.donations, 128); /* every lendable page, and none comes back */
    assert_int_equal(seen.reclaims, 0);
    options.donate_every = 0;
    see(&options, &seen);
    assert_int_equal(seen.donations, 0);
}

static void crossings_are_as_many_as_asked_for_and_reach_into_lent_pages(void **state)
{
    static struct seen seen;
    struct wl_options options = small();

    (void)state;
    see(&options, &seen);
    assert_in_range(seen.crossings, 900, 1100); /* 5000 of a million, of 200,000 */
    assert_in_range(seen.into_lent, 200, 400);  /* about 40 of 128 pages are lent */
    options.crossings = 0;
    see(&options, &seen);
    assert_int_equal(seen.crossings, 0);
}

static void skewed_accesses_go_to_few_pages_and_uniform_ones_to_all(void **state)
{
    static const enum wl_pattern patterns[] = {WL_UNIFORM, WL_SKEWED, WL_STREAM};
    static struct seen seen;
    uint64_t most[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct wl_options options = small();
        uint64_t used = 0;

        options.pattern = patterns[i];
        options.crossings = 0;
        options.cpus = 3;
        see(&options, &seen);
        assert_int_equal(seen.cpus, 7);
        most[i] = 0;
        for (size_t page = 0; page < 8192; page++) {
            most[i] = seen.hits[page] > most[i] ? seen.hits[page] : most[i];
            used += seen.hits[page] != 0;
            assert_true(page < 1024 || seen.hits[page] == 0);
            assert_true(page % 8 != 7 || seen.hits[page] == 0);
        }
        assert_in_range(used, 800, 896);
    }
    assert_in_range(most[0], 223, 350); /* 223 each on average */
    assert_true(most[1] > 10 * most[0]);
    assert_in_range(most[2], 192, 320); /* 64 lines a page, a few rounds */
}

static void options_out_of_range_are_refused_by_name(void **state)
{
    static const struct {
        size_t offset;
        const char *name;
        uint64_t value;
        bool wide;
    } cases[] = {
        {offsetof(struct wl_options, cpus), "cpus: 0", 0, false},
        {offsetof(struct wl_options, cpus), "cpus: 257", 257, false},
        {offsetof(struct wl_options, ram_bytes), "memory: 1", 1, true},
        {offsetof(struct wl_options, ram_bytes), "no multiple of 2 MiB", (64 << 20) + 4096, true},
        {offsetof(struct wl_options, working_set), "working-set: 8193", 8193, true},
        {offsetof(struct wl_options, working_set), "no multiple of 8", 1001, true},
        {offsetof(struct wl_options, accesses), "accesses: 0", 0, true},
        {offsetof(struct wl_options, stores), "stores: 101", 101, false},
        {offsetof(struct wl_options, crossings), "crossings: 1000001", 1000001, false},
        {offsetof(struct wl_options, batch), "batch: 513", 513, false},
        {offsetof(struct wl_options, seed), "seed: 0", 0, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wl_options options = small();
        struct trace_error error = {""};
        const unsigned int narrow = (unsigned int)cases[i].value;

        memcpy((char *)&options + cases[i].offset,
               cases[i].wide ? (const void *)&cases[i].value : (const void *)&narrow,
               cases[i].wide ? sizeof(uint64_t) : sizeof(unsigned int));
        assert_null(wl_open(&options, &error));
        if (!strstr(error.text, cases[i].name))
            fail_msg("'%s' is not in '%s'", cases[i].name, error.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_options_give_the_same_records),
        cmocka_unit_test(pages_are_lent_in_time_and_come_back_in_time),
        cmocka_unit_test(crossings_are_as_many_as_asked_for_and_reach_into_lent_pages),
        cmocka_unit_test(skewed_accesses_go_to_few_pages_and_uniform_ones_to_all),
        cmocka_unit_test(options_out_of_range_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
