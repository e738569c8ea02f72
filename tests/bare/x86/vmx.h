/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtual machines of the bare-metal test: the host and its guests. One CPU. */
#ifndef TESTS_BARE_X86_VMX_H
#define TESTS_BARE_X86_VMX_H

#include <hyp/addr.h>

/* VMCS fields (SDM vol. 3, appendix B) that more than vmx.c uses. */
#define VMX_GPA       0x2400u
#define VMX_REASON    0x4402u
#define VMX_LENGTH    0x440cu /* of the instruction that exited */
#define VMX_SS_RIGHTS 0x4818u
#define VMX_QUAL      0x6400u
#define VMX_LINEAR    0x640au
#define VMX_CR0       0x6800u
#define VMX_RIP       0x681eu

/* Exit reasons (appendix C). */
#define VMX_EXIT_VMCALL        18u
#define VMX_EXIT_EPT_VIOLATION 48u
#define VMX_ENTRY_FAILED       0xffffffffu

struct vmx_machine {
    uint64_t x[15]; /* registers, in the order of vmx_enter() */
    hyp_pa_t vmcs;  /* a page of zeroes to begin with, in the hypervisor's linear map */
    int launched;
};

/* VMX root operation; `region` is a page. False: the CPU or its firmware says no. */
bool vmx_on(hyp_pa_t region);
/* A 64-bit machine, with the paging of this CPU but its own CR3, without EPT. Current afterwards.
 */
void vmx_make_kernel(struct vmx_machine *machine, hyp_pa_t vmcs, uint64_t rip, uint64_t cr3);
/* A 32-bit machine without paging, which needs EPT. Current afterwards. */
void vmx_make_guest(struct vmx_machine *machine, hyp_pa_t vmcs, uint64_t rip);
void vmx_make_current(const struct vmx_machine *machine);
/* The processor keeps nothing of it any more: its page may become another's. */
void vmx_clear(struct vmx_machine *machine);

/* Runs the current machine until it exits: the reason. */
uint32_t vmx_run(struct vmx_machine *machine);
/* The instruction that exited is done. */
void vmx_step(void);
/* An exception with an error code. */
void vmx_inject(uint8_t vector, uint32_t code);
/* The exit came while an event was being delivered, and swallowed it: deliver it again. False when
 * there was none. */
bool vmx_redeliver(void);

#endif
