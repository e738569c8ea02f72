/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hypercalls of a running guest: the core's own, and the services of workloads/guest/abi.h. */
#include <hyp/hcall.h>
#include <inttypes.h>
#include <string.h>

#include "sim/guest.h"

enum { TEXT_MAX = 4096 };
#define REFUSED UINT64_MAX

struct call {
    struct guest_cpu *gc;
    uint64_t number, args[HYP_HCALL_ARGS];
};

/* Instruction-set order: x0 to x6; rax, then rdi rsi rdx rcx r8 r9. */
static const uint8_t arm64_regs[] = {0, 1, 2, 3, 4, 5, 6}, x86_regs[] = {0, 7, 6, 2, 1, 8, 9};

static void set_result(struct guest_cpu *gc, unsigned int index, uint64_t value)
{
    const uint8_t *regs = gc->guest->x86 ? x86_regs : arm64_regs;

    cpu_set(gc->cpu, CPU_GPR0 + regs[index], value);
}

/* ---- text ---- */

/* The guest's text; what cannot be read is cut off. */
static void read_text(const struct call *call, char *text, size_t size)
{
    uint64_t va = call->args[0], length = call->args[1];

    if (length >= size)
        length = size - 1;
    text[length] = '\0';
    if (!guest_read(call->gc, va, text, length))
        snprintf(text, size, "(text at 0x%" PRIx64 " is not mapped)", va);
}

static uint64_t do_print(struct call *call)
{
    FILE *console = call->gc->guest->options->console;
    char text[TEXT_MAX];

    read_text(call, text, sizeof(text));
    if (console)
        fputs(text, console);
    return 0;
}

static uint64_t do_exit(struct call *call)
{
    guest_end(call->gc->guest, SIM_GUEST_EXITED, call->args[0],
              call->args[0] ? "the guest gave up with status %" PRIu64 : "%.0" PRIu64,
              call->args[0]);
    return 0;
}

static uint64_t do_panic(struct call *call)
{
    char text[160];

    read_text(call, text, sizeof(text));
    text[strcspn(text, "\n")] = '\0';
    guest_end(call->gc->guest, SIM_GUEST_PANIC, 1, "%s, at 0x%" PRIx64 " on 0x%" PRIx64, text,
              call->args[2], call->args[3]);
    return 0;
}

static uint64_t do_tally(struct call *call)
{
    struct sim_guest_result *result = call->gc->guest->result;
    char name[sizeof(result->tally[0].name)];
    size_t at = 0;

    read_text(call, name, sizeof(name));
    while (at < result->tallies && strcmp(result->tally[at].name, name) != 0)
        at++;
    if (at == SIM_TALLIES_MAX)
        return REFUSED;
    if (at == result->tallies)
        result->tallies++;
    memcpy(result->tally[at].name, name, sizeof(name));
    result->tally[at].value = call->args[2];
    return 0;
}

static uint64_t do_mark(struct call *call)
{
    struct trace_event event = {.a = TRACE_MARK_PHASE};
    char text[64];

    read_text(call, text, sizeof(text));
    guest_mark(call->gc, &event, text);
    return 0;
}

/* ---- the kernel's memory ---- */

/* Every page of the range is (not) lent. */
static bool all_lent(const struct sim *sim, hyp_pa_t pa, uint64_t pages, bool lent)
{
    for (uint64_t i = 0; i < pages; i++) {
        const struct sim_page *page = sim_page_at(sim, hyp_pa_add(pa, i * 4096));

        if (!page || (page->lent != SIM_NOT_LENT) != lent)
            return false;
    }
    return pages != 0 && pa.v % 4096 == 0;
}

