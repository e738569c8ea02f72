/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recordings written by hand, imported, and compared record by record as text. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/maker.h"

#define PA(frame)     (MAKER_RAM + (uint64_t)(frame)*0x1000)
#define VA(frame)     (MAKER_LINEAR + (uint64_t)(frame)*0x1000)
#define PFN(frame)    (0x40000u + (unsigned int)(frame))
#define STRUCT(frame) (MAKER_ORIGIN + PFN(frame) * (uint64_t)64)

#define HIGHUSER "migratetype=0 gfp_flags=GFP_HIGHUSER|__GFP_ACCOUNT"
#define SECRET   "migratetype=0 gfp_flags=GFP_HIGHUSER|__GFP_COMP|__GFP_ZERO"
#define KERNEL   "migratetype=0 gfp_flags=GFP_KERNEL_ACCOUNT"

static void begin(struct maker *maker)
{
    maker_begin(maker);
    maker_line(maker, "init-1", "mm_page_free: page=1 pfn=0x40001 order=0");
    maker_event(maker, 2); /* before the first marker: without a line */
    maker_both(maker, 11, "zpwork-7", "tracing_mark_write: zp sync");
}

/* Imports and compares the dump, without clocks. */
static struct trace_import_stats expect(struct maker *maker, const char *want)
{
    struct trace_import_stats stats;
    struct trace_error error = {""};
    struct scratch scratch;
    struct trace_source *source;
    char *text, *clock;
    size_t size;
    FILE *out;

    maker_both(maker, 11, "zpwork-7", "tracing_mark_write: zp end");
    maker_end(maker);
    scratch_make(&scratch);
    maker_save(maker, scratch.dir);
    maker_free(maker);
    if (trace_import_recording(scratch.dir, scratch_path(&scratch, "t"), 1, &stats, &error) < 0)
        fail_msg("%s", error.text);
    source = trace_open(scratch_path(&scratch, "t"), &error);
    assert_non_null(source);
    assert_int_equal(source->header(source)->cpus, 2);
    assert_int_equal(source->header(source)->linear_start, MAKER_LINEAR);
    assert_string_equal(source->header(source)->clock,
                        "instructions executed since recording began");
    out = fopen(scratch_path(&scratch, "dump"), "w");
    assert_non_null(out);
    assert_int_equal(trace_dump(source, out, &error), 0);
    fclose(out);
    source->close(source);
    text = (char *)file_read(scratch_path(&scratch, "dump"), &size);
    while ((clock = strstr(text, " clock=")) != NULL)
        memmove(clock, clock + strcspn(clock, "\n"), strlen(clock + strcspn(clock, "\n")) + 1);
    assert_string_equal(text, want);
    free(text);
    scratch_remove(&scratch);
    return stats;
}

static void accesses_keep_order_site_and_cpu(void **state)
{
    struct trace_import_stats stats;
    struct maker maker;
    uint32_t load, store;

    (void)state;
    begin(&maker);
    load = maker_site(&maker, MAKER_TEXT + 0x20, MAKER_LOAD);
    maker_access(&maker, load, VA(3));
    maker_page(&maker, 0xffff800084000000, PA(9), false);
    store = maker_site(&maker, MAKER_TEXT + 0x10, MAKER_STORE);
    maker_access(&maker, store, 0xffff800084000ff8);
    maker_cpu(&maker, 1);
    maker_access(&maker, load, VA(3) + 8);
    maker_page(&maker, 0x400000, 0x9000000, true);
    maker_tlbi(&maker, 0x41f);
    maker_hypercall(&maker, MAKER_TEXT + 0x44);
    stats = expect(&maker, "0 cpu0 mark start \"zp sync\" task=7\n"
                           "1 cpu0 load8 va=ffff000000003000 pc=ffff800080000020\n"
                           "2 cpu0 page va=ffff800084000000 pa=40009000\n"
                           "3 cpu0 store8 va=ffff800084000ff8 pc=ffff800080000010\n"
                           "4 cpu1 load8 va=ffff000000003008 pc=ffff800080000020\n"
                           "5 cpu1 page va=0000000000400000 pa=9000000 device\n"
                           "6 cpu1 tlbi code=41f\n"
                           "7 cpu1 hypercall pc=ffff800080000044\n"
                           "8 cpu1 mark end \"zp end\" task=7\n");
    assert_int_equal(stats.accesses, 3);
    assert_int_equal(stats.events, 6);
}

