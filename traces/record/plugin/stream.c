/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing the access stream; FORMAT.md next to this directory describes its bytes. */
#include "zprec.h"

/* ---- small open-addressing maps, keys are never zero -------------------- */

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p) {
        perror("zprec");
        exit(1);
    }
    return p;
}

uint64_t *table_get(struct table *t, uint64_t key)
{
    if (2 * (t->used + 1) > t->size) {
        struct table bigger = {.size = t->size ? 2 * t->size : 4096};

        bigger.slot = xcalloc(bigger.size, sizeof(*bigger.slot));
        for (size_t i = 0; i < t->size; i++)
            if (t->slot[i].key)
                *table_get(&bigger, t->slot[i].key) = t->slot[i].val;
        free(t->slot);
        *t = bigger;
    }
    size_t i = (key * 0x9e3779b97f4a7c15ull >> 20) & (t->size - 1);

    while (t->slot[i].key && t->slot[i].key != key)
        i = (i + 1) & (t->size - 1);
    if (!t->slot[i].key) {
        t->slot[i].key = key;
        t->used++;
    }
    return &t->slot[i].val;
}

/* ---- stream output ---- */

static void put_byte(unsigned int b)
{
    putc_unlocked(b, rec.out);
}

void put_u(uint64_t v)
{
    while (v >= 0x80) {
        put_byte((v & 0x7f) | 0x80);
        v >>= 7;
    }
    put_byte(v);
}

static void put_s(uint64_t v)
{
    put_u((v << 1) ^ (uint64_t)((int64_t)v >> 63));
}

static void put_le(uint64_t v, int bytes)
{
    while (bytes--) {
        put_byte(v & 0xff);
        v >>= 8;
    }
}

void put_header(void)
{
    fwrite("ZPREC001", 1, 8, rec.out);
    put_le(rec.map.arch, 1);
    put_le(rec.n_vcpus, 1);
    put_le(0, 2);
    put_le(PAGE_SHIFT, 4);
    put_le(rec.map.lin_lo, 8);
    put_le(rec.map.lin_hi, 8);
    put_le(rec.map.lin_phys, 8);
    put_le(rec.map.text, 8);
    put_le(0, 16);
}

void put_vcpu(unsigned int vcpu)
{
    if (vcpu != rec.cur_vcpu) {
        put_u(OP_VCPU);
        put_u(vcpu);
        rec.cur_vcpu = vcpu;
    }
}

void put_clock(void)
{
    put_u(rec.n_insns - rec.clock_written);
    rec.clock_written = rec.n_insns;
}

void put_access(unsigned int vcpu, struct insn *in, unsigned int kind, uint64_t vaddr,
                uint64_t page)
{
    if (rec.limit && rec.n_access >= rec.limit)
        rec.recording = false;
    if (!rec.recording)
        return;
    if (rec.burst) {
        if (!rec.phase_left) {
            rec.in_gap = !rec.in_gap;
            rec.phase_left = rec.in_gap ? rec.gap : rec.burst;
            if (!rec.in_gap) {
                put_u(OP_GAP);
                put_u(rec.gap_seen);
                rec.gap_seen = 0;
            }
        }
        rec.phase_left--;
        if (rec.in_gap) {
            rec.gap_seen++;
            return;
        }
    }
    put_vcpu(vcpu);
    if (!in->index[kind]) {
        in->index[kind] = ++rec.n_indices;
        put_u(OP_INSN);
        put_s(in->pc - rec.prev_def_pc);
        put_byte(kind | (in->zeropad ? 0x10 : 0));
        rec.prev_def_pc = in->pc;
    }
    if (page) {
        uint64_t vpage = vaddr >> PAGE_SHIFT;
        uint64_t *known = table_get(&rec.page_table, vpage + 1);

        if (*known != page) {
            *known = page;
            put_u(OP_PAGE);
            put_s(vpage - rec.prev_map_page);
            put_u(page - 1);
            rec.prev_map_page = vpage;
        }
    }
    put_u(OP_ACCESS + in->index[kind] - 1);
    put_s(vaddr - in->last[kind]);
    in->last[kind] = vaddr;
    rec.n_access++;
    if (in->zeropad) {
        rec.n_zeropad++;
        rec.n_crossing += (vaddr & 0xfff) > 0xff8;
    }
}

void release_held(unsigned int vcpu)
{
    struct vcpu *v = &rec.vcpus[vcpu];

    for (int i = 0; i < v->held; i++)
        put_access(vcpu, v->hold[i].insn, v->hold[i].kind, v->hold[i].vaddr, v->hold[i].page);
    v->held = -1;
}

void finish(void)
{
    char text[256];

    if (!rec.out)
        return;
    put_u(OP_END);
    put_u(rec.n_access);
    put_u(rec.n_suppressed);
    put_u(rec.n_insns);
    fclose(rec.out);
    rec.out = NULL;
    rec.events_on = rec.recording = false;
    rec.stopped = true;
    snprintf(text, sizeof(text),
             "zprec: accesses %" PRIu64 " suppressed %" PRIu64 " zeropad %" PRIu64
             " crossing %" PRIu64 " fixups %" PRIu64 " insns %" PRIu64
             " direct-map checks ok %" PRIu64 " bad %" PRIu64 "\n",
             rec.n_access, rec.n_suppressed, rec.n_zeropad, rec.n_crossing, rec.n_fixup,
             rec.n_insns, rec.n_lin_ok, rec.n_lin_bad);
    qemu_plugin_outs(text);
    fputs(text, stderr);
}
