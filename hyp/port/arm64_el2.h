/* SPDX-License-Identifier: MIT */
/* The reference port's state: one for a machine. */
#ifndef HYP_PORT_ARM64_EL2_H
#define HYP_PORT_ARM64_EL2_H

#include <hyp/hyp.h>
#include <hyp/lock.h>

struct el2_port {
    struct hyp_port port; /* give its address to hyp_init */
    const struct hyp *hyp;
    uint64_t boot_offset;         /* before the switch: va = pa - boot_offset */
    bool switched;                /* the core's own stage 1 is in force */
    struct hyp_spinlock locks[2]; /* VM table; host and hypervisor */
    struct hyp_spinlock guest_locks[HYP_VMS_MAX];
};

/* `hyp` is the instance that will use the port; it need not be initialised yet. */
void el2_port_init(struct el2_port *el2, const struct hyp *hyp, uint64_t boot_offset);

#endif