static void allocations_have_a_class_and_batched_frees_one_record(void **state)
{
    struct maker maker;

    (void)state;
    begin(&maker);
    maker_both(&maker, 1, "zp-vmm-8", "mm_page_alloc: page=1 pfn=0x40010 order=0 " SECRET);
    maker_both(&maker, 1, "sh-9", "mm_page_alloc: page=1 pfn=0x40011 order=0 " SECRET);
    maker_both(&maker, 1, "sh-9",
               "mm_page_alloc: page=1 pfn=0x40012 order=1 migratetype=1 "
               "gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP");
    maker_both(&maker, 1, "sh-9",
               "mm_page_alloc: page=1 pfn=0x40014 order=0 gfp_flags=GFP_USER|__GFP_COMP");
    maker_both(&maker, 1, "a [b] c-9", "mm_page_alloc: page=1 pfn=0x40015 order=0 " KERNEL);
    maker_both(&maker, 2, "sh-9", "mm_page_free: page=1 pfn=0x40010 order=0");
    maker_both(&maker, 2, "sh-9", "mm_page_free: page=1 pfn=0x40011 order=0");
    maker_both(&maker, 3, "sh-9", "mm_page_free_batched: page=1 pfn=0x40010 order=0");
    maker_both(&maker, 3, "sh-9", "mm_page_free_batched: page=1 pfn=0x40014 order=0");
    expect(&maker, "0 cpu0 mark start \"zp sync\" task=7\n"
                   "1 cpu0 alloc pa=40010000 order=0 class=secret migratetype=0 task=8\n"
                   "2 cpu0 alloc pa=40011000 order=0 class=unmovable migratetype=0 task=9\n"
                   "3 cpu0 alloc pa=40012000 order=1 class=movable migratetype=1 task=9\n"
                   "4 cpu0 alloc pa=40014000 order=0 class=user migratetype=0 task=9\n"
                   "5 cpu0 alloc pa=40015000 order=0 class=kernel migratetype=0 task=9\n"
                   "6 cpu0 free pa=40010000 order=0 batched task=9\n"
                   "7 cpu0 free pa=40011000 order=0 task=9\n"
                   "8 cpu0 free pa=40014000 order=0 batched task=9\n"
                   "9 cpu0 mark end \"zp end\" task=7\n");
}

static void donations_before_and_in_the_stream_are_told_apart(void **state)
{
    struct trace_import_stats stats;
    struct maker maker;

    (void)state;
    begin(&maker);
    maker_print(&maker.donated, "0x40020 guest 3 page 87\n0x40030 guest 0 page 1\n");
    maker_both(&maker, 4, "zp-vmm-8", "donate: (f+0x0/0xc8) page=0x%llx",
               (unsigned long long)STRUCT(0x21));
    maker_both(&maker, 5, "zp-vmm-8", "reclaim: (f+0x0/0xc8) page=0x%llx",
               (unsigned long long)STRUCT(0x20));
    stats =
        expect(&maker, "0 cpu0 donate pa=40020000 pages=1 owner=guest.3 unmapped initial\n"
                       "1 cpu0 donate pa=40030000 pages=1 owner=guest.0 unmapped initial\n"
                       "2 cpu0 mark start \"zp sync\" task=7\n"
                       "3 cpu0 donate pa=40021000 pages=1 owner=guest.0 unmapped task=8\n"
                       "4 cpu0 reclaim pa=40020000 pages=1 owner=guest.3 unmapped initial task=8\n"
                       "5 cpu0 mark end \"zp end\" task=7\n");
    assert_int_equal(stats.donations, 3);
    assert_int_equal(stats.reclaims, 1);
}

