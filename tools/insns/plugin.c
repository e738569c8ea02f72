/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU plugin: counts the instructions that a program executes and prints the sum when it ends. */
#include "qemu_plugin_min.h"

#include <inttypes.h>
#include <stdio.h>

extern int qemu_plugin_version;
int qemu_plugin_version = QP_VERSION;
int qemu_plugin_install(qp_id id, const qp_info *about, int argc, char **argv);

static uint64_t executed; /* QEMU adds to it from translated code */

static void translated(qp_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QP_INLINE_ADD_U64, &executed,
                                             qemu_plugin_tb_n_insns(tb));
}

static void finished(qp_id id, void *udata)
{
    char text[32];

    (void)id, (void)udata;
    snprintf(text, sizeof(text), "%" PRIu64 "\n", executed);
    qemu_plugin_outs(text);
}

int qemu_plugin_install(qp_id id, const qp_info *about, int argc, char **argv)
{
    (void)about, (void)argc, (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
