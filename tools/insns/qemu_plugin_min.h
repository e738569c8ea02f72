/* SPDX-License-Identifier: MIT */
/*
 * The part of QEMU's TCG plugin interface that the counter uses. Debian ships a QEMU that loads
 * plugins but no package with the header, so these are own declarations of the symbols that the
 * installed program exports (interface version 1: QEMU 6.2 to 8.1).
 */
#ifndef QEMU_PLUGIN_MIN_H
#define QEMU_PLUGIN_MIN_H

#include <stddef.h>
#include <stdint.h>

#define QP_VERSION 1

typedef uint64_t qp_id;

struct qemu_plugin_tb;

enum qp_op { QP_INLINE_ADD_U64 };

typedef struct {
    const char *target_name;
    struct {
        int min;
        int cur;
    } version;
    _Bool system_emulation;
    struct {
        int smp_vcpus;
        int max_vcpus;
    } system;
} qp_info;

typedef void (*qp_trans_cb)(qp_id id, struct qemu_plugin_tb *tb);
typedef void (*qp_exit_cb)(qp_id id, void *udata);

void qemu_plugin_register_vcpu_tb_trans_cb(qp_id id, qp_trans_cb cb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qp_op op, void *ptr,
                                              uint64_t value);
void qemu_plugin_register_atexit_cb(qp_id id, qp_exit_cb cb, void *udata);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
void qemu_plugin_outs(const char *text);

#endif
