/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address space isolation of the simulated host kernel (x86-64): hyp/asi on simulated memory.
 *
 * One restricted address space, made of the kernel's own entries, shows everything but the pages
 * that are lent. Records of the trace enter and leave it; an access to what it does not show
 * leaves it, and is tried again in the kernel's full address space.
 */
#ifndef SIM_ASI_H
#define SIM_ASI_H

#include <hyp/asi.h>

#include "sim/machine.h"

/* Values of asi.shape and asi.enter. */
enum { SIM_ASI_SESSIONS, SIM_ASI_TARGETS };
enum { SIM_ASI_AT_VMENTER, SIM_ASI_AT_GUEST_WORK, SIM_ASI_AT_KERNEL_WORK };

/* A port of the core for address spaces of the host kernel. */
void sim_asi_port(struct sim *sim, struct hyp_port *port);
/* Where every kernel has its CPU entry areas. */
struct hyp_asi_area sim_asi_entry_area(void);

/* Before the first record; takes table pages from the end of the host's. */
enum sim_status sim_asi_boot(struct sim *sim, struct sim_error *error);
void sim_asi_close(struct sim *sim);

/* A record was replayed: enters and leaves, by kind. */
void sim_asi_event(struct sim *sim, const struct trace_rec *rec, const struct trace_event *event);
/* The CPU is about to do what isolated code must not. */
void sim_asi_leave_for_work(struct sim *sim, uint8_t cpu);
/* This CPU runs on the restricted tables. */
bool sim_asi_isolated(const struct sim *sim, uint8_t cpu);
/* A page fault of an isolated CPU: it leaves. `lent` is the page, or NULL if it is another. */
void sim_asi_fault(struct sim *sim, const struct sim_access *access, const struct sim_page *lent);

/* A page of the direct map, mapped as a page, leaves the restricted tables; false: no table page.
 * It comes back. */
bool sim_asi_hide(struct sim *sim, hyp_pa_t pa);
void sim_asi_show(struct sim *sim, hyp_pa_t pa);
/* An entry of the kernel's tables for va appeared or changed; if so, it has been invalidated. */
void sim_asi_appeared(struct sim *sim, hyp_va_t va);
void sim_asi_changed(struct sim *sim, hyp_va_t va);

#endif
