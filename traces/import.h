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
    uint64_t a;    /* TLBI: kind; HYPERCALL: pc; cleared page: its pa; 0 unknown */
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

/* import_plan.c, for the importers of text alone: the lines' frames lie in RAM; each line is a
 * moment. */
int import_plan_lines(struct import_plan *plan, const char *from, struct trace_error *error);
struct import_moment *import_plan_add(struct import_plan *plan);

/* Frame of the struct page at this address, or -1 with a message that names the line. */
int import_frame(const struct import_plan *plan, const char *path, const struct rec_line *line,
                 uint64_t *frame, struct trace_error *error);

/* Reads everything of the recording but the accesses. 0, or -1 with nothing held. */
int import_plan_make(struct import_plan *plan, const char *dir, struct trace_error *error);
void import_plan_free(struct import_plan *plan);

/* import_vm.c: VMs from the lines of the text (those before its sync line are initial) ... */
int import_plan_gifts(struct import_plan *plan, struct trace_error *error);
/* ... and their hypercalls in the stream: which of the moments are whose. */
int import_plan_vms(struct import_plan *plan, const char *dir, struct trace_error *error);

/* Ordinary pages that are being set up by the kernel; one for each task that gives pages. */
#define IMPORT_SETUP_MAX 64u

struct import_owned {
    uint32_t owner; /* as in struct trace_event; 0 the host */
    uint8_t flags;  /* TRACE_DONATE_* */
};

struct import_setup {
    uint64_t frame;
    uint32_t task;
};

struct import_pad {
    uint64_t pc, last;
};

struct importer {
    struct import_plan plan;
    const char *from; /* what is imported, for messages */
    bool recording;   /* a whole one */
    struct trace_writer *writer;
    struct trace_import_stats *stats;
    unsigned int cpu; /* of the next record */
    uint64_t clock;
    struct import_owned *owned; /* by frame */
    struct import_setup setup[IMPORT_SETUP_MAX];
    size_t setup_count;
    struct import_pad *pad; /* last address of each zeropad load that completed */
    size_t pad_count;
    uint64_t last_pad[IMPORT_CPUS]; /* and of each CPU's last one, completed or not */
};

/* With the plan made: creates the output. After a failure importer_close is still due. */
int importer_open(struct importer *importer, const char *clock, const char *out, int level,
                  struct trace_error *error);
/* Finishes the output when status is 0, else removes it. Frees everything; 0 or -1. */
int importer_close(struct importer *importer, int status, struct trace_error *error);
int importer_put(struct importer *importer, enum trace_kind kind, uint64_t addr,
                 const struct trace_event *event, const char *text, struct trace_error *error);
int importer_access(struct importer *importer, const struct trace_site *site, uint32_t index,
                    uint64_t va, struct trace_error *error);
/*
 * A zeropad load that faulted. Its address is not recorded, only the page it reached into (far):
 * seven addresses behave alike. Taken is the one after the site's or the CPU's last such load,
 * because strings are read word by word, else the byte before the page.
 */
int importer_attempt(struct importer *importer, uint64_t pc, uint64_t far,
                     struct trace_error *error);
/* Refuses pages outside RAM and those that are donated already. */
int importer_donate(struct importer *importer, uint64_t frame, uint64_t pages, uint32_t owner,
                    uint8_t flags, uint32_t task, struct trace_error *error);
int importer_moment(struct importer *importer, const struct import_moment *moment,
                    struct trace_error *error);

#endif
