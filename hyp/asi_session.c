/* SPDX-License-Identifier: MIT */
/* CR3 and PCIDs of restricted address spaces, sessions on a CPU, and the log of their faults. */
#include "hyp/asi_priv.h"

#define CR3_PCID HYP_MASK(11, 0)
#define CR3_KEEP                                                                                   \
    HYP_BIT(63) /* what is cached for the new PCID stays (Intel SDM vol. 3, 4.10.4.1) */

void hyp_asi_cpu_init(struct hyp_asi_cpu *cpu, const struct hyp_port *port, uint64_t cr3,
                      uint64_t cr4, uint16_t tag_base)
{
    *cpu = (struct hyp_asi_cpu){.port = port, .cr3 = cr3, .cr4 = cr4, .tag_base = tag_base};
}

void hyp_asi_cr3_write(struct hyp_asi_cpu *cpu, uint64_t cr3, bool keep)
{
    const struct hyp_root root = {.kind = HYP_ROOT_EL2_STAGE1,
                                  .pgd = hyp_pa(cr3 & HYP_MASK(51, 12)),
                                  .tcr = cr3 | (keep ? CR3_KEEP : 0)};

    cpu->port->root_set(cpu->port->ctx, &root);
    cpu->cr3 = cr3;
}

uint64_t hyp_asi_cr3_for(struct hyp_asi_cpu *cpu, const struct hyp_asi *asi, bool *keep)
{
    const uint64_t root = asi->pgt.root.v;
    unsigned int i = 0;

    *keep = false;
    if (!cpu->tag_base)
        return root;
    while (i < HYP_ASI_TAGS && cpu->tags[i].asi != asi)
        i++;
    if (i < HYP_ASI_TAGS) {
        *keep = cpu->tags[i].generation == asi->generation;
    } else {
        i = cpu->tag_next;
        cpu->tag_next = (uint8_t)((i + 1) % HYP_ASI_TAGS);
    }
    cpu->tags[i] = (struct hyp_asi_tag){asi, asi->generation};
    return root | ((cpu->tag_base + i) & CR3_PCID);
}

/* With PCIDs the kernel's own keeps its entries, unless the kernel's table changed meanwhile. */
static void restore(struct hyp_asi_cpu *cpu)
{
    hyp_asi_cr3_write(cpu, cpu->original_cr3,
                      cpu->tag_base && cpu->kernel_generation == cpu->asi->kernel_generation);
}

/* Of the finest level, and no range relies on it that has no own entry: never short of memory. The
 * kernel may have unmapped it during the session. */
static void task_unmap(struct hyp_asi *asi, const struct hyp_asi_area *area)
{
    if (area->size) {
        const enum hyp_err err = hyp_asi_unmap(asi, area->va);

        HYP_ASSERT(asi->config.port, !err || err == HYP_ENOENT);
    }
}

static enum hyp_err task_map(struct hyp_asi *asi, const struct hyp_asi_task *task)
{
    enum hyp_err err = HYP_OK;

    if (task->stack.size)
        err = hyp_asi_map(asi, task->stack.va, task->stack.size);
    if (err || !task->task.size)
        return err;
    err = hyp_asi_map(asi, task->task.va, task->task.size);
    if (err)
        task_unmap(asi, &task->stack);
    return err;
}

enum hyp_err hyp_asi_enter(struct hyp_asi_cpu *cpu, struct hyp_asi *asi,
                           const struct hyp_asi_task *task)
{
    struct hyp_asi_task mapped = *task;
    enum hyp_err err;
    bool keep;

    if (cpu->asi == asi && cpu->state == HYP_ASI_ACTIVE)
        return HYP_OK;
    if (cpu->state != HYP_ASI_INACTIVE || cpu->current)
        return HYP_EBUSY;
    if (!(asi->config.flags & HYP_ASI_CURRENT_TASK))
        mapped.task.size = 0;
    err = task_map(asi, &mapped);
    if (err)
        return err;
    cpu->asi = asi;
    cpu->task = mapped;
    cpu->abort_depth = 0;
    cpu->retry_abort = true;
    cpu->original_cr4 = cpu->cr4;
    cpu->kernel_generation = asi->kernel_generation;
    cpu->isolation_cr3 = hyp_asi_cr3_for(cpu, asi, &keep);
    /* In this order: an interrupt that finds ACTIVE finds something to restore. */
    cpu->original_cr3 = cpu->cr3;
    cpu->state = HYP_ASI_ACTIVE;
    hyp_asi_cr3_write(cpu, cpu->isolation_cr3, keep);
    hyp_asi_barrier_end(cpu);
    return cpu->state == HYP_ASI_ACTIVE ? HYP_OK : HYP_EAGAIN;
}

