/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the recorder share: its state, writing the stream (stream.c), the map file and
 * the instructions that matter (decode.c). A plugin has one instance and its callbacks carry no
 * context, so the state is one global structure.
 */
#ifndef RECORD_ZPREC_H
#define RECORD_ZPREC_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin-min.h"

enum { ARCH_ARM64 = 1, ARCH_X86_64 = 2 };
enum { PAGE_SHIFT = 12, MAX_VCPU = 8, MAX_SIZE_SHIFT = 7, HELD_MAX = 192 };

/* Stream opcodes; 16 and above are accesses. */
enum {
    OP_END,
    OP_INSN,
    OP_PAGE,
    OP_VCPU,
    OP_EVENT,
    OP_MARK,
    OP_FIXUP,
    OP_TLBI,
    OP_GAP,
    OP_HVC,
    OP_ACCESS = 16,
};

/* Marker codes the plugin acts on; the others are only written down. */
enum { MARK_EVENTS_ON = 1, MARK_START = 2, MARK_STOP = 3 };

/* Which marked places of the map file an instruction is. */
enum { PT_ZEROPAD = 1, PT_FIXUP, PT_EVENT, PT_DEBUG, PT_VECTOR };

struct point {
    uint64_t pc;
    int kind;
    unsigned int id;
};

struct range {
    uint64_t lo, hi;
};

/*
 * One kernel instruction that touches memory.  Keyed by address and kept for
 * good, because QEMU translates the same instruction many times over.
 */
struct insn {
    uint64_t pc;
    bool zeropad;
    /* by access kind (size, load or store): stream index + 1, last address */
    uint32_t index[2 * (MAX_SIZE_SHIFT + 1)];
    uint64_t last[2 * (MAX_SIZE_SHIFT + 1)];
};

struct held {
    struct insn *insn;
    uint64_t vaddr, page;
    unsigned int kind;
};

struct vcpu {
    struct insn *zeropad; /* word load issued, not seen to complete */
    bool quiet;           /* inside a debug exception */
    int held;             /* accesses held back since the vector, or -1 */
    struct held hold[HELD_MAX];
};

struct map {
    int arch;
    uint64_t lin_lo, lin_hi, lin_phys, text;
    struct point *points;
    size_t n_points;
    struct range *skips;
    size_t n_skips;
};

/* Open-addressing tables; keys are never zero. */
struct slot {
    uint64_t key;
    uint64_t val;
};

struct table {
    struct slot *slot;
    size_t size, used;
};

struct recorder {
    struct map map;
    struct vcpu vcpus[MAX_VCPU];
    FILE *out;
    bool events_on, recording, stopped;
    unsigned int n_vcpus, cur_vcpu;
    uint64_t limit, burst, gap, phase_left, gap_seen;
    bool in_gap;
    uint64_t n_insns; /* bumped by translated code */
    uint64_t clock_written;
    uint32_t n_indices;
    uint64_t prev_def_pc, prev_map_page;
    uint64_t n_access, n_suppressed, n_fixup, n_zeropad, n_crossing;
    uint64_t n_lin_ok, n_lin_bad;
    struct table insn_table, page_table;
};

extern struct recorder rec;

/* stream.c */
void *xcalloc(size_t n, size_t size);
uint64_t *table_get(struct table *t, uint64_t key);
void put_u(uint64_t v);
void put_header(void);
void put_vcpu(unsigned int vcpu);
/* Instructions since the last event or mark. */
void put_clock(void);
/* page: 0 in the direct map, else (frame << 1 | device) + 1. */
void put_access(unsigned int vcpu, struct insn *in, unsigned int kind, uint64_t vaddr,
                uint64_t page);
/* Writes the accesses held back since the exception vector. */
void release_held(unsigned int vcpu);
/* The end record; nothing is recorded after it. */
void finish(void);

/* decode.c */
void read_map(const char *path);
const struct point *find_point(uint64_t pc, const struct point *after);
bool in_skip(uint64_t pc);
unsigned int decode_marker(const uint8_t *b, size_t size);
unsigned int decode_tlbi(const uint8_t *b, size_t size);
bool is_hypercall(const uint8_t *b);
bool is_exception_return(const uint8_t *b);

#endif
