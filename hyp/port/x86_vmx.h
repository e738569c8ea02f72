/* SPDX-License-Identifier: MIT */
/* The reference port's state: one for a machine. */
#ifndef HYP_PORT_X86_VMX_H
#define HYP_PORT_X86_VMX_H

#include <hyp/hyp.h>
#include <hyp/lock.h>

struct vmx_port {
    struct hyp_port port; /* give its address to hyp_init */
    const struct hyp *hyp;
    uint64_t boot_offset; /* before the switch: va = pa - boot_offset */
    bool switched;        /* the core's own table is in force */
    bool has_vpid;
    /*
     * Has every other CPU call vmx_port_invalidate() with this, and returns when all have: by an
     * NMI, as a CPU that waits for a lock of the core takes no interrupt. NULL on a machine of one.
     */
    void (*tell_others)(struct vmx_port *vmx, const struct hyp_tlb_inv *inv);
    struct hyp_spinlock locks[2]; /* VM table; host and hypervisor */
    struct hyp_spinlock guest_locks[HYP_VMS_MAX];
};

/* `hyp` is the instance that will use the port; it need not be initialised yet. */
void vmx_port_init(struct vmx_port *vmx, const struct hyp *hyp, uint64_t boot_offset);

/* What `inv` asks for, on this CPU. */
void vmx_port_invalidate(const struct vmx_port *vmx, const struct hyp_tlb_inv *inv);

#endif
