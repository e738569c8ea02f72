/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sparse physical memory: pages exist from the first store on, all others read as zero. A machine
 * of any size costs what it touches. Addresses are in one 48-bit space.
 */
#ifndef SIM_RAM_H
#define SIM_RAM_H

#include <hyp/addr.h>

struct sim_ram;

struct sim_ram *sim_ram_create(void);
void sim_ram_destroy(struct sim_ram *ram);
/* Naturally aligned 64-bit words. */
uint64_t sim_ram_load(const struct sim_ram *ram, hyp_pa_t pa);
void sim_ram_store(struct sim_ram *ram, hyp_pa_t pa, uint64_t value);
/* `size` bytes from `pa`, both multiples of 4 KiB; gives the pages back to the machine below. */
void sim_ram_zero(struct sim_ram *ram, hyp_pa_t pa, uint64_t size);
/* The 512 words of the page at `pa`, created when absent. For runs of entries within one page. */
uint64_t *sim_ram_page(struct sim_ram *ram, hyp_pa_t pa);
/* The same without creating: NULL for a page of zeroes. */
const uint64_t *sim_ram_peek(const struct sim_ram *ram, hyp_pa_t pa);
/* Counts the pages that have been given back: pointers to pages are good while it does not change.
 */
const uint64_t *sim_ram_drops(const struct sim_ram *ram);
/* Pages that exist now. */
uint64_t sim_ram_pages(const struct sim_ram *ram);

#endif