/* Pages change hands; the baseline leaves them where they are. */
static uint64_t hands(struct call *call, enum trace_kind kind, uint64_t pages, uint32_t owner)
{
    struct guest *guest = call->gc->guest;
    struct sim *sim = guest->sim;
    hyp_pa_t pa = hyp_pa(call->args[0]);
    struct trace_event event = {.a = pages, .b = TRACE_DONATE_UNMAPPED, .owner = owner};
    struct trace_event end = {.a = TRACE_MARK_USER};
    bool lends = kind == TRACE_DONATE, baseline = sim->strategy->baseline;

    if (!all_lent(sim, pa, pages, !lends && !baseline))
        return REFUSED;
    guest_event(guest, call->gc->index, kind, pa.v, &event);
    if (sim->batch_count) /* one call is one batch */
        guest_mark(call->gc, &end, "batch");
    return baseline || all_lent(sim, pa, pages, lends) ? 0 : REFUSED;
}

static uint64_t do_lend(struct call *call)
{
    uint64_t number = call->args[1];

    if (number > HYP_VMS_MAX)
        return REFUSED;
    return hands(call, TRACE_DONATE, call->args[2] ? call->args[2] : 1,
                 number ? (uint32_t)(TRACE_OWNER_GUEST | number << 8) : TRACE_OWNER_HYP);
}

static uint64_t do_return(struct call *call)
{
    return hands(call, TRACE_RECLAIM, call->args[1] ? call->args[1] : 1, 0);
}

/* ---- CPUs ---- */

static uint64_t do_cpu_on(struct call *call)
{
    struct guest *guest = call->gc->guest;

    if (call->args[0] >= guest->options->cpus || guest->cpus[call->args[0]].on)
        return REFUSED;
    guest_start(&guest->cpus[call->args[0]], call->args[1], call->args[2]);
    return 0;
}

static uint64_t do_timer(struct call *call)
{
    call->gc->timer = call->args[0];
    call->gc->irq_pending = false;
    return 0;
}

static uint64_t do_handler(struct call *call)
{
    call->gc->sdei_handler = call->args[0];
    return 0;
}

/* The registers of before come back, but for the one that the handler repaired. */
static uint64_t do_resume(struct call *call)
{
    struct guest_cpu *gc = call->gc;

    if (!gc->sdei.live)
        return REFUSED;
    if (call->args[1] < 31)
        gc->sdei.reg[CPU_GPR0 + call->args[1]] = call->args[2];
    gc->sdei.reg[CPU_PC] = call->args[0];
    guest_restore(gc, &gc->sdei);
    return 0;
}

/* ---- VMs ---- */

static void run_vm(struct guest_cpu *gc, uint64_t handle)
{
    struct trace_event event = {.a = handle};

    guest_event(gc->guest, gc->index, TRACE_SYSREG, TRACE_SYSREG_VM, &event);
}

static uint64_t do_vcpu_run(struct call *call)
{
    struct guest_cpu *gc = call->gc;
    struct hyp_vcpu *vcpu = NULL;

    if (SIM_GET(&gc->guest->sim->config, s2, enable))
        vcpu = hyp_vcpu_loaded(&gc->guest->sim->hyp, gc->index);
    if (!vcpu)
        return FL_VM_NOT_LOADED;
    guest_save(gc, &gc->host);
    run_vm(gc, hyp_vm_handle(vcpu->vm));
    cpu_set(gc->cpu, CPU_PC, call->args[0]);
    set_result(gc, 1, call->args[1]);
    return call->args[1];
}

void guest_leave_vm(struct guest_cpu *gc, uint64_t why, uint64_t value)
{
    run_vm(gc, 0);
    guest_restore(gc, &gc->host);
    set_result(gc, 0, why);
    set_result(gc, 1, value);
}

/* A call through the same event that a replay sees; its result. */
static uint64_t apply(struct call *call)
{
    struct guest_cpu *gc = call->gc;
    const uint64_t *args = call->args;
    struct trace_event rest = {.a = args[3], .b = args[4], .c = args[5]};
    struct trace_event first = {.a = args[0], .b = args[1], .c = args[2]};

    guest_event(gc->guest, gc->index, TRACE_ARGS, 0, &rest);
    guest_event(gc->guest, gc->index, TRACE_CALL, call->number, &first);
    return (uint64_t)gc->guest->sim->cpu_state[gc->index].result;
}

