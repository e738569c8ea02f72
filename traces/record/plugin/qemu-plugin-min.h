/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the QEMU TCG plugin interface that zprec.c uses.
 *
 * Debian ships a QEMU that loads plugins but no package with the header, so
 * these are our own declarations, written against the symbols the installed
 * binary exports (interface version 1, QEMU 6.2 to 8.1).  QEMU 8.2 moved to
 * version 2 with a different inline-operation call; check before reusing.
 */
#ifndef QEMU_PLUGIN_MIN_H
#define QEMU_PLUGIN_MIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QP_VERSION 1

typedef uint64_t qp_id;
typedef uint32_t qp_meminfo;

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;

enum qp_cb_flags { QP_NO_REGS, QP_R_REGS, QP_RW_REGS };
enum qp_mem_rw { QP_MEM_R = 1, QP_MEM_W = 2, QP_MEM_RW = 3 };
enum qp_op { QP_INLINE_ADD_U64 };

typedef struct {
    const char *target_name;
    struct {
        int min;
        int cur;
    } version;
    bool system_emulation;
    struct {
        int smp_vcpus;
        int max_vcpus;
    } system;
} qp_info;

typedef void (*qp_trans_cb)(qp_id, struct qemu_plugin_tb *);
typedef void (*qp_exec_cb)(unsigned int vcpu, void *udata);
typedef void (*qp_mem_cb)(unsigned int vcpu, qp_meminfo, uint64_t vaddr, void *udata);
typedef void (*qp_exit_cb)(qp_id, void *udata);

void qemu_plugin_register_vcpu_tb_trans_cb(qp_id, qp_trans_cb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qp_op, void *,
                                              uint64_t);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, qp_exec_cb, enum qp_cb_flags,
                                            void *);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, qp_mem_cb, enum qp_cb_flags,
                                      enum qp_mem_rw, void *);
void qemu_plugin_register_atexit_cb(qp_id, qp_exit_cb, void *);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

unsigned int qemu_plugin_mem_size_shift(qp_meminfo);
bool qemu_plugin_mem_is_store(qp_meminfo);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(qp_meminfo, uint64_t vaddr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *);

void qemu_plugin_outs(const char *);

#endif
