/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reader for zprec recordings; FORMAT.md describes the bytes.
 *
 *	struct zp_reader r = { .in = file };
 *	struct zp_record rec;
 *	zp_open(&r);
 *	while (zp_next(&r, &rec))
 *		...
 *
 * Exits with a message when the input is not a whole recording.
 */
#ifndef ZPREAD_H
#define ZPREAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum zp_op {
    ZP_END,
    ZP_INSN,
    ZP_PAGE,
    ZP_VCPU,
    ZP_EVENT,
    ZP_MARK,
    ZP_FIXUP,
    ZP_TLBI,
    ZP_GAP,
    ZP_HVC,
    ZP_ACCESS = 16,
};

enum {
    ZP_N_EVENTS = 16,
    ZP_EV_ALLOC = 1,
    ZP_EV_FREE,
    ZP_EV_FREE_BATCHED,
    ZP_EV_DONATE,
    ZP_EV_RECLAIM,
    ZP_EV_FIXUP,
    ZP_EV_FAULT,
    ZP_EV_PAGE_FAULT,
    ZP_EV_FLUSH,
    ZP_EV_TLB_FLUSH,
    ZP_EV_MARKER,
    ZP_EV_CLEAR_PAGE
};

/* Event numbers; except for clear_page, also the names of their ftrace lines. */
static const char *const zp_event_name[ZP_N_EVENTS] = {
    [ZP_EV_ALLOC] = "mm_page_alloc",
    [ZP_EV_FREE] = "mm_page_free",
    [ZP_EV_FREE_BATCHED] = "mm_page_free_batched",
    [ZP_EV_DONATE] = "donate",
    [ZP_EV_RECLAIM] = "reclaim",
    [ZP_EV_FIXUP] = "fixup",
    [ZP_EV_FAULT] = "fault",
    [ZP_EV_PAGE_FAULT] = "page_fault_kernel",
    [ZP_EV_FLUSH] = "flush",
    [ZP_EV_TLB_FLUSH] = "tlb_flush",
    [ZP_EV_MARKER] = "tracing_mark_write",
    [ZP_EV_CLEAR_PAGE] = "clear_page",
};

/* A place in the kernel that accesses memory in one particular way. */
struct zp_insn {
    uint64_t pc, last, count;
    unsigned int size;
    bool store, zeropad;
};

struct zp_record {
    enum zp_op op;
    unsigned int vcpu;
    uint64_t clock;             /* instructions up to the last event or mark */
    const struct zp_insn *insn; /* ACCESS, INSN */
    uint64_t vaddr;             /* ACCESS */
    uint64_t a, b;              /* the other records' fields, in order */
};

struct zp_reader {
    FILE *in;
    unsigned int arch, vcpus, page_shift;
    uint64_t lin_lo, lin_hi, lin_phys, text;
    /* valid after the end */
    uint64_t accesses, suppressed, instructions;
    struct zp_insn *insns;
    size_t n_insns;

    size_t room;
    unsigned int vcpu;
    uint64_t clock, prev_pc, prev_page, seen;
};

static inline void zp_fail(const char *why)
{
    fprintf(stderr, "recording: %s\n", why);
    exit(1);
}

static inline unsigned int zp_byte(struct zp_reader *r)
{
    int c = getc_unlocked(r->in);

    if (c == EOF)
        zp_fail("ends in the middle");
    return c;
}

static inline uint64_t zp_unsigned(struct zp_reader *r)
{
    uint64_t v = 0;
    unsigned int b, shift = 0;

    do {
        b = zp_byte(r);
        v |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
    } while ((b & 0x80) && shift < 64);
    return v;
}

static inline uint64_t zp_signed(struct zp_reader *r)
{
    uint64_t v = zp_unsigned(r);

    return (v >> 1) ^ -(v & 1);
}

static inline uint64_t zp_fixed(struct zp_reader *r, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)zp_byte(r) << (8 * i);
    return v;
}

static inline void zp_open(struct zp_reader *r)
{
    char magic[8];

    for (int i = 0; i < 8; i++)
        magic[i] = zp_byte(r);
    if (memcmp(magic, "ZPREC001", 8))
        zp_fail("not a recording");
    r->arch = zp_fixed(r, 1);
    r->vcpus = zp_fixed(r, 1);
    zp_fixed(r, 2);
    r->page_shift = zp_fixed(r, 4);
    r->lin_lo = zp_fixed(r, 8);
    r->lin_hi = zp_fixed(r, 8);
    r->lin_phys = zp_fixed(r, 8);
    r->text = zp_fixed(r, 8);
    zp_fixed(r, 8);
    zp_fixed(r, 8);
}

static inline struct zp_insn *zp_define(struct zp_reader *r)
{
    struct zp_insn *i;
    unsigned int attr;

    if (r->n_insns == r->room) {
        r->room = r->room ? 2 * r->room : 4096;
        r->insns = realloc(r->insns, r->room * sizeof(*r->insns));
        if (!r->insns)
            zp_fail("out of memory");
    }
    i = &r->insns[r->n_insns++];
    memset(i, 0, sizeof(*i));
    r->prev_pc += zp_signed(r);
    i->pc = r->prev_pc;
    attr = zp_byte(r);
    i->size = 1u << (attr & 7);
    i->store = attr & 8;
    i->zeropad = attr & 16;
    return i;
}

static inline bool zp_next(struct zp_reader *r, struct zp_record *rec)
{
    uint64_t op = zp_unsigned(r);
    struct zp_insn *i;

    rec->vcpu = r->vcpu;
    if (op >= ZP_ACCESS) {
        if (op - ZP_ACCESS >= r->n_insns)
            zp_fail("access by an undefined instruction");
        i = &r->insns[op - ZP_ACCESS];
        i->last += zp_signed(r);
        i->count++;
        r->seen++;
        rec->op = ZP_ACCESS;
        rec->insn = i;
        rec->vaddr = i->last;
        rec->clock = r->clock;
        return true;
    }
    rec->op = op;
    rec->a = rec->b = 0;
    switch (op) {
    case ZP_END:
        r->accesses = zp_unsigned(r);
        r->suppressed = zp_unsigned(r);
        r->instructions = zp_unsigned(r);
        if (r->accesses != r->seen)
            zp_fail("number of accesses differs from the promised one");
        return false;
    case ZP_INSN:
        rec->insn = zp_define(r);
        break;
    case ZP_PAGE:
        r->prev_page += zp_signed(r);
        rec->a = r->prev_page;
        rec->b = zp_unsigned(r);
        break;
    case ZP_VCPU:
        rec->a = r->vcpu = rec->vcpu = zp_unsigned(r);
        break;
    case ZP_EVENT:
    case ZP_MARK:
        rec->a = zp_unsigned(r);
        r->clock += zp_unsigned(r);
        break;
    case ZP_FIXUP:
    case ZP_HVC:
        rec->a = zp_unsigned(r) + r->text;
        break;
    case ZP_TLBI:
    case ZP_GAP:
        rec->a = zp_unsigned(r);
        break;
    default:
        zp_fail("unknown record");
    }
    rec->clock = r->clock;
    return true;
}

#endif
