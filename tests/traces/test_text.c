/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ftrace text alone, and the console of a host that died. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/maker.h"

static const char head[] = "# tracer: nop\n# entries-in-buffer/entries-written: 3/3   #P:2\n";

static const char gifts[] =
    "        pkvm-149     [001] d....     1.500001: give_size: (alloc+0x0/0xc8) size=4096\n"
    "        pkvm-149     [001] d....     1.500002: give_at: (pkvm_create_hyp_vm+0xb4/0x298 <- "
    "alloc) addr=0xffff000000010000\n"
    "        pkvm-149     [001] d....     1.500003: give_size: (alloc+0x0/0xc8) size=8192\n"
    "        pkvm-149     [001] d....     1.500004: give_at: (pkvm_create_hyp_vm+0xf8/0x298 <- "
    "alloc) addr=0xffff000000012000\n"
    "        pkvm-149     [001] d....     1.500005: give_at: (pkvm_create_hyp_vm+0x180/0x298 <- "
    "alloc) addr=0xffff000000014000\n";

static const char panic[] = "[    1.6] kvm [149]: nVHE hyp BUG at: [<1>] f+0x2dc/0x300!\n"
                            "[    1.6] Kernel panic - not syncing: HYP panic:\n"
                            "[    1.6] PS:604003c9 PC:00008e2181144884 ESR:00000000f2000800\n"
                            "[    1.6] FAR:ffff000000012000 HPFAR:0000000000400120 PAR:0\n"
                            "[    1.6] CPU: 1 UID: 0 PID: 149 Comm: pkvm Not tainted 6.12\n"
                            "[    1.6] Call trace:\n"
                            "[    1.6]  dump_backtrace+0xa0/0x128\n"
                            "[    1.6]  nvhe_hyp_panic_handler+0x110/0x248\n"
                            "[    1.6]  link_path_walk+0xe0/0x3c8\n";

static const char zeropad_list[] = "\n[load_unaligned_zeropad]\n# address, register, place\n"
                                   "ffff800080001008 24 link_path_walker+0x10\n"
                                   "ffff800080001000 2e1 link_path_walk+0xf0\n"
                                   "ffff800080001004 41 link_path_walk+0x130\n";

struct text_case {
    struct scratch scratch;
    struct maker maker;
    char *dump;
    struct trace_import_stats stats;
};

static void begin(struct text_case *text)
{
    scratch_make(&text->scratch);
    maker_begin(&text->maker);
    trace_put(&text->maker.facts, zeropad_list, strlen(zeropad_list));
    maker_end(&text->maker);
    maker_save(&text->maker, text->scratch.dir);
    text->dump = NULL;
}

static void add_file(struct text_case *text, const char *name, const char *a, const char *b,
                     const char *c)
{
    char whole[4096];
    int size = snprintf(whole, sizeof(whole), "%s%s%s", a, b, c);

    file_write(scratch_path(&text->scratch, name), whole, (size_t)size);
}

static void dump(struct text_case *text)
{
    struct trace_error error = {""};
    struct trace_source *source = trace_open(scratch_path(&text->scratch, "t"), &error);
    size_t size;
    FILE *out;

    assert_non_null(source);
    out = fopen(scratch_path(&text->scratch, "dump"), "w");
    assert_non_null(out);
    assert_int_equal(trace_dump(source, out, &error), 0);
    fclose(out);
    source->close(source);
    text->dump = (char *)file_read(scratch_path(&text->scratch, "dump"), &size);
}

static void end(struct text_case *text)
{
    free(text->dump);
    maker_free(&text->maker);
    scratch_remove(&text->scratch);
}

