/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels that mean harm, and traces of them: whatever the calls and events say, the core refuses
 * or obeys, and neither it nor the simulator ends the process.
 */
#include "tests/support/cmocka_all.h"

#include <hyp/hcall.h>

#include "sim/machine.h"
#include "tests/sim/support/script.h"
#include "workloads/guest/abi.h"

enum { SEEDS = 200, CALLS = 400, PAGE_SHIFT = 12 };

struct hostile {
    struct script script;
    struct sim *sim;
    uint8_t cpu; /* that speaks */
    uint64_t random;
    uint64_t obeyed; /* calls that the core did not refuse */
};

/* xorshift64* */
static uint64_t next(struct hostile *hostile)
{
    hostile->random ^= hostile->random >> 12;
    hostile->random ^= hostile->random << 25;
    hostile->random ^= hostile->random >> 27;
    return hostile->random * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t below(struct hostile *hostile, uint64_t limit)
{
    return (next(hostile) >> 16) % limit;
}

static void open_machine(struct hostile *hostile, bool x86, const char *strategy, uint64_t seed)
{
    struct sim_error error;

    (x86 ? script_init_x86 : script_init)(&hostile->script);
    hostile->random = seed * UINT64_C(0x9e3779b97f4a7c15);
    hostile->obeyed = 0;
    hostile->cpu = 0;
    /* As a running guest's: the direct map has room for the model's own memory. */
    hostile->script.header.linear_end = SCRIPT_LINEAR + (UINT64_C(1) << 46);
    if (sim_open(&hostile->sim, &hostile->script.config, sim_strategy_find(strategy),
                 &hostile->script.header, &error) != SIM_OK)
        fail_msg("%s", error.text);
}

static void send(struct hostile *hostile, enum trace_kind kind, uint64_t addr,
                 const struct trace_event *event)
{
    struct trace_rec rec = {.kind = (uint8_t)kind, .cpu = hostile->cpu, .addr = addr};

    sim_event(hostile->sim, &rec, event);
}

/* A physical address: of RAM, of the model's own memory behind it, at the ends, anything. */
static uint64_t some_pa(struct hostile *hostile)
{
    const struct sim_layout *layout = &hostile->sim->layout;
    uint64_t all = layout->carve_end.v - layout->ram_start.v;

    switch (below(hostile, 8)) {
    case 0:
        return next(hostile);
    case 1:
        return layout->ram_start.v + (below(hostile, all) & ~UINT64_C(4095));
    case 2:
        return layout->pool.v +
               (below(hostile, layout->pool_end.v - layout->pool.v) & ~UINT64_C(7));
    case 3:
        return layout->meta.v + (below(hostile, 64) << PAGE_SHIFT);
    default: /* few pages, so that calls meet pages that calls before have changed */
        return layout->ram_start.v + ((512 + below(hostile, 48)) << PAGE_SHIFT);
    }
}

static uint64_t some_argument(struct hostile *hostile)
{
    static const uint64_t odd[] = {0,          1,          2,          3,        UINT32_MAX,
                                   UINT64_MAX, 1ull << 63, 1ull << 51, 0x110001, 1ull << 36};

    switch (below(hostile, 6)) {
    case 0:
        return odd[below(hostile, sizeof(odd) / sizeof(odd[0]))];
    case 1:
        return below(hostile, 64);
    case 2:
        return HYP_HANDLE_BASE + below(hostile, 4);
    case 3:
        return some_pa(hostile);
    default:
        return some_pa(hostile) >> PAGE_SHIFT;
    }
}

static void call_at_random(struct hostile *hostile)
{
    struct trace_event args = {
        .a = some_argument(hostile), .b = some_argument(hostile), .c = some_argument(hostile)};
    struct trace_event first = {
        .a = some_argument(hostile), .b = some_argument(hostile), .c = some_argument(hostile)};
    uint64_t number = below(hostile, HYP_HCALL_COUNT + 6);

    if (number >= HYP_HCALL_COUNT) {
        static const uint64_t others[] = {FL_XOM, FL_ASI, FL_VM_SHARE, FL_VM_UNSHARE};

        number -= HYP_HCALL_COUNT;
        number = number < 4 ? others[number] : next(hostile);
        first.a = below(hostile, 4) ? below(hostile, FL_ASI_DESTROY + 2) : first.a;
    }
    hostile->cpu = (uint8_t)below(hostile, 2);
    send(hostile, TRACE_ARGS, 0, &args);
    send(hostile, TRACE_CALL, number, &first);
}

/* One of 48 pages that nobody but the calls uses. */
static uint64_t own_page(struct hostile *hostile)
{
    return hostile->sim->layout.ram_start.v + ((512 + below(hostile, 48)) << PAGE_SHIFT);
}

/* Steps in the life of a VM with arguments that make sense, so that some succeed. */
static void call_with_sense(struct hostile *hostile)
{
    uint64_t handle = HYP_HANDLE_BASE + below(hostile, 2), page = own_page(hostile),
             pfn = page >> PAGE_SHIFT, gfn = below(hostile, 8);
    uint64_t root_pages = hyp_vm_root_pages(&hostile->sim->hyp, 40);
    uint64_t root = own_page(hostile) & ~((root_pages << PAGE_SHIFT) - 1);
    struct {
        uint64_t number, arg[HYP_HCALL_ARGS];
    } calls[] = {
        {HYP_HCALL_VM_RESERVE, {0}},
        {HYP_HCALL_VM_INIT, {handle, below(hostile, 2) | 40 << 8, page, 1, root, root_pages}},
        {HYP_HCALL_VCPU_INIT, {handle, page}},
        {HYP_HCALL_VCPU_LOAD, {handle, 0}},
        {HYP_HCALL_VCPU_PUT, {0}},
        {HYP_HCALL_VCPU_REFILL, {page, 1, below(hostile, 4)}},
        {HYP_HCALL_HOST_DONATE_GUEST, {pfn, gfn}},
        {HYP_HCALL_HOST_SHARE_GUEST, {pfn, gfn, 1, HYP_PROT_RW}},
        {HYP_HCALL_HOST_UNSHARE_GUEST, {handle, gfn, 1}},
        {HYP_HCALL_HOST_SHARE_HYP, {pfn}},
        {HYP_HCALL_HOST_UNSHARE_HYP, {pfn}},
        {HYP_HCALL_HOST_DONATE_HYP, {pfn, 1 + below(hostile, 2)}},
        {FL_VM_SHARE, {gfn << PAGE_SHIFT}},
        {FL_VM_UNSHARE, {gfn << PAGE_SHIFT}},
        {HYP_HCALL_FORCE_RECLAIM, {page}},
        {HYP_HCALL_VM_RECLAIM_PAGE, {handle, gfn}},
        {HYP_HCALL_VM_START_TEARDOWN, {handle}},
        {HYP_HCALL_VM_FINALIZE, {handle}},
    };
    size_t count = sizeof(calls) / sizeof(calls[0]);
    /* The end of a VM is rarer than the steps before it. */
    size_t at = below(hostile, below(hostile, 8) ? count - 2 : count);
    const uint64_t *arg = calls[at].arg;

    hostile->cpu = (uint8_t)below(hostile, 2);
    send(hostile, TRACE_ARGS, 0, &(struct trace_event){.a = arg[3], .b = arg[4], .c = arg[5]});
    send(hostile, TRACE_CALL, calls[at].number,
         &(struct trace_event){.a = arg[0], .b = arg[1], .c = arg[2]});
    hostile->obeyed += hostile->sim->cpu_state[hostile->cpu].result == 0;
}

/* The kernel lends its pages, and takes them back, the way the strategy does it. */
static void lend_at_random(struct hostile *hostile)
{
    struct trace_event event = {
        .a = 1 + below(hostile, 4),
        .b = TRACE_DONATE_UNMAPPED,
        .owner = below(hostile, 3) ? (uint32_t)(TRACE_OWNER_GUEST | below(hostile, 3) << 8)
                                   : TRACE_OWNER_HYP};
    uint64_t pa = below(hostile, 8) ? own_page(hostile) : some_pa(hostile) & ~UINT64_C(4095);

    send(hostile, below(hostile, 3) ? TRACE_DONATE : TRACE_RECLAIM, pa, &event);
}

static void event_at_random(struct hostile *hostile)
{
    struct trace_event event = {
        .a = some_argument(hostile), .b = some_argument(hostile), .c = some_argument(hostile)};
    const struct sim_layout *layout = &hostile->sim->layout;

    switch (below(hostile, 8)) {
    case 0:
        send(hostile, TRACE_WORD,
             layout->ram_start.v + (below(hostile, UINT64_C(64) << 20) & ~UINT64_C(7)), &event);
        break;
    case 1:
        send(hostile, TRACE_SYSREG, below(hostile, 2) ? TRACE_SYSREG_VM : below(hostile, 64),
             &event);
        break;
    case 2:
        event.b = below(hostile, 6);
        event.a = below(hostile, 2) ? below(hostile, 6) : event.a;
        send(hostile, TRACE_INVALIDATE, next(hostile), &event);
        break;
    case 3:
    case 4:
        lend_at_random(hostile);
        break;
    case 5:
        call_at_random(hostile);
        break;
    default:
        call_with_sense(hostile);
        break;
    }
}

/* The machine works still: it can be asked for its figures, and taken apart. */
static void close_machine(struct hostile *hostile)
{
    struct sim_result result;

    sim_flush_batch(hostile->sim);
    sim_result(hostile->sim, &result);
    assert_true(result.stats.count[SIM_COUNT_hypercalls] > CALLS / 8);
    sim_close(hostile->sim);
}

static void random_calls(bool x86, const char *strategy)
{
    struct hostile hostile;
    uint64_t obeyed = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        open_machine(&hostile, x86, strategy, seed);
        for (unsigned int i = 0; i < CALLS; i++)
            (i % 2 ? call_at_random : call_with_sense)(&hostile);
        obeyed += hostile.obeyed;
        close_machine(&hostile);
    }
    assert_true(obeyed > 20 * SEEDS); /* it is not all refusals */
}

static void the_core_refuses_calls_with_any_arguments_on_arm64(void **state)
{
    (void)state;
    random_calls(false, "reflect");
}

static void the_core_refuses_calls_with_any_arguments_on_x86(void **state)
{
    (void)state;
    random_calls(true, "ept-inject");
}

static void events_of_any_content(bool x86, const char *strategy)
{
    struct hostile hostile;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        open_machine(&hostile, x86, strategy, seed);
        for (unsigned int i = 0; i < CALLS; i++)
            event_at_random(&hostile);
        close_machine(&hostile);
    }
}

static void a_trace_of_any_content_ends_no_arm64_machine(void **state)
{
    (void)state;
    events_of_any_content(false, "reflect");
}

static void a_trace_of_any_content_ends_no_x86_machine(void **state)
{
    (void)state;
    events_of_any_content(true, "ept-inject");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_core_refuses_calls_with_any_arguments_on_arm64),
        cmocka_unit_test(the_core_refuses_calls_with_any_arguments_on_x86),
        cmocka_unit_test(a_trace_of_any_content_ends_no_arm64_machine),
        cmocka_unit_test(a_trace_of_any_content_ends_no_x86_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
