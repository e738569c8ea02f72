/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that runs: one machine, its CPUs under emulation, and what they say to each other. Shared
 * by sim/guest*.c and sim/port_cpu.c; the outside sees sim_guest_run() of sim/sim.h.
 */
#ifndef SIM_GUEST_H
#define SIM_GUEST_H

#include "cpu/cpu.h"
#include "sim/loader.h"
#include "sim/machine.h"
#include "workloads/guest/abi.h"

/* Registers that a run of a VM, or an SDEI event, puts aside. */
struct guest_context {
    uint64_t reg[CPU_REG_COUNT];
    bool live;
};

/* Host memory of pages used lately. */
enum { GUEST_FRONT = 256 };
struct guest_front {
    uint64_t frame; /* plus one; 0: empty */
    uint8_t *bytes;
};

struct guest_cpu {
    struct guest *guest;
    struct cpu *cpu;
    /* For the hit path. */
    struct mmu_cpu *mmu;
    const uint64_t *drops; /* of sim_ram */
    uint64_t drops_seen;   /* when the front was filled */
    uint64_t accesses;
    uint8_t regime;
    bool records;
    struct guest_front front[GUEST_FRONT];

    uint8_t index;
    bool on, halted;
    uint64_t timer;   /* instructions until the interrupt; 0: none */
    bool irq_pending; /* ... which is due, but masked */
    uint64_t sdei_handler;
    struct guest_context sdei, host; /* host: while a VM runs */
    /* The last access that did not translate, as the exit will find it. */
    struct sim_met met;
    bool stray; /* ... and met a lent page */
    /* A store whose bytes are not written yet: recorded at the next chance. */
    hyp_pa_t stored;
    unsigned int stored_bytes;
    unsigned int repeated; /* faults in a row with no instruction between */
    uint64_t fault_at;     /* instructions retired at the last one */
};

enum { GUEST_FAULTS_MAX = 100 };

struct guest {
    struct sim *sim;
    const struct sim_guest_options *options;
    struct sim_guest_result *result;
    struct sim_error *error;
    struct sim_image image;
    struct trace_header header;
    struct trace_range ram;
    uint64_t *exact_at;          /* instructions that may fault, for the CPUs */
    struct trace_writer *writer; /* NULL: not recorded */
    enum sim_status status;      /* of recording */
    struct guest_cpu cpus[SIM_GUEST_CPUS_MAX];
    hyp_pa_t free, free_end; /* memory that is the guest's */
    hyp_pa_t ve_area;
    uint8_t running; /* CPU whose turn it is */
    bool x86, ended;
    uint8_t zeroes[4096]; /* what absent memory reads as */
    uint64_t positions;   /* events and accesses so far */
};

/* ---- sim/guest.c ---- */

/* Applies what a guest did, and records it. */
void guest_event(struct guest *guest, uint8_t cpu, enum trace_kind kind, uint64_t addr,
                 const struct trace_event *event);
void guest_mark(struct guest_cpu *gc, const struct trace_event *event, const char *text);
void guest_end(struct guest *guest, enum sim_guest_end end, uint64_t status, const char *format,
               ...) __attribute__((format(printf, 4, 5)));
/* Reads `bytes` at a kernel address through the tables, without counting; false: not mapped. */
bool guest_read(struct guest_cpu *gc, uint64_t va, void *to, size_t bytes);
void guest_save(const struct guest_cpu *gc, struct guest_context *context);
void guest_restore(struct guest_cpu *gc, struct guest_context *context);

/* ---- sim/guest_boot.c ---- */

/* A machine with the image in it, CPU 0 at the entry point. */
enum sim_status guest_set_up(struct guest *guest);
/* Start of the stack that a CPU begins with, and its size. */
uint64_t guest_stack(const struct guest_cpu *gc, uint64_t *size);
/* Prepares a CPU to start at `entry` with a first argument. */
void guest_start(struct guest_cpu *gc, uint64_t entry, uint64_t argument);

/* ---- sim/guest_call.c, sim/guest_fault.c, sim/port_cpu.c ---- */

void guest_call(struct guest_cpu *gc);
/* The VM that runs on this CPU is over: back to its host, which gets enum fl_vm_exit and a value.
 */
void guest_leave_vm(struct guest_cpu *gc, uint64_t why, uint64_t value);
void guest_fault(struct guest_cpu *gc, const struct cpu_exit *exit);
void guest_take(struct guest_cpu *gc, const struct cpu_exception *exception);
void guest_port(struct guest_cpu *gc, struct cpu_port *port);
/* Writes down the store that waits. */
void guest_flush_store(struct guest_cpu *gc);

#endif