void hyp_asi_exit(struct hyp_asi_cpu *cpu)
{
    struct hyp_asi *asi = cpu->asi;

    if (cpu->state == HYP_ASI_INACTIVE)
        return;
    restore(cpu);
    task_unmap(asi, &cpu->task.task);
    task_unmap(asi, &cpu->task.stack);
    cpu->state = HYP_ASI_INACTIVE;
    cpu->asi = NULL;
    cpu->abort_depth = 0;
    cpu->retry_abort = false;
    cpu->isolation_cr3 = cpu->original_cr3 = cpu->original_cr4 = cpu->kernel_generation = 0;
    cpu->task = (struct hyp_asi_task){0};
}

void hyp_asi_start_abort(struct hyp_asi_cpu *cpu)
{
    if (cpu->state == HYP_ASI_INACTIVE)
        return;
    /* Between the barriers the interrupted code may have written CR3 after an earlier abort. */
    if (cpu->state == HYP_ASI_ACTIVE || cpu->retry_abort)
        restore(cpu);
    cpu->state = HYP_ASI_ABORTED;
    cpu->abort_depth++;
}

void hyp_asi_finish_abort(struct hyp_asi_cpu *cpu)
{
    if (cpu->state != HYP_ASI_ABORTED || cpu->abort_depth == 0)
        return;
    cpu->abort_depth--;
    if (cpu->abort_depth == 0 && !cpu->retry_abort)
        hyp_asi_exit(cpu);
}

void hyp_asi_abort(struct hyp_asi_cpu *cpu)
{
    hyp_asi_exit(cpu);
}

void hyp_asi_barrier_begin(struct hyp_asi_cpu *cpu)
{
    if (cpu->state == HYP_ASI_ACTIVE)
        cpu->retry_abort = true;
}

void hyp_asi_barrier_end(struct hyp_asi_cpu *cpu)
{
    cpu->retry_abort = false;
    if (cpu->state == HYP_ASI_ABORTED && cpu->abort_depth == 0)
        hyp_asi_exit(cpu);
}

uint64_t hyp_asi_cr3(const struct hyp_asi_cpu *cpu)
{
    return cpu->state == HYP_ASI_ACTIVE ? cpu->isolation_cr3 : cpu->cr3;
}

uint64_t hyp_asi_cr4(const struct hyp_asi_cpu *cpu)
{
    return cpu->state == HYP_ASI_ACTIVE ? cpu->original_cr4 : cpu->cr4;
}

bool hyp_asi_fault(struct hyp_asi_cpu *cpu, uint64_t ip, hyp_va_t address,
                   struct hyp_asi_fault *report)
{
    struct hyp_asi *asi = cpu->asi;

    if (!(address.v & HYP_BIT(63)) || cpu->state != HYP_ASI_ABORTED || cpu->abort_depth != 1)
        return false;
    *report = (struct hyp_asi_fault){.kind = HYP_ASI_FAULT_REPEAT};
    for (unsigned int i = 0; i < asi->fault_count; i++) {
        if (asi->fault_log[i] == ip) {
            report->index = i;
            return true;
        }
    }
    report->index = asi->fault_count;
    if (asi->fault_count == HYP_ASI_FAULTS) {
        report->kind = asi->fault_full ? HYP_ASI_FAULT_OVERFLOW : HYP_ASI_FAULT_FULL;
        asi->fault_full = true;
        return true;
    }
    asi->fault_log[asi->fault_count++] = ip;
    report->kind = HYP_ASI_FAULT_NEW;
    report->stack = asi->fault_stack;
    return true;
}
