/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults of a running guest: what its kernel is told. A page fault of its own goes to its vectors
 * as the architecture says; an access to a lent page, the way the strategy delivers it.
 */
#include <hyp/bits.h>
#include <hyp/esr.h>
#include <inttypes.h>

#include "mmu/x86.h"
#include "sim/guest.h"
#include "sim/guest_x86.h"

/* DDI 0487 D24.2.40: EC and DFSC of ESR_EL1. */
#define ESR_EC_SHIFT 26
#define ESR_IL       HYP_BIT(25)
#define ESR_WNR      HYP_BIT(6)

#define DFSC_SEA UINT64_C(0x10)

/* Intel SDM vol. 3: vectors, and the virtualization-exception area (25.5.7.2). */
enum { VECTOR_GP = 13, VECTOR_PF = 14, VECTOR_VE = 20, EXIT_EPT_VIOLATION = 48 };

void guest_take(struct guest_cpu *gc, const struct cpu_exception *exception)
{
    struct cpu_exit exit;

    if (!cpu_take(gc->cpu, exception, &exit))
        guest_end(gc->guest, SIM_GUEST_LOCKUP, 0,
                  "CPU %u: the frame of an exception at 0x%" PRIx64
                  " cannot be written to 0x%" PRIx64,
                  gc->index, cpu_get(gc->cpu, CPU_PC), exit.va);
}

/* An abort of the same or a lower level with this status. */
static uint64_t abort_esr(const struct mmu_request *request, uint64_t dfsc)
{
    uint64_t ec = request->access == MMU_FETCH ? 0x20 : 0x24;

    return (ec | (request->el == 1)) << ESR_EC_SHIFT | ESR_IL |
           (request->access == MMU_WRITE ? ESR_WNR : 0) | dfsc;
}

/* Firmware enters the handler with the context put aside. */
static void deliver_sdei(struct guest_cpu *gc)
{
    uint64_t pc = cpu_get(gc->cpu, CPU_PC);

    if (!gc->sdei_handler || gc->sdei.live) {
        guest_end(gc->guest, SIM_GUEST_LOCKUP, 0, "CPU %u: an SDEI event at 0x%" PRIx64 " finds %s",
                  gc->index, pc, gc->sdei.live ? "another one in progress" : "no handler");
        return;
    }
    guest_save(gc, &gc->sdei);
    cpu_set(gc->cpu, CPU_GPR0, gc->met.request.va);
    cpu_set(gc->cpu, CPU_GPR0 + 1, pc);
    cpu_set(gc->cpu, CPU_PC, gc->sdei_handler);
}

static void deliver_arm64(struct guest_cpu *gc, uint8_t how)
{
    const struct mmu_request *request = &gc->met.request;
    struct cpu_exception e = {.address = request->va, .has_address = true};

    if (how == FL_STRAY_SDEI) {
        deliver_sdei(gc);
        return;
    }
    if (how == FL_STRAY_SEA || how == FL_STRAY_SEA_FIXUP) {
        e.esr = abort_esr(request, DFSC_SEA);
    } else if (how == FL_STRAY_SYNDROME) {
        e.esr = abort_esr(request, FL_DFSC_LENT);
    } else { /* the core has chosen */
        e.esr = gc->met.regs.esr_el1;
        e.address = gc->met.regs.far_el1;
    }
    guest_take(gc, &e);
}

static uint64_t pf_code(const struct mmu_request *request)
{
    return (request->access == MMU_WRITE ? MMU_X86_PF_W : 0) |
           (request->el == 0 ? MMU_X86_PF_U : 0) |
           (request->access == MMU_FETCH ? MMU_X86_PF_I : 0);
}

static void put(struct guest *guest, uint8_t cpu, uint64_t offset, uint64_t value)
{
    struct trace_event event = {.a = value};
    hyp_pa_t pa = hyp_pa_add(guest->ve_area, offset);

    sim_ram_store(guest->sim->ram, pa, value);
    guest_event(guest, cpu, TRACE_WORD, pa.v, &event);
}

