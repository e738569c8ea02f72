/* SPDX-License-Identifier: MIT */
/* Targets: restricted address spaces that interrupts do not end, and the taints of a CPU. */
#include "hyp/asi_priv.h"

/* Of the taints that there are, those in `wanted` go. */
static void flush(struct hyp_asi_cpu *cpu, unsigned int wanted)
{
    const unsigned int taints = cpu->taints & wanted;

    if (taints && cpu->flush)
        cpu->flush(cpu->flush_ctx, taints);
    cpu->taints = (uint8_t)(cpu->taints & ~wanted);
}

static void switch_to(struct hyp_asi_cpu *cpu, struct hyp_asi *asi)
{
    const struct hyp_asi_policy *policy = &asi->config.policy;
    uint64_t cr3;
    bool keep;

    if (!cpu->current) {
        cpu->original_cr3 = cpu->cr3;
        cpu->kernel_stale = false;
    } else if (cpu->kernel_generation != cpu->current->kernel_generation) {
        cpu->kernel_stale = true;
    }
    cpu->kernel_generation = asi->kernel_generation;
    /* Before the CR3 write: an interrupting exit must see that there is something to leave. */
    cpu->current = asi;
    flush(cpu, policy->prevent_control); /* an attacker in the past */
    cr3 = hyp_asi_cr3_for(cpu, asi, &keep);
    hyp_asi_cr3_write(cpu, cr3, keep);
    flush(cpu, policy->protect_data); /* an attacker in the future */
    cpu->taints |= policy->set;
}

enum hyp_err hyp_asi_target_enter(struct hyp_asi_cpu *cpu, struct hyp_asi *asi)
{
    if (cpu->interrupts)
        return HYP_EINVAL;
    if (cpu->state != HYP_ASI_INACTIVE)
        return HYP_EBUSY;
    cpu->target = asi;
    if (cpu->current != asi)
        switch_to(cpu, asi);
    return HYP_OK;
}

void hyp_asi_target_relax(struct hyp_asi_cpu *cpu)
{
    cpu->target = NULL;
}

void hyp_asi_target_exit(struct hyp_asi_cpu *cpu)
{
    if (!cpu->current)
        return;
    if (cpu->kernel_generation != cpu->current->kernel_generation)
        cpu->kernel_stale = true;
    flush(cpu, HYP_ASI_CONTROL);
    hyp_asi_cr3_write(cpu, cpu->original_cr3, cpu->tag_base && !cpu->kernel_stale);
    cpu->taints |= HYP_ASI_KERNEL_DATA;
    cpu->current = NULL;
}

void hyp_asi_interrupt_enter(struct hyp_asi_cpu *cpu)
{
    cpu->interrupts++;
}

void hyp_asi_interrupt_exit(struct hyp_asi_cpu *cpu)
{
    HYP_ASSERT(cpu->port, cpu->interrupts > 0);
    cpu->interrupts--;
    if (cpu->interrupts == 0 && cpu->target && cpu->current != cpu->target)
        switch_to(cpu, cpu->target);
}

void hyp_asi_switch_mm(struct hyp_asi_cpu *cpu)
{
    const unsigned int data = HYP_ASI_USER_DATA | HYP_ASI_GUEST_DATA;
    const unsigned int control = HYP_ASI_USER_CONTROL | HYP_ASI_GUEST_CONTROL;
    unsigned int taints = cpu->taints & ~(data | control);

    if (cpu->taints & data)
        taints |= HYP_ASI_OTHER_DATA;
    if (cpu->taints & control)
        taints |= HYP_ASI_OTHER_CONTROL;
    cpu->taints = (uint8_t)taints;
}