static void text_alone_gives_events_in_the_order_of_its_lines(void **state)
{
    struct trace_error error = {""};
    struct text_case text;

    (void)state;
    begin(&text);
    add_file(&text, "text.txt", head,
             "   a-1     [000] .....     1.000001: mm_page_alloc: page=1 pfn=0x40010 order=0 "
             "migratetype=0 gfp_flags=GFP_KERNEL\n"
             "   b-2     [001] d....     1.000002: donate: (f+0x0/0x1) page=0xfffffdffc0000440\n"
             "   b-2     [001] d....     1.000003: fault: (f+0x0/0x88) addr=0xffff000000011000 "
             "esr=0x96000007 pc=0xffff800080001000\n"
             "   a-1     [000] d....     1.000004: sched_switch: something else\n"
             "   b-2     [001] d....     1.000005: fixup: (f+0x0/0x128) pc=0xffff800080001000\n",
             "   a-1     [000] d....     1.000006: reclaim: (f+0x0/0x1) page=0xfffffdffc0000440\n");
    if (trace_import_ftrace(scratch_path(&text.scratch, "text.txt"),
                            scratch_path(&text.scratch, "t"), 1, &text.stats, &error) < 0)
        fail_msg("%s", error.text);
    dump(&text);
    assert_string_equal(
        text.dump,
        "0 cpu0 mark start \"ftrace\"\n"
        "1 cpu0 alloc pa=40010000 order=0 class=kernel migratetype=0 task=1 clock=1000001\n"
        "2 cpu1 donate pa=40011000 pages=1 owner=guest.0 unmapped task=2 clock=1000002\n"
        "3 cpu1 load8 va=ffff000000010fff pc=ffff800080001000 zeropad\n"
        "4 cpu1 kfault va=ffff000000011000 pc=ffff800080001000 esr=96000007 repaired task=2 "
        "clock=1000003\n"
        "5 cpu0 reclaim pa=40011000 pages=1 owner=guest.0 unmapped task=1 clock=1000006\n"
        "6 cpu0 mark end \"end\" clock=1000006\n");
    end(&text);
}

static void a_console_gives_the_gifts_and_the_panic(void **state)
{
    struct trace_error error = {""};
    struct text_case text;

    (void)state;
    begin(&text);
    add_file(&text, "console", "[    0.000000] Booting\nMemTotal: 1 kB\n\n# tracer: nop\n", gifts,
             panic);
    if (trace_import_crash(scratch_path(&text.scratch, "console"), NULL, NULL,
                           scratch_path(&text.scratch, "t"), 1, &text.stats, &error) < 0)
        fail_msg("%s", error.text);
    dump(&text);
    assert_string_equal(text.dump,
                        "0 cpu0 mark start \"console\"\n"
                        "1 cpu1 donate pa=40010000 pages=1 owner=hyp.0 clock=1500005\n"
                        "2 cpu1 donate pa=40012000 pages=2 owner=hyp.0 clock=1500005\n"
                        "3 cpu1 donate pa=40014000 pages=2 owner=hyp.0 clock=1500005\n"
                        "4 cpu1 load8 va=ffff000000011fff pc=ffff800080001000 zeropad\n"
                        "5 cpu1 kfault va=ffff000000012000 pc=ffff800080001000 esr=0 panic "
                        "task=149 clock=1500005\n"
                        "6 cpu1 mark end \"panic\" clock=1500005\n");
    assert_int_equal(text.stats.donations, 3);
    assert_int_equal(text.stats.faults, 1);
    end(&text);
}