static void deliver_ve(struct guest_cpu *gc)
{
    struct guest *guest = gc->guest;
    uint64_t word = sim_ram_load(guest->sim->ram, guest->ve_area);
    struct cpu_exception e = {.vector = VECTOR_VE};

    /* The word at +4 guards against a second exception before the first has been read: such a
     * violation exits, and the hypervisor has nothing to say but what ept-inject says. */
    if (word >> 32) {
        e = (struct cpu_exception){.vector = VECTOR_PF,
                                   .has_code = true,
                                   .code = (uint32_t)pf_code(&gc->met.request),
                                   .address = gc->met.request.va,
                                   .has_address = true};
        guest_take(gc, &e);
        return;
    }
    put(guest, gc->index, 0, EXIT_EPT_VIOLATION | HYP_MASK(63, 32));
    put(guest, gc->index, 8, mmu_x86_qualification(&gc->met.request, &gc->met.result));
    put(guest, gc->index, 16, gc->met.request.va);
    put(guest, gc->index, 24, gc->met.result.ipa.v);
    guest_take(gc, &e);
}

static void deliver_x86(struct guest_cpu *gc, uint8_t how)
{
    struct cpu_exception e = {.vector = VECTOR_PF,
                              .has_code = true,
                              .code = (uint32_t)pf_code(&gc->met.request),
                              .address = gc->met.request.va,
                              .has_address = true};

    if (how == FL_STRAY_VE)
        deliver_ve(gc);
    else
        guest_take(gc, &e);
}

/* Stage 1 says no: the guest's own business, whoever took the entry away. */
static void stage1(struct guest_cpu *gc)
{
    const struct mmu_request *request = &gc->met.request;
    struct cpu_exception e = {.address = request->va, .has_address = true};

    if (!gc->guest->x86) {
        e.esr = mmu_arm64_esr(request, &gc->met.result, 1);
    } else if (gc->met.result.fault == MMU_FAULT_NONCANONICAL) {
        e = (struct cpu_exception){.vector = VECTOR_GP, .has_code = true};
    } else {
        e.vector = VECTOR_PF;
        e.has_code = true;
        e.code = (uint32_t)mmu_x86_pf_code(request, &gc->met.result);
    }
    guest_take(gc, &e);
}

/* A VM's fault goes to its host, as the end of FL_VCPU_RUN. */
static void vm_fault(struct guest_cpu *gc)
{
    guest_leave_vm(gc, FL_VM_FAULTED, gc->met.result.ipa.v);
}

static void kfault(struct guest_cpu *gc, uint64_t pc)
{
    struct trace_event event = {.a = pc, .b = 0, .c = TRACE_OUTCOME_REPAIRED};

    guest_event(gc->guest, gc->index, TRACE_KFAULT, gc->met.request.va, &event);
}

/* Execute-only memory was read or written, or the kernel's own table is at fault. */
static void violation(struct guest_cpu *gc)
{
    struct sim_x86_regs regs = {.rip = cpu_get(gc->cpu, CPU_PC),
                                .fs_base = cpu_get(gc->cpu, CPU_FS_BASE),
                                .gs_base = cpu_get(gc->cpu, CPU_GS_BASE)};
    struct cpu_exception e = {.vector = VECTOR_PF, .has_code = true, .has_address = true};

    for (unsigned int i = 0; i < sizeof(regs.gpr) / sizeof(regs.gpr[0]); i++)
        regs.gpr[i] = cpu_get(gc->cpu, CPU_GPR0 + i);
    struct sim_xom_result result = sim_guest_violation(gc->guest->sim, &gc->met, &regs);

    if (result.verdict == SIM_XOM_EXIT) {
        guest_end(gc->guest, SIM_GUEST_LOCKUP, 0,
                  "CPU %u: EPT violation at 0x%" PRIx64 " by 0x%" PRIx64 ", which nothing explains",
                  gc->index, gc->met.result.ipa.v, regs.rip);
    } else if (result.verdict == SIM_XOM_INJECT) {
        e.address = result.cr2;
        e.code = result.code;
        guest_take(gc, &e);
    }
}

void guest_fault(struct guest_cpu *gc, const struct cpu_exit *exit)
{
    struct guest *guest = gc->guest;
    uint8_t how = guest->sim->strategy->stray;

    if (guest->ended)
        return;
    if (guest->sim->cpu_state[gc->index].vm) {
        vm_fault(gc);
        return;
    }
    if (gc->stray)
        kfault(gc, exit->pc);
    if (gc->met.result.stage == 1)
        stage1(gc);
    else if (guest->sim->cpu_state[gc->index].own_stage2)
        violation(gc);
    else if (how == FL_STRAY_STOP)
        guest_end(guest, SIM_GUEST_STOPPED, 0,
                  "the hypervisor stops: CPU %u at 0x%" PRIx64 " touched 0x%" PRIx64
                  ", which is not the host's",
                  gc->index, exit->pc, exit->va);
    else if (guest->x86)
        deliver_x86(gc, how);
    else
        deliver_arm64(gc, how);
}
