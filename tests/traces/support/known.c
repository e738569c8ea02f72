/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The known figures of the recordings. */
#include "tests/traces/support/known.h"

#include "tests/support/cmocka_all.h"
#include "traces/trace.h"

static struct trace_summary summarise(const char *path)
{
    struct trace_error error = {""};
    struct trace_source *source = trace_open(path, &error);
    struct trace_summary summary;

    if (!source)
        fail_msg("%s", error.text);
    if (trace_summarise(source, &summary, &error) < 0)
        fail_msg("%s", error.text);
    source->close(source);
    return summary;
}

void known_arm64_a(const char *path)
{
    struct trace_summary summary = summarise(path);
    const struct trace_phase *total = &summary.total;

    /* The stream's accesses, and the 570 loads that did not complete. */
    assert_int_equal(total->kind[TRACE_ACCESS], 44692798 + 570);
    assert_int_equal(total->stores, 17400300);
    assert_int_equal(total->direct_map, 13333996 + 570);
    assert_int_equal(total->user, 1943295);
    assert_int_equal(summary.sites, 26741);
    assert_int_equal(total->zeropad, 1066864 + 570);
    assert_int_equal(total->crossing, 1718 + 570);
    assert_int_equal(total->crossing_unmapped, 570);
    assert_int_equal(total->crossing_mapped, 113);
    assert_int_equal(total->touched, 0);
    assert_int_equal(summary.faults[TRACE_OUTCOME_REPAIRED], 570);
    assert_int_equal(summary.faults[TRACE_OUTCOME_PANIC], 0);
    assert_int_equal(summary.faults[TRACE_OUTCOME_OTHER], 0);
    assert_int_equal(summary.initial, 708);
    assert_int_equal(summary.refused, 0);
    /* Of secretmem 2555 and 3263; 1379 pages of ordinary guests, of which 561 are freed. */
    assert_int_equal(total->kind[TRACE_DONATE], 708 + 2555 + 1379);
    assert_int_equal(total->kind[TRACE_RECLAIM], 3263 + 561);
    assert_int_equal(total->donated_peak, 1141);
    assert_int_equal(total->donated_end, 1379 - 561);
    assert_int_equal(total->kind[TRACE_ALLOC], 5820);
    assert_int_equal(total->kind[TRACE_FREE], 4866);
    assert_int_equal(total->kind[TRACE_CLEAR], 6396);
    assert_int_equal(total->kind[TRACE_TLBI], 15 + 14 + 12115 + 2555);
    assert_int_equal(total->kind[TRACE_MARK], 7);
    assert_int_equal(summary.phase_count, 6);
    assert_string_equal(summary.phase[5].name, "unmovable");
    trace_summary_free(&summary);
}

void known_arm64_p(const char *path)
{
    struct trace_summary summary = summarise(path);
    const struct trace_phase *total = &summary.total;

    assert_int_equal(total->kind[TRACE_ACCESS], 14857837);
    assert_int_equal(total->stores, 6378505);
    assert_int_equal(total->direct_map, 4006099);
    assert_int_equal(total->user, 421743);
    assert_int_equal(summary.sites, 28160);
    assert_int_equal(total->zeropad, 26900);
    assert_int_equal(total->crossing, 0);
    /* 29 VMs live at the start and 72 created with three gifts each, 55 torn down. */
    assert_int_equal(summary.initial, 29 * 5);
    assert_int_equal(total->kind[TRACE_DONATE], 29 * 3 + 72 * 3);
    assert_int_equal(total->kind[TRACE_RECLAIM], 55 * 3);
    assert_int_equal(total->donated_end, 5 * (29 + 72 - 55));
    assert_int_equal(total->touched, 0);
    assert_int_equal(summary.refused, 0);
    assert_int_equal(total->kind[TRACE_HYPERCALL], 701);
    assert_int_equal(total->kind[TRACE_ALLOC], 1445);
    assert_int_equal(total->kind[TRACE_FREE], 1248);
    assert_int_equal(total->kind[TRACE_CLEAR], 1795);
    assert_int_equal(total->kind[TRACE_TLBI], 12 + 733);
    trace_summary_free(&summary);
}

/* The page fault of the load before it: CR2 of an access that crosses into a page that is not
 * mapped is the first byte of that page. */
