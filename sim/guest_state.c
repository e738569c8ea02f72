/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest under emulation does to the state that translations depend on: memory, registers,
 * TLB maintenance and calls of the core. A running guest and the replay of its trace come through
 * here alike, which is why they agree.
 */
#include <hyp/bits.h>
#include <hyp/hcall.h>

#include "mmu/x86.h"
#include "sim/guest_x86.h"
#include "workloads/guest/abi.h"

enum { X86_HOST_VPID = 1, PAGE_SHIFT = 12 };

/* ---- TLB maintenance of the guest ---- */

/* DDI 0487 C5.5: TLBI operations of EL1, by CRm (less the shareability) and op2. */
static const struct {
    uint8_t op2, single, range;
} tlbi_ops[] = {
    {0, MMU_TLBI_VMALLE1, MMU_TLBI_COUNT}, {1, MMU_TLBI_VAE1, MMU_TLBI_RVAE1},
    {2, MMU_TLBI_ASIDE1, MMU_TLBI_COUNT},  {3, MMU_TLBI_VAAE1, MMU_TLBI_RVAAE1},
    {5, MMU_TLBI_VALE1, MMU_TLBI_RVALE1},  {7, MMU_TLBI_VAALE1, MMU_TLBI_RVAALE1},
};

/* CRm: 1 outer, 3 inner, 7 not shareable; 5, 2, 6 the same of the range forms. */
static bool decode_tlbi(uint64_t code, struct mmu_inval *inval)
{
    unsigned int op1 = code >> 11 & 7, crn = code >> 7 & 15, crm = code >> 3 & 15, op2 = code & 7;
    bool range = crm == 2 || crm == 5 || crm == 6;

    if (op1 != 0 || (crn != 8 && crn != 9) || (!range && crm != 1 && crm != 3 && crm != 7))
        return false;
    for (size_t i = 0; i < sizeof(tlbi_ops) / sizeof(tlbi_ops[0]); i++) {
        if (tlbi_ops[i].op2 != op2)
            continue;
        inval->op = range ? tlbi_ops[i].range : tlbi_ops[i].single;
        inval->broadcast = crm != 7 && crm != 6;
        return inval->op != MMU_TLBI_COUNT;
    }
    return false;
}

/* Xt of the forms with an address (C5.5) and of the range forms; 4 KiB granule. */
static void decode_operand(uint64_t xt, struct mmu_inval *inval)
{
    bool range = inval->op == MMU_TLBI_RVAE1 || inval->op == MMU_TLBI_RVAAE1 ||
                 inval->op == MMU_TLBI_RVALE1 || inval->op == MMU_TLBI_RVAALE1;
    uint64_t bits = range ? 37 : 44;

    inval->asid = (uint16_t)(xt >> 48);
    inval->start = (uint64_t)((int64_t)(xt << (64 - bits)) >> (64 - bits)) << PAGE_SHIFT;
    inval->size = UINT64_C(1) << PAGE_SHIFT;
    if (range)
        inval->size = ((xt >> 39 & 31) + 1) << (5 * (xt >> 44 & 3) + 1) << PAGE_SHIFT;
}

static void invalidate_arm64(struct sim *sim, uint8_t cpu, uint64_t code, uint64_t xt)
{
    const struct sim_cpu_state *state = &sim->cpu_state[cpu];
    struct mmu_inval inval = {.cpu = cpu, .ttl = -1};

    if (!decode_tlbi(code, &inval))
        return; /* of other levels, which trap, or of instructions that are none */
    decode_operand(xt, &inval);
    inval.vmid = state->vm ? (uint16_t)(state->vm - HYP_HANDLE_BASE + 1) : 0;
    mmu_invalidate(sim->mmu, &inval);
    sim_count(sim, SIM_COUNT_flushes, 1);
    sim_charge(sim, SIM_CAUSE_shootdown,
               inval.broadcast ? sim_shootdown_cycles(sim, inval.size >> PAGE_SHIFT,
                                                      inval.size > UINT64_C(1) << PAGE_SHIFT)
                               : SIM_COST(sim, flush_local));
}

static uint16_t pcid_of(const struct sim_cpu_state *state, uint64_t cr3)
{
    return state->reg[TRACE_CR4] & MMU_X86_CR4_PCIDE ? cr3 & 0xfff : 0;
}