static void the_first_donation_tells_the_origin_of_struct_pages(void **state)
{
    struct maker maker;
    char *origin;

    (void)state;
    begin(&maker);
    origin = strstr((char *)maker.facts.at, "page-origin");
    assert_non_null(origin);
    memcpy(origin, "# no-origin", 11);
    maker_both(&maker, 1, "zp-vmm-8", "mm_page_alloc: page=1 pfn=0x40021 order=0 " SECRET);
    maker_both(&maker, 1, "sh-9", "mm_page_alloc: page=1 pfn=0x40031 order=0 " KERNEL);
    maker_both(&maker, 4, "zp-vmm-8", "donate: (f+0x0/0xc8) page=0x%llx",
               (unsigned long long)STRUCT(0x21));
    expect(&maker, "0 cpu0 mark start \"zp sync\" task=7\n"
                   "1 cpu0 alloc pa=40021000 order=0 class=secret migratetype=0 task=8\n"
                   "2 cpu0 alloc pa=40031000 order=0 class=kernel migratetype=0 task=9\n"
                   "3 cpu0 donate pa=40021000 pages=1 owner=guest.0 unmapped task=8\n"
                   "4 cpu0 mark end \"zp end\" task=7\n");
}

static void fault(struct maker *maker, uint64_t far, uint64_t pc, bool repaired)
{
    maker_both(maker, 7, "ls-9",
               "fault: (do_bad_area+0x0/0x88) addr=0x%llx esr=0x96000007 pc=0x%llx",
               (unsigned long long)far, (unsigned long long)pc);
    if (!repaired)
        return;
    maker_repaired(maker, pc);
    maker_both(maker, 6, "ls-9", "fixup: (fixup_exception+0x0/0x128) pc=0x%llx",
               (unsigned long long)pc);
}

static void a_repaired_load_is_shown_before_its_fault(void **state)
{
    struct trace_import_stats stats;
    struct maker maker;
    uint32_t pad, other;

    (void)state;
    begin(&maker);
    fault(&maker, VA(5), MAKER_ZEROPAD, true); /* nothing known: the byte before the page */
    pad = maker_site(&maker, MAKER_ZEROPAD, MAKER_LOAD_PAD);
    maker_access(&maker, pad, VA(5) - 13);
    fault(&maker, VA(5), MAKER_ZEROPAD, true); /* the word after the site's last one */
    other = maker_site(&maker, MAKER_ZEROPAD + 0x40, MAKER_LOAD_PAD);
    maker_access(&maker, other, VA(7) - 10);
    fault(&maker, VA(7), MAKER_ZEROPAD, true);        /* the word after the CPU's last one */
    fault(&maker, 0x1000, MAKER_TEXT + 0x3000, true); /* a user access, no zeropad load */
    fault(&maker, VA(6), MAKER_ZEROPAD, false);       /* not looked up: not repaired */
    stats = expect(&maker,
                   "0 cpu0 mark start \"zp sync\" task=7\n"
                   "1 cpu0 load8 va=ffff000000004fff pc=ffff800080001000 zeropad\n"
                   "2 cpu0 kfault va=ffff000000005000 pc=ffff800080001000 esr=96000007 repaired "
                   "task=9\n"
                   "3 cpu0 load8 va=ffff000000004ff3 pc=ffff800080001000 zeropad\n"
                   "4 cpu0 load8 va=ffff000000004ffb pc=ffff800080001000 zeropad\n"
                   "5 cpu0 kfault va=ffff000000005000 pc=ffff800080001000 esr=96000007 repaired "
                   "task=9\n"
                   "6 cpu0 load8 va=ffff000000006ff6 pc=ffff800080001040 zeropad\n"
                   "7 cpu0 load8 va=ffff000000006ffe pc=ffff800080001000 zeropad\n"
                   "8 cpu0 kfault va=ffff000000007000 pc=ffff800080001000 esr=96000007 repaired "
                   "task=9\n"
                   "9 cpu0 kfault va=0000000000001000 pc=ffff800080003000 esr=96000007 repaired "
                   "task=9\n"
                   "10 cpu0 kfault va=ffff000000006000 pc=ffff800080001000 esr=96000007 other "
                   "task=9\n"
                   "11 cpu0 mark end \"zp end\" task=7\n");
    assert_int_equal(stats.faults, 5);
    assert_int_equal(stats.accesses, 5);
}

