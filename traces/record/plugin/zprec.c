/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zprec - record what a guest kernel does to memory, as a QEMU TCG plugin.
 *
 *	-plugin ./libzprec.so,out=FILE,map=FILE[,limit=N][,burst=N,gap=M]
 *
 * Recorded, in one totally ordered stream: every data access made by kernel
 * code, every execution of a chosen kernel function (an "event"), every TLB
 * invalidation instruction and hypercall, and every word-at-a-time load that
 * the kernel had to repair through its exception table.  The stream format is described in
 * FORMAT.md next to this directory.
 *
 * The guest says when to record by executing a marker, an instruction that
 * has no architectural effect and that no compiler emits (see guest/marker.h).
 *
 * map= names a text file that says where things are in this kernel:
 *	arch arm64|x86_64
 *	linear LO HI PHYS	direct map [LO, HI) maps physical PHYS onwards
 *	text BASE		lowest kernel code address
 *	zeropad PC		a load_unaligned_zeropad() load
 *	fixup PC		entry of fixup_exception()
 *	event ID PC NAME	note each execution of PC
 *	skip LO HI		tracer code: its accesses are not recorded
 *	debug PC		entry of the debug exception handler: forget the
 *				accesses since the exception was taken, record
 *				nothing until the exception returns
 *	vector PC		entry of the exception vector leading there
 * All numbers are hexadecimal except ID.
 *
 * QEMU must run all vCPUs on one host thread (-icount, or -accel
 * tcg,thread=single): that is what makes the order total, and why there is no
 * locking here.
 */
#include "zprec.h"

__attribute__((visibility("default"))) int qemu_plugin_version = QP_VERSION;

struct recorder rec;

/* ---- run-time callbacks ------------------------------------------------- */

static void on_mem(unsigned int vcpu, qp_meminfo info, uint64_t vaddr, void *udata)
{
    struct insn *in = udata;
    struct vcpu *v = &rec.vcpus[vcpu];
    unsigned int kind, shift;
    uint64_t page = 0;

    if (in->zeropad)
        v->zeropad = NULL;
    if (!rec.recording)
        return;
    if (v->quiet) {
        rec.n_suppressed++;
        return;
    }
    shift = qemu_plugin_mem_size_shift(info);
    kind = shift | (qemu_plugin_mem_is_store(info) ? 8 : 0);

    struct qemu_plugin_hwaddr *hw = qemu_plugin_get_hwaddr(info, vaddr);

    if (hw) {
        uint64_t phys = qemu_plugin_hwaddr_phys_addr(hw);
        bool io = qemu_plugin_hwaddr_is_io(hw);

        if (vaddr >= rec.map.lin_lo && vaddr < rec.map.lin_hi) {
            if (phys == vaddr - rec.map.lin_lo + rec.map.lin_phys)
                rec.n_lin_ok++;
            else
                rec.n_lin_bad++;
        } else {
            page = ((phys >> PAGE_SHIFT) << 1 | io) + 1;
        }
    }
    if (v->held >= 0) {
        if (v->held < HELD_MAX) {
            v->hold[v->held++] = (struct held){in, vaddr, page, kind};
            return;
        }
        release_held(vcpu);
    }
    put_access(vcpu, in, kind, vaddr, page);
}

static void on_skipped_mem(unsigned int vcpu, qp_meminfo info, uint64_t vaddr, void *udata)
{
    (void)vcpu, (void)info, (void)vaddr, (void)udata;
    rec.n_suppressed += rec.recording;
}

static void on_zeropad(unsigned int vcpu, void *udata)
{
    rec.vcpus[vcpu].zeropad = udata;
}

static void on_fixup(unsigned int vcpu, void *udata)
{
    struct insn *in = rec.vcpus[vcpu].zeropad;

    (void)udata;
    rec.vcpus[vcpu].zeropad = NULL;
    if (!rec.events_on || !in)
        return;
    release_held(vcpu);
    put_vcpu(vcpu);
    put_u(OP_FIXUP);
    put_u(in->pc - rec.map.text);
    rec.n_fixup++;
}

static void on_event(unsigned int vcpu, void *udata)
{
    if (!rec.events_on)
        return;
    release_held(vcpu);
    put_vcpu(vcpu);
    put_u(OP_EVENT);
    put_u((uintptr_t)udata);
    put_clock();
}

static void on_tlbi(unsigned int vcpu, void *udata)
{
    if (!rec.events_on)
        return;
    release_held(vcpu);
    put_vcpu(vcpu);
    put_u(OP_TLBI);
    put_u((uintptr_t)udata);
}

static void on_hypercall(unsigned int vcpu, void *udata)
{
    if (!rec.events_on)
        return;
    release_held(vcpu);
    put_vcpu(vcpu);
    put_u(OP_HVC);
    put_u((uintptr_t)udata - rec.map.text);
}

static void on_vector(unsigned int vcpu, void *udata)
{
    (void)udata;
    release_held(vcpu);
    if (rec.recording)
        rec.vcpus[vcpu].held = 0;
}

static void on_debug(unsigned int vcpu, void *udata)
{
    struct vcpu *v = &rec.vcpus[vcpu];

    (void)udata;
    if (v->held > 0)
        rec.n_suppressed += v->held;
    v->held = -1;
    v->quiet = true;
}