static void invalidate_x86(struct sim *sim, uint8_t cpu, const struct trace_rec *rec,
                           const struct trace_event *event)
{
    static const uint8_t types[] = {MMU_X86_INVPCID_ADDR, MMU_X86_INVPCID_ONE, MMU_X86_INVPCID_ALL,
                                    MMU_X86_INVPCID_ALL_NG};
    const struct sim_cpu_state *state = &sim->cpu_state[cpu];
    struct mmu_x86_inval inval = {
        .cpu = cpu,
        .vpid = state->has_stage2 ? X86_HOST_VPID : 0,
        .pcid = pcid_of(state, state->reg[TRACE_CR3]),
        .start = rec->addr,
    };

    switch (event->a) {
    case TRACE_INVLPG:
        inval.op = MMU_X86_INVLPG;
        break;
    case TRACE_INVPCID:
        if (event->b >= sizeof(types))
            return;
        inval.op = types[event->b];
        inval.pcid = (uint16_t)(event->c & 0xfff);
        break;
    case TRACE_MOV_CR3:
        inval.op = rec->addr & MMU_X86_CR3_NOFLUSH && state->reg[TRACE_CR4] & MMU_X86_CR4_PCIDE
                       ? MMU_X86_MOV_CR3_KEEP
                       : MMU_X86_MOV_CR3;
        inval.pcid = pcid_of(state, rec->addr);
        break;
    case TRACE_MOV_CR4:
        inval.op = MMU_X86_CR4_GLOBAL;
        break;
    default:
        return;
    }
    mmu_x86_invalidate(sim->mmu, &inval);
    if (inval.op != MMU_X86_MOV_CR3_KEEP)
        sim_count(sim, SIM_COUNT_flushes, 1);
    sim_charge(sim, SIM_CAUSE_shootdown, SIM_COST(sim, flush_local));
}

/* ---- calls ---- */

/* SMCCC numbers of the guest services (hyp/guest.c). */
#define SMCCC_SHARE   UINT64_C(0xc6000003)
#define SMCCC_UNSHARE UINT64_C(0xc6000004)

static int64_t vm_call(struct sim *sim, uint8_t cpu, uint64_t number, uint64_t ipa)
{
    struct hyp_vcpu *vcpu = hyp_vcpu_loaded(&sim->hyp, cpu);
    struct hyp_guest_regs regs = {.x = {number == FL_VM_SHARE ? SMCCC_SHARE : SMCCC_UNSHARE, ipa}};

    sim_hypercall(sim, cpu);
    if (!vcpu || hyp_guest_hcall(&sim->hyp, vcpu, &regs) != HYP_GUEST_RESUME)
        return -1;
    return (int64_t)regs.x[0];
}

static int64_t call_core(struct sim *sim, uint8_t cpu, uint64_t number,
                         uint64_t args[HYP_HCALL_ARGS])
{
    if (number == FL_XOM || number == FL_ASI)
        return sim_guest_x86_call(sim, cpu, number, args);
    if (!SIM_GET(&sim->config, s2, enable))
        return HYP_HCALL_NOT_SUPPORTED;
    if (number == FL_VM_SHARE || number == FL_VM_UNSHARE)
        return vm_call(sim, cpu, number, args[0]);
    sim_hypercall(sim, cpu);
    return hyp_hcall(&sim->hyp, cpu, number, args);
}

/* ---- events ---- */

static void set_register(struct sim *sim, uint8_t cpu, uint64_t reg, uint64_t value)
{
    struct sim_cpu_state *state = &sim->cpu_state[cpu];

    if (reg < TRACE_SYSREG_COUNT)
        state->reg[reg] = value;
    else if (reg == TRACE_SYSREG_VM)
        state->vm = hyp_vm_find(&sim->hyp, (hyp_handle_t)value) ? (hyp_handle_t)value : 0;
    if (reg == TRACE_SYSREG_VM && state->vm)
        sim_hypercall(sim, cpu);
    sim_host_regs(sim, cpu);
}

/* A kernel that runs edits its own tables, which lie behind its RAM, through the direct map. */
static void begin(struct sim *sim)
{
    sim->runs_guest = true;
    sim_host_extend(sim, sim->layout.tables, sim->layout.tables_end);
}

/* A kernel reaches RAM and the tables it started with, and nothing of the hypervisor's. */
static void store_word(struct sim *sim, uint64_t pa, uint64_t value)
{
    const struct sim_layout *layout = &sim->layout;
    bool ram = pa >= layout->ram_start.v && pa < layout->ram_end.v;
    bool tables = pa >= layout->tables.v && pa < layout->tables_end.v;

    if (pa % 8 || (!ram && !tables))
        sim_bad_record(sim, "a word of the machine's RAM");
    else
        sim_ram_store(sim->ram, hyp_pa(pa), value);
}

void sim_guest_event(struct sim *sim, const struct trace_rec *rec, const struct trace_event *event)
{
    struct sim_cpu_state *state = &sim->cpu_state[rec->cpu];
    uint64_t args[HYP_HCALL_ARGS] = {event->a,       event->b,       event->c,
                                     state->args[0], state->args[1], state->args[2]};

    if (!sim->runs_guest)
        begin(sim);
    switch ((unsigned int)rec->kind) {
    case TRACE_WORD:
        store_word(sim, rec->addr, event->a);
        break;
    case TRACE_SYSREG:
        set_register(sim, rec->cpu, rec->addr, event->a);
        break;
    case TRACE_INVALIDATE:
        if (sim->map.x86)
            invalidate_x86(sim, rec->cpu, rec, event);
        else
            invalidate_arm64(sim, rec->cpu, event->a, rec->addr);
        break;
    case TRACE_ARGS:
        state->args[0] = event->a;
        state->args[1] = event->b;
        state->args[2] = event->c;
        break;
    case TRACE_CALL:
        state->result = call_core(sim, rec->cpu, rec->addr, args);
        state->args[0] = args[0];
        state->args[1] = args[1];
        break;
    default:
        break;
    }
}