/* CPU 1's lines come between those of CPU 0, and one line of CPU 0 comes late. */
static void lines_are_matched_by_ordinal_and_late_ones_put_back(void **state)
{
    struct trace_import_stats stats;
    struct maker maker;
    uint32_t load;

    (void)state;
    begin(&maker);
    load = maker_site(&maker, MAKER_TEXT + 0x20, MAKER_LOAD);
    maker_event(&maker, 1);
    maker_access(&maker, load, 0);
    maker_event(&maker, 2);
    maker_event(&maker, 2);
    maker_access(&maker, load, 8);
    maker_cpu(&maker, 1);
    maker_event(&maker, 1);
    maker_line(&maker, "b-2", "mm_page_alloc: page=1 pfn=0x40050 order=0 " KERNEL);
    maker.cpu = 0;
    maker_line(&maker, "a-1", "mm_page_free: page=1 pfn=0x40041 order=0");
    maker_line(&maker, "a-1", "mm_page_free: page=1 pfn=0x40042 order=0");
    maker_line(&maker, "a-1", "mm_page_alloc: page=1 pfn=0x40040 order=0 " KERNEL);
    maker_cpu(&maker, 0);
    stats = expect(&maker, "0 cpu0 mark start \"zp sync\" task=7\n"
                           "1 cpu0 alloc pa=40040000 order=0 class=kernel migratetype=0 task=1\n"
                           "2 cpu0 load8 va=0000000000000000 pc=ffff800080000020\n"
                           "3 cpu0 free pa=40041000 order=0 task=1\n"
                           "4 cpu0 free pa=40042000 order=0 task=1\n"
                           "5 cpu0 load8 va=0000000000000008 pc=ffff800080000020\n"
                           "6 cpu1 alloc pa=40050000 order=0 class=kernel migratetype=0 task=2\n"
                           "7 cpu0 mark end \"zp end\" task=7\n");
    assert_int_equal(stats.moved, 1);
}

static void clears_belong_to_the_allocation_that_follows_or_went_before(void **state)
{
    struct maker maker;

    (void)state;
    begin(&maker);
    maker_event(&maker, 12); /* of nothing known */
    maker_event(&maker, 12);
    maker_event(&maker, 12);
    maker_both(&maker, 1, "a-1", "mm_page_alloc: page=1 pfn=0x40010 order=1 " KERNEL);
    maker_event(&maker, 12); /* of the page before */
    maker_event(&maker, 12);
    maker_both(&maker, 1, "a-1", "mm_page_alloc: page=1 pfn=0x40020 order=0 " KERNEL);
    maker_event(&maker, 12);
    expect(&maker, "0 cpu0 mark start \"zp sync\" task=7\n"
                   "1 cpu0 clear pa=0 pages=1\n"
                   "2 cpu0 clear pa=40010000 pages=1\n"
                   "3 cpu0 clear pa=40011000 pages=1\n"
                   "4 cpu0 alloc pa=40010000 order=1 class=kernel migratetype=0 task=1\n"
                   "5 cpu0 clear pa=40010000 pages=1\n"
                   "6 cpu0 clear pa=40020000 pages=1\n"
                   "7 cpu0 alloc pa=40020000 order=0 class=kernel migratetype=0 task=1\n"
                   "8 cpu0 clear pa=40020000 pages=1\n"
                   "9 cpu0 mark end \"zp end\" task=7\n");
}

