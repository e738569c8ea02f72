/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Importing a recording. The access stream is read twice: once for its events alone, which are
 * matched with the lines of the text and decided upon with knowledge of what follows
 * (import_plan.c), and once to write everything in order (import.c).
 */
#ifndef TRACES_IMPORT_H
#define TRACES_IMPORT_H

#include "traces/recording.h"
#include "traces/zprec.h"

#define IMPORT_CPUS    256u
#define IMPORT_NO_LINE UINT32_MAX

/* An event, hypercall, or TLB invalidation of the stream, and what becomes of it. */
struct import_moment {
    uint64_t clock;
    uint64_t a;    /* TLBI: kind; HYPERCALL: pc; cleared page: its pa, 0 unknown */
    uint32_t line; /* in the text, or IMPORT_NO_LINE */
    uint32_t mate; /* FAULT: line of its FIXUP; hypercall: vm * 4 + enum import_vm_step */
    uint8_t op;    /* enum zprec_op */
    uint8_t event; /* enum rec_event */
    uint8_t cpu;
    bool batched; /* FREE: a FREE_BATCHED line of the same page followed */
    bool merged;  /* FREE_BATCHED: it belongs to such a FREE and adds nothing */
};

enum import_vm_step { IMPORT_VM_CREATE, IMPORT_VM_VCPU, IMPORT_VM_TEARDOWN };

/* What pkvm_create_hyp_vm gives to the hypervisor for one VM. */
struct import_vm {
    struct {
        uint64_t pa, pages;
        bool freed; /* before the stream begins */
    } part[3];      /* stage-2 root, VM, vCPU */
    bool initial;   /* created before the stream begins */
};

struct import_plan {
    struct trace_header header;
    uint64_t page_origin, frames;
    struct rec_text text;
    struct import_moment *moment;
    size_t count, room;
    struct import_vm *vm;
    size_t vm_count, vm_room;
    uint64_t moved; /* lines put back */
};

/* Frame of the struct page at this address, or -1 with a message that names the line. */
int import_frame(const struct import_plan *plan, const char *path, const struct rec_line *line,
                 uint64_t *frame, struct trace_error *error);

/* Reads everything of the recording but the accesses. 0, or -1 with nothing held. */
int import_plan_make(struct import_plan *plan, const char *dir, struct trace_error *error);
void import_plan_free(struct import_plan *plan);

/* import_vm.c: VMs from the lines of the text, and their hypercalls in the stream. */
int import_plan_vms(struct import_plan *plan, const char *dir, struct trace_error *error);

#endif