static void on_exception_return(unsigned int vcpu, void *udata)
{
    (void)udata;
    release_held(vcpu);
    rec.vcpus[vcpu].quiet = false;
}

static void on_mark(unsigned int vcpu, void *udata)
{
    unsigned int code = (uintptr_t)udata;

    if (rec.stopped)
        return;
    if (code == MARK_EVENTS_ON) {
        put_header();
        rec.events_on = true;
        rec.n_insns = rec.clock_written = 0;
    }
    if (!rec.events_on)
        return;
    release_held(vcpu);
    put_vcpu(vcpu);
    put_u(OP_MARK);
    put_u(code);
    put_clock();
    if (code == MARK_START) {
        rec.recording = true;
        rec.phase_left = rec.burst;
    }
    if (code == MARK_STOP)
        finish();
}

/* ---- translation time: decide what to watch ---- */

static struct insn *get_insn(uint64_t pc)
{
    uint64_t *slot = table_get(&rec.insn_table, pc);

    if (!*slot) {
        struct insn *in = xcalloc(1, sizeof(*in));

        in->pc = pc;
        *slot = (uintptr_t)in;
    }
    return (struct insn *)(uintptr_t)*slot;
}

static void watch_exec(struct qemu_plugin_insn *qi, qp_exec_cb cb, uintptr_t ud)
{
    qemu_plugin_register_vcpu_insn_exec_cb(qi, cb, QP_NO_REGS, (void *)ud);
}

static void on_translate(qp_id id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QP_INLINE_ADD_U64, &rec.n_insns, n);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *qi = qemu_plugin_tb_get_insn(tb, i);
        uint64_t pc = qemu_plugin_insn_vaddr(qi);
        const uint8_t *b = qemu_plugin_insn_data(qi);
        size_t size = qemu_plugin_insn_size(qi);
        unsigned int code;

        if (!(pc >> 63)) { /* user code: only look for markers */
            code = decode_marker(b, size);
            if (code)
                watch_exec(qi, on_mark, code);
            continue;
        }
        struct insn *in = get_insn(pc);

        for (const struct point *p = find_point(pc, NULL); p; p = find_point(pc, p)) {
            switch (p->kind) {
            case PT_ZEROPAD:
                in->zeropad = true;
                watch_exec(qi, on_zeropad, (uintptr_t)in);
                break;
            case PT_FIXUP:
                watch_exec(qi, on_fixup, 0);
                break;
            case PT_EVENT:
                watch_exec(qi, on_event, p->id);
                break;
            case PT_DEBUG:
                watch_exec(qi, on_debug, 0);
                break;
            case PT_VECTOR:
                watch_exec(qi, on_vector, 0);
                break;
            }
        }
        code = decode_tlbi(b, size);
        if (code)
            watch_exec(qi, on_tlbi, code);
        if (is_hypercall(b))
            watch_exec(qi, on_hypercall, pc);
        if (is_exception_return(b))
            watch_exec(qi, on_exception_return, 0);
        qemu_plugin_register_vcpu_mem_cb(qi, in_skip(pc) ? on_skipped_mem : on_mem, QP_NO_REGS,
                                         QP_MEM_RW, in);
    }
}

/* ---- set-up ---- */

static void on_exit_cb(qp_id id, void *udata)
{
    (void)id, (void)udata;
    if (rec.events_on)
        finish();
}

__attribute__((visibility("default"))) int qemu_plugin_install(qp_id id, const qp_info *info,
                                                               int argc, char **argv)
{
    const char *out_path = NULL, *map_path = NULL;

    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4))
            out_path = argv[i] + 4;
        else if (!strncmp(argv[i], "map=", 4))
            map_path = argv[i] + 4;
        else if (!strncmp(argv[i], "limit=", 6))
            rec.limit = strtoull(argv[i] + 6, NULL, 0);
        else if (!strncmp(argv[i], "burst=", 6))
            rec.burst = strtoull(argv[i] + 6, NULL, 0);
        else if (!strncmp(argv[i], "gap=", 4))
            rec.gap = strtoull(argv[i] + 4, NULL, 0);
        else {
            fprintf(stderr, "zprec: unknown argument %s\n", argv[i]);
            return -1;
        }
    }
    rec.n_vcpus = info->system.smp_vcpus;
    if (!out_path || !map_path || !info->system_emulation || rec.n_vcpus > MAX_VCPU) {
        fprintf(stderr, "zprec: need out= and map=, system emulation, at most %d vCPUs\n",
                MAX_VCPU);
        return -1;
    }
    if (!rec.burst != !rec.gap) {
        fprintf(stderr, "zprec: burst= and gap= go together\n");
        return -1;
    }
    for (int i = 0; i < MAX_VCPU; i++)
        rec.vcpus[i].held = -1;
    read_map(map_path);
    rec.out = fopen(out_path, "wb");
    if (!rec.out) {
        perror(out_path);
        return -1;
    }
    setvbuf(rec.out, NULL, _IOFBF, 1 << 20);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_exit_cb, NULL);
    return 0;
}
