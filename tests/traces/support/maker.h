/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recordings written by hand: an access stream and the ftrace text that goes with it, in the
 * files that the recorder leaves behind.
 *
 * The machine has 16 MiB of RAM from 0x40000000, mapped at 0xffff000000000000, kernel code at
 * 0xffff800080000000, and struct pages as if frame 0 had one at 0xfffffdffbf000000.
 */
#ifndef TESTS_TRACES_MAKER_H
#define TESTS_TRACES_MAKER_H

#include "traces/bytes.h"

#define MAKER_LINEAR  0xffff000000000000u
#define MAKER_RAM     0x40000000u
#define MAKER_TEXT    0xffff800080000000u
#define MAKER_ORIGIN  0xfffffdffbf000000u
#define MAKER_ZEROPAD (MAKER_TEXT + 0x1000) /* a load of load_unaligned_zeropad() */
#define MAKER_CREATE  (MAKER_TEXT + 0x5640) /* pkvm_create_hyp_vm */
#define MAKER_DESTROY (MAKER_TEXT + 0x55d0) /* __pkvm_destroy_hyp_vm */

#define MAKER_STORE    0x0bu /* attributes of sites: eight bytes */
#define MAKER_LOAD     0x03u
#define MAKER_LOAD_PAD 0x13u

struct maker {
    struct trace_bytes stream, text, facts, extable, symbols, donated, flags;
    uint64_t pc, page, last[16];
    uint32_t sites;
    uint64_t accesses;
    unsigned int cpu, lines;
};

/* Machine files and the stream's header; then write what the recording shall hold. */
void maker_begin(struct maker *maker);
/* Appends a printf line to one of the text files. */
void maker_print(struct trace_bytes *to, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

uint32_t maker_site(struct maker *maker, uint64_t pc, uint8_t attributes);
void maker_access(struct maker *maker, uint32_t site, uint64_t va);
void maker_cpu(struct maker *maker, unsigned int cpu);
void maker_page(struct maker *maker, uint64_t va, uint64_t pa, bool device);
void maker_tlbi(struct maker *maker, uint64_t code);
void maker_hypercall(struct maker *maker, uint64_t pc);
void maker_repaired(struct maker *maker, uint64_t pc);
/* An event of the stream alone, and a line of the text alone ("task-pid", event and arguments). */
void maker_event(struct maker *maker, unsigned int event);
void maker_line(struct maker *maker, const char *task, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An event with its line. */
void maker_both(struct maker *maker, unsigned int event, const char *task, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void maker_end(struct maker *maker);
/* Writes the files into the directory. */
void maker_save(const struct maker *maker, const char *dir);
void maker_free(struct maker *maker);

#endif
