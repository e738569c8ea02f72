/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a pKVM host gives to its hypervisor when it creates a VM.
 *
 * Text: give_size is the size of an exact allocation, the next give_at of the task its address.
 * Those that return to pkvm_create_hyp_vm() are, in order, the VM's stage-2 root, the VM, and the
 * vCPU. Stream: of the two hypercalls that this function makes for a VM, the first gives the first
 * two, the second gives the third. One task creates VMs one after another, so the n-th pair of
 * hypercalls belongs to the n-th VM.
 *
 * The way back: the hypercall of __pkvm_destroy_hyp_vm() returns all of a VM's pages in a list that
 * the host then reads from the pages themselves and frees. So they are back with that call, and
 * the frees that follow say whose call it was.
 */
#include "traces/import.h"

static struct import_vm *add_vm(struct import_plan *plan)
{
    if (plan->vm_count == plan->vm_room) {
        size_t room = plan->vm_room ? 2 * plan->vm_room : 64;
        struct import_vm *vm = realloc(plan->vm, room * sizeof(*vm));

        if (!vm)
            return NULL;
        plan->vm = vm;
        plan->vm_room = room;
    }
    plan->vm[plan->vm_count] = (struct import_vm){0};
    return &plan->vm[plan->vm_count++];
}

/* A page of the text's frees, before the stream begins: what it was part of is back. */
static void free_before(struct import_plan *plan, const struct rec_line *line)
{
    uint64_t start = line->value << plan->header.page_shift;
    uint64_t end = start + (1ull << line->order << plan->header.page_shift);

    for (size_t i = 0; i < plan->vm_count; i++) {
        for (int part = 0; part < 3; part++) {
            uint64_t pa = plan->vm[i].part[part].pa;

            if (pa >= start && pa < end)
                plan->vm[i].part[part].freed = true;
        }
    }
}

static int give(struct import_plan *plan, const struct rec_line *line, uint64_t size, int *part,
                struct trace_error *error)
{
    const struct trace_header *header = &plan->header;
    uint64_t page = 1ull << header->page_shift;
    struct import_vm *vm = *part == 0 ? add_vm(plan) : &plan->vm[plan->vm_count - 1];

    if (!vm)
        return trace_fail(error, "out of memory");
    if (line->value < header->linear_start || line->value >= header->linear_end || size == 0 ||
        size > header->linear_end - line->value)
        return trace_fail(error,
                          "line %llu: expected give_at with an address in the direct map after "
                          "give_size",
                          (unsigned long long)line->number);
    vm->part[*part].pa = line->value - header->linear_start + header->linear_pa;
    vm->part[*part].pages = (size + page - 1) / page;
    *part = (*part + 1) % 3;
    return 0;
}

int import_plan_gifts(struct import_plan *plan, struct trace_error *error)
{
    uint64_t size = 0;
    int part = 0;

    for (size_t i = 0; i < plan->text.count; i++) {
        const struct rec_line *line = &plan->text.line[i];

        if (line->event == REC_GIVE_SIZE)
            size = line->value;
        if (line->event == REC_GIVE_AT && line->caller == REC_CALLER_CREATE_VM &&
            give(plan, line, size, &part, error) < 0)
            return -1;
        if (i >= plan->text.sync)
            continue;
        if (line->event == REC_FREE)
            free_before(plan, line);
        if (plan->vm_count && part == 0)
            plan->vm[plan->vm_count - 1].initial = true;
    }
    return 0;
}

/* The hypercalls of a function, [start, end). */
struct calls {
    uint64_t start, end;
};

static bool within(const struct calls *calls, const struct import_moment *moment)
{
    return moment->op == ZPREC_HYPERCALL && moment->a >= calls->start && moment->a < calls->end;
}

/* Remembers by frame (vm + 1) which VM has the pages of these parts. */
static void note_parts(struct import_plan *plan, uint32_t *vm_of, size_t vm, int first, int last)
{
    for (int part = first; part <= last; part++) {
        uint64_t frame = plan->vm[vm].part[part].pa >> plan->header.page_shift;

        if (plan->vm[vm].part[part].freed)
            continue;
        for (uint64_t i = 0; i < plan->vm[vm].part[part].pages && frame + i < plan->frames; i++)
            vm_of[frame + i] = (uint32_t)vm + 1;
    }
}

/* A freed page of a VM: the last teardown before it was that VM's. */
static void note_free(struct import_plan *plan, uint32_t *vm_of, uint64_t frame, size_t teardown)
{
    if (!vm_of[frame] || !teardown)
        return;
    plan->moment[teardown - 1].mate = (vm_of[frame] - 1) * 4 + IMPORT_VM_TEARDOWN;
    vm_of[frame] = 0;
}

static int match_calls(struct import_plan *plan, uint32_t *vm_of, const struct calls *create,
                       const struct calls *destroy, struct trace_error *error)
{
    size_t vm = 0, teardown = 0;
    bool second = false;

    for (; vm < plan->vm_count && plan->vm[vm].initial; vm++)
        note_parts(plan, vm_of, vm, 0, 2);
    for (size_t i = 0; i < plan->count; i++) {
        struct import_moment *moment = &plan->moment[i];

        if (moment->event == REC_FREE && moment->line != IMPORT_NO_LINE)
            note_free(plan, vm_of, plan->text.line[moment->line].value, teardown);
        if (within(destroy, moment))
            teardown = i + 1;
        if (!within(create, moment))
            continue;
        if (vm == plan->vm_count)
            return trace_fail(error,
                              "the stream has more hypercalls of pkvm_create_hyp_vm than "
                              "the text has VMs (%zu)",
                              plan->vm_count);
        note_parts(plan, vm_of, vm, second ? 2 : 0, second ? 2 : 1);
        moment->mate = (uint32_t)vm * 4 + (second ? IMPORT_VM_VCPU : IMPORT_VM_CREATE);
        vm += second;
        second = !second;
    }
    return 0;
}

int import_plan_vms(struct import_plan *plan, const char *dir, struct trace_error *error)
{
    struct calls create = {0}, destroy = {0};
    uint32_t *vm_of;
    int status;

    if (import_plan_gifts(plan, error) < 0)
        return -1;
    if (plan->vm_count == 0)
        return 0;
    if (rec_find_symbol(dir, "pkvm_create_hyp_vm", &create.start, error) < 0 ||
        rec_find_symbol(dir, "__pkvm_destroy_hyp_vm", &destroy.start, error) < 0)
        return -1;
    /* The callers in the text tell how long the one function is; the other stands right before. */
    create.end = create.start + plan->text.function;
    destroy.end = destroy.start < create.start ? create.start : destroy.start;
    vm_of = calloc(plan->frames, sizeof(*vm_of));
    if (!vm_of)
        return trace_fail(error, "%s: out of memory", dir);
    status = match_calls(plan, vm_of, &create, &destroy, error);
    free(vm_of);
    return status;
}