/* A pipe page is given when it is full, a memfd page when it is cleared. */
static void ordinary_pages_are_donated_when_they_are_set_up(void **state)
{
    struct maker maker;
    uint32_t store;

    (void)state;
    begin(&maker);
    store = maker_site(&maker, MAKER_TEXT + 0x20, MAKER_STORE);
    maker_both(&maker, 1, "zp-vmm-8", "mm_page_alloc: page=1 pfn=0x40010 order=0 " HIGHUSER);
    maker_both(&maker, 11, "zpwork-7", "tracing_mark_write: zp phase 4 movable");
    maker_both(&maker, 1, "zp-vmm-8",
               "mm_page_alloc: page=1 pfn=0x40011 order=0 migratetype=1 "
               "gfp_flags=GFP_HIGHUSER_MOVABLE");
    maker_event(&maker, 12);
    maker_both(&maker, 11, "zpwork-7", "tracing_mark_write: zp phase 5 unmovable");
    maker_event(&maker, 12);
    maker_both(&maker, 1, "zp-vmm-8", "mm_page_alloc: page=1 pfn=0x40012 order=0 " HIGHUSER);
    maker_access(&maker, store, VA(0x12) + 0xff0);
    maker_access(&maker, store, VA(0x12) + 0xff8);
    maker_access(&maker, store, VA(0x14));
    maker_both(&maker, 1, "zp-vmm-8", "mm_page_alloc: page=1 pfn=0x40013 order=0 " HIGHUSER);
    maker_both(&maker, 2, "other-9", "mm_page_free: page=1 pfn=0x40055 order=0");
    maker_both(&maker, 2, "zp-vmm-8", "mm_page_free: page=1 pfn=0x40012 order=0");
    maker_both(&maker, 1, "zp-vmm-8", "mm_page_alloc: page=1 pfn=0x40014 order=0 " HIGHUSER);
    maker_both(&maker, 2, "other-9", "mm_page_free: page=1 pfn=0x40014 order=0");
    expect(&maker, "0 cpu0 mark start \"zp sync\" task=7\n"
                   "1 cpu0 alloc pa=40010000 order=0 class=unmovable migratetype=0 task=8\n"
                   "2 cpu0 mark phase \"movable\" task=7\n"
                   "3 cpu0 alloc pa=40011000 order=0 class=movable migratetype=1 task=8\n"
                   "4 cpu0 clear pa=40011000 pages=1\n"
                   "5 cpu0 donate pa=40011000 pages=1 owner=guest.0 task=8\n"
                   "6 cpu0 mark phase \"unmovable\" task=7\n"
                   "7 cpu0 clear pa=40012000 pages=1\n"
                   "8 cpu0 alloc pa=40012000 order=0 class=unmovable migratetype=0 task=8\n"
                   "9 cpu0 store8 va=ffff000000012ff0 pc=ffff800080000020\n"
                   "10 cpu0 store8 va=ffff000000012ff8 pc=ffff800080000020\n"
                   "11 cpu0 donate pa=40012000 pages=1 owner=guest.0 task=8\n"
                   "12 cpu0 store8 va=ffff000000014000 pc=ffff800080000020\n"
                   "13 cpu0 alloc pa=40013000 order=0 class=unmovable migratetype=0 task=8\n"
                   "14 cpu0 free pa=40055000 order=0 task=9\n"
                   "15 cpu0 donate pa=40013000 pages=1 owner=guest.0 task=8\n"
                   "16 cpu0 reclaim pa=40012000 pages=1 owner=guest.0 task=8\n"
                   "17 cpu0 free pa=40012000 order=0 task=8\n"
                   "18 cpu0 alloc pa=40014000 order=0 class=unmovable migratetype=0 task=8\n"
                   "19 cpu0 free pa=40014000 order=0 task=9\n"
                   "20 cpu0 mark end \"zp end\" task=7\n");
}

static void gift(struct maker *maker, const char *function, unsigned int size, uint64_t va)
{
    maker_line(maker, "zp-vmm-8", "give_size: (alloc_pages_exact_noprof+0x0/0xc8) size=%u", size);
    maker_line(maker, "zp-vmm-8",
               "give_at: (%s+0xb4/0x298 <- alloc_pages_exact_noprof) addr=0x%llx", function,
               (unsigned long long)va);
}

static void vm_gifts(struct maker *maker, unsigned int frame)
{
    gift(maker, "kvm_s2_zalloc_pages_exact", 4096, VA(0x70));
    gift(maker, "pkvm_create_hyp_vm", 4096, VA(frame));
    gift(maker, "pkvm_create_hyp_vm", 8192, VA(frame + 2));
    gift(maker, "pkvm_create_hyp_vm", 5000, VA(frame + 4));
}