/* ---- x86 ---- */

/* The core may have changed to another table. */
static void load_root(struct guest_cpu *gc)
{
    uint64_t root = gc->guest->sim->cpu_state[gc->index].reg[TRACE_CR3];

    if (cpu_sysreg_get(gc->cpu, CPU_CR3) != root)
        cpu_sysreg_set(gc->cpu, CPU_CR3, root);
}

static uint64_t do_x86(struct call *call)
{
    const struct guest *guest = call->gc->guest;
    const struct sim_segment *last = &guest->image.segment[guest->image.segments - 1];
    uint64_t result;

    if (!guest->x86)
        return REFUSED;
    if (call->number == FL_ASI && call->args[0] == FL_ASI_CREATE) {
        call->args[1] = guest->image.segment[0].va;
        call->args[2] = last->va + last->bytes - call->args[1];
    } else if (call->number == FL_ASI && call->args[0] == FL_ASI_ENTER) {
        call->args[1] = guest_stack(call->gc, &call->args[2]);
    }
    result = apply(call);
    load_root(call->gc);
    return result;
}

/* ---- dispatch ---- */

static uint64_t (*const services[])(struct call *call) = {
    [FL_EXIT - FL_CALL_FIRST] = do_exit,     [FL_PANIC - FL_CALL_FIRST] = do_panic,
    [FL_PRINT - FL_CALL_FIRST] = do_print,   [FL_TALLY - FL_CALL_FIRST] = do_tally,
    [FL_MARK - FL_CALL_FIRST] = do_mark,     [FL_LEND - FL_CALL_FIRST] = do_lend,
    [FL_RETURN - FL_CALL_FIRST] = do_return, [FL_CPU_ON - FL_CALL_FIRST] = do_cpu_on,
    [FL_TIMER - FL_CALL_FIRST] = do_timer,   [FL_HANDLER - FL_CALL_FIRST] = do_handler,
    [FL_RESUME - FL_CALL_FIRST] = do_resume, [FL_VCPU_RUN - FL_CALL_FIRST] = do_vcpu_run,
    [FL_XOM - FL_CALL_FIRST] = do_x86,       [FL_ASI - FL_CALL_FIRST] = do_x86,
};

/* A call of the core. */
static void call_core(struct call *call)
{
    const struct sim_cpu_state *state = &call->gc->guest->sim->cpu_state[call->gc->index];

    set_result(call->gc, 0, apply(call));
    set_result(call->gc, 1, state->args[0]);
    set_result(call->gc, 2, state->args[1]);
}

static void call_from_vm(struct call *call)
{
    if (call->number == FL_VM_EXIT)
        guest_leave_vm(call->gc, FL_VM_EXITED, call->args[0]);
    else if (call->number == FL_VM_SHARE || call->number == FL_VM_UNSHARE)
        call_core(call);
    else
        set_result(call->gc, 0, REFUSED);
}

void guest_call(struct guest_cpu *gc)
{
    const uint8_t *regs = gc->guest->x86 ? x86_regs : arm64_regs;
    struct call call = {.gc = gc, .number = cpu_get(gc->cpu, CPU_GPR0)};

    for (unsigned int i = 0; i < HYP_HCALL_ARGS; i++)
        call.args[i] = cpu_get(gc->cpu, CPU_GPR0 + regs[i + 1]);
    uint64_t service = call.number - FL_CALL_FIRST;

    if (gc->guest->sim->cpu_state[gc->index].vm) {
        call_from_vm(&call);
    } else if (call.number < FL_CALL_FIRST) {
        call_core(&call);
    } else if (service < sizeof(services) / sizeof(services[0])) {
        bool resumes = call.number == FL_RESUME && gc->sdei.live;
        uint64_t result = services[service](&call);

        if (!resumes)
            set_result(gc, 0, result);
    } else {
        set_result(gc, 0, REFUSED);
    }
}