static void entries_into_the_hypervisor_give_order_and_accesses(void **state)
{
    struct trace_error error = {""};
    struct text_case text;

    (void)state;
    begin(&text);
    add_file(&text, "console", "# tracer: nop\n", gifts, panic);
    add_file(&text, "entries",
             "0 Hypervisor-Call 0x5a000000 - 0xffff800080009004\n"
             "0 Data-Abort 0x92000047 0xffff000000012000 0xffff800080000100\n"
             "0 Prefetch-Abort 0x82000007 0xffff800080001000 0xffff800080001000\n"
             "1 Hypervisor-Call 0x5a000000 - 0xffff800080005744\n",
             "1 Data-Abort 0x93c10007 0xffff000000016010 0xffff800080000200\n"
             "1 Hypervisor-Call 0x5a000000 - 0xffff8000800057e4\n",
             "1 Data-Abort 0x93c18007 0xffff000000012000 0xffff800080001000\n"
             "1 Data-Abort 0x93c18007 0xffff000000018000 0xffff800080001000\n");
    if (trace_import_crash(scratch_path(&text.scratch, "console"),
                           scratch_path(&text.scratch, "entries"), text.scratch.dir,
                           scratch_path(&text.scratch, "t"), 1, &text.stats, &error) < 0)
        fail_msg("%s", error.text);
    dump(&text);
    assert_string_equal(text.dump,
                        "0 cpu0 mark start \"console\"\n"
                        "1 cpu0 hypercall pc=ffff800080009000\n"
                        "2 cpu0 store1 va=ffff000000012000 pc=ffff800080000100\n"
                        "3 cpu1 hypercall pc=ffff800080005740\n"
                        "4 cpu1 donate pa=40010000 pages=1 owner=hyp.0\n"
                        "5 cpu1 donate pa=40012000 pages=2 owner=hyp.0\n"
                        "6 cpu1 load8 va=ffff000000016010 pc=ffff800080000200\n"
                        "7 cpu1 hypercall pc=ffff8000800057e0\n"
                        "8 cpu1 donate pa=40014000 pages=2 owner=hyp.0\n"
                        "9 cpu1 load8 va=ffff000000011fff pc=ffff800080001000 zeropad\n"
                        "10 cpu1 kfault va=ffff000000012000 pc=ffff800080001000 esr=93c18007 "
                        "panic task=149\n"
                        "11 cpu1 mark end \"panic\"\n");
    end(&text);
}

static void expect_failure(struct text_case *text, const char *message)
{
    struct trace_error error = {""};

    assert_int_equal(trace_import_crash(scratch_path(&text->scratch, "console"),
                                        scratch_path(&text->scratch, "entries"), NULL,
                                        scratch_path(&text->scratch, "t"), 1, &text->stats, &error),
                     -1);
    if (!strstr(error.text, message))
        fail_msg("%s", error.text);
}

static void a_broken_list_of_entries_is_refused(void **state)
{
    struct text_case text;

    (void)state;
    begin(&text);
    add_file(&text, "console", "# tracer: nop\n", gifts, panic);
    add_file(&text, "entries", "0 Data-Abort 0x92000047\n", "", "");
    expect_failure(&text, "entries: line 1: expected CPU, kind, ESR, address, PC");
    add_file(&text, "entries", "0 Data-Abort 0x92000047 - 0xffff800080000100\n", "", "");
    expect_failure(&text, "entries: line 1: expected");
    add_file(&text, "entries", "0 Data-Abort 0x92000047 0xffff000000099000 0x1\n", "", "");
    expect_failure(&text, "expected an abort at ffff000000012000, the FAR of");
    end(&text);
}

static void text_without_machine_facts_is_refused(void **state)
{
    struct trace_error error = {""};
    struct trace_import_stats stats;
    struct scratch scratch;

    (void)state;
    scratch_make(&scratch);
    file_write(scratch_path(&scratch, "text.txt"), head, strlen(head));
    assert_int_equal(trace_import_ftrace(scratch_path(&scratch, "text.txt"),
                                         scratch_path(&scratch, "t"), 1, &stats, &error),
                     -1);
    assert_non_null(strstr(error.text, "facts.txt.xz: cannot open"));
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_alone_gives_events_in_the_order_of_its_lines),
        cmocka_unit_test(a_console_gives_the_gifts_and_the_panic),
        cmocka_unit_test(entries_into_the_hypervisor_give_order_and_accesses),
        cmocka_unit_test(a_broken_list_of_entries_is_refused),
        cmocka_unit_test(text_without_machine_facts_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