static void vms_give_and_get_back_their_pages_by_hypercalls(void **state)
{
    struct maker maker;

    (void)state;
    maker_begin(&maker);
    vm_gifts(&maker, 0x10); /* gone before the stream begins, */
    maker_line(&maker, "zp-vmm-8", "mm_page_free: page=1 pfn=0x40010 order=0");
    maker_line(&maker, "zp-vmm-8", "mm_page_free: page=1 pfn=0x40012 order=1");
    maker_line(&maker, "zp-vmm-8", "mm_page_free: page=1 pfn=0x40014 order=1");
    vm_gifts(&maker, 0x20); /* alive, */
    maker_both(&maker, 11, "zpwork-7", "tracing_mark_write: zp sync");
    vm_gifts(&maker, 0x30); /* created in the stream */
    maker_hypercall(&maker, MAKER_TEXT + 0x9000);
    maker_hypercall(&maker, MAKER_CREATE + 0x100);
    maker_hypercall(&maker, MAKER_CREATE + 0x1a0);
    maker_hypercall(&maker, MAKER_DESTROY + 0x30);
    maker_both(&maker, 2, "zp-vmm-8", "mm_page_free: page=1 pfn=0x40020 order=0");
    maker_both(&maker, 2, "zp-vmm-8", "mm_page_free: page=1 pfn=0x40010 order=0");
    expect(&maker, "0 cpu0 donate pa=40020000 pages=1 owner=hyp.0 initial\n"
                   "1 cpu0 donate pa=40022000 pages=2 owner=hyp.0 initial\n"
                   "2 cpu0 donate pa=40024000 pages=2 owner=hyp.0 initial\n"
                   "3 cpu0 mark start \"zp sync\" task=7\n"
                   "4 cpu0 hypercall pc=ffff800080009000\n"
                   "5 cpu0 hypercall pc=ffff800080005740\n"
                   "6 cpu0 donate pa=40030000 pages=1 owner=hyp.0\n"
                   "7 cpu0 donate pa=40032000 pages=2 owner=hyp.0\n"
                   "8 cpu0 hypercall pc=ffff8000800057e0\n"
                   "9 cpu0 donate pa=40034000 pages=2 owner=hyp.0\n"
                   "10 cpu0 hypercall pc=ffff800080005600\n"
                   "11 cpu0 reclaim pa=40020000 pages=1 owner=hyp.0 initial\n"
                   "12 cpu0 reclaim pa=40022000 pages=2 owner=hyp.0 initial\n"
                   "13 cpu0 reclaim pa=40024000 pages=2 owner=hyp.0 initial\n"
                   "14 cpu0 free pa=40020000 order=0 task=8\n"
                   "15 cpu0 free pa=40010000 order=0 task=8\n"
                   "16 cpu0 mark end \"zp end\" task=7\n");
}

static void page_flags_become_runs(void **state)
{
    struct maker maker;

    (void)state;
    begin(&maker);
    for (uint64_t i = 0; i < 0x20; i++)
        trace_put_fixed(&maker.flags, i < 3 ? 1u << 20 : i == 7 ? 0x80 : 0, 8);
    expect(&maker, "0 cpu0 page-flags pa=0 pages=3 flags=100000\n"
                   "1 cpu0 page-flags pa=3000 pages=4 flags=0\n"
                   "2 cpu0 page-flags pa=7000 pages=1 flags=80\n"
                   "3 cpu0 page-flags pa=8000 pages=24 flags=0\n"
                   "4 cpu0 mark start \"zp sync\" task=7\n"
                   "5 cpu0 mark end \"zp end\" task=7\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accesses_keep_order_site_and_cpu),
        cmocka_unit_test(allocations_have_a_class_and_batched_frees_one_record),
        cmocka_unit_test(donations_before_and_in_the_stream_are_told_apart),
        cmocka_unit_test(the_first_donation_tells_the_origin_of_struct_pages),
        cmocka_unit_test(a_repaired_load_is_shown_before_its_fault),
        cmocka_unit_test(lines_are_matched_by_ordinal_and_late_ones_put_back),
        cmocka_unit_test(clears_belong_to_the_allocation_that_follows_or_went_before),
        cmocka_unit_test(ordinary_pages_are_donated_when_they_are_set_up),
        cmocka_unit_test(vms_give_and_get_back_their_pages_by_hypercalls),
        cmocka_unit_test(page_flags_become_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