static void check_repaired(const struct trace_block *block, const struct trace_rec *fault,
                           const struct trace_rec *before)
{
    const struct trace_event *event = &block->events[fault->site];
    const struct trace_site *site;

    assert_int_equal(before->kind, TRACE_ACCESS);
    assert_int_equal(before->cpu, fault->cpu);
    site = &block->sites[before->site];
    assert_true(site->zeropad);
    assert_false(site->store);
    assert_int_equal(site->size_log2, 3);
    assert_int_equal(site->pc, event->a);
    /* The kernel read a page that was not present. */
    assert_int_equal(event->b, 0);
    assert_int_equal(fault->addr & 0xfff, 0);
    assert_in_range(fault->addr - before->addr, 1, 7);
}

/* How many faults of the direct map were repaired, each next to its attempt. */
static uint64_t count_attempts(const char *path)
{
    struct trace_error error = {""};
    struct trace_source *source = trace_open(path, &error);
    struct trace_rec before = {.kind = TRACE_MARK};
    struct trace_block block;
    uint64_t count = 0;

    assert_non_null(source);
    while (source->next(source, &block, &error) == 1) {
        const struct trace_header *header = source->header(source);

        for (size_t i = 0; i < block.count; before = block.rec[i++]) {
            const struct trace_rec *rec = &block.rec[i];
            bool direct = rec->addr >= header->linear_start && rec->addr < header->linear_end;

            if (rec->kind != TRACE_KFAULT)
                continue;
            assert_int_equal(block.events[rec->site].c,
                             direct ? TRACE_OUTCOME_REPAIRED : TRACE_OUTCOME_OTHER);
            if (!direct)
                continue;
            check_repaired(&block, rec, &before);
            count++;
        }
    }
    source->close(source);
    return count;
}

void known_amd64_a(const char *path)
{
    struct trace_summary summary = summarise(path);
    const struct trace_phase *total = &summary.total;

    assert_int_equal(count_attempts(path), 566);
    assert_int_equal(total->kind[TRACE_ACCESS], 58906398 + 566);
    assert_int_equal(total->stores, 25683014);
    assert_int_equal(total->direct_map, 26743851 + 566);
    assert_int_equal(total->user, 1944819);
    assert_int_equal(total->zeropad, 1071315 + 566);
    assert_int_equal(total->crossing, 1726 + 566);
    assert_int_equal(total->crossing_unmapped, 566);
    assert_int_equal(total->crossing_mapped, 94);
    assert_int_equal(total->touched, 0);
    assert_int_equal(summary.faults[TRACE_OUTCOME_REPAIRED], 566);
    assert_int_equal(summary.faults[TRACE_OUTCOME_OTHER], 629 - 566);
    assert_int_equal(summary.initial, 708);
    assert_int_equal(summary.refused, 0);
    assert_int_equal(total->kind[TRACE_DONATE], 708 + 2555 + 1379);
    assert_int_equal(total->donated_peak, 1141);
    assert_int_equal(total->donated_end, 1379 - 561);
    assert_int_equal(total->kind[TRACE_RECLAIM], 3263 + 561);
    assert_int_equal(summary.sites, 35975);
    assert_int_equal(total->kind[TRACE_ALLOC], 5795);
    assert_int_equal(total->kind[TRACE_FREE], 4847);
    assert_int_equal(total->kind[TRACE_FLUSH], 2555);
    assert_int_equal(total->kind[TRACE_TLBI], 5790 + 345 + 12);
    trace_summary_free(&summary);
}

void known_crash(const char *path, uint64_t far, uint64_t accesses)
{
    struct trace_summary summary = summarise(path);
    const struct trace_phase *total = &summary.total;
    struct trace_error error = {""};
    struct trace_source *source = trace_open(path, &error);
    struct trace_block block;
    const struct trace_rec *last;

    assert_int_equal(total->kind[TRACE_ACCESS], accesses);
    assert_int_equal(total->kind[TRACE_DONATE], 40 * 3);
    assert_int_equal(total->donated_end, 40 * 5);
    assert_int_equal(total->crossing_mapped, 1);
    assert_int_equal(total->touched, 0);
    assert_int_equal(summary.refused, 0);
    assert_int_equal(summary.faults[TRACE_OUTCOME_PANIC], 1);
    assert_non_null(source);
    assert_int_equal(source->next(source, &block, &error), 1);
    last = &block.rec[block.count - 3];
    assert_int_equal(last[0].addr, far - 1);
    assert_int_equal(block.sites[last[0].site].pc, 0xffff80008046bd58);
    assert_int_equal(last[1].kind, TRACE_KFAULT);
    assert_int_equal(last[1].addr, far);
    assert_int_equal(last[2].kind, TRACE_MARK);
    source->close(source);
    trace_summary_free(&summary);
}
