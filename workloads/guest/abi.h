/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest image and the simulator agree on; docs/GUESTS.md explains it. Shared by both sides
 * and freestanding.
 *
 * A guest is the kernel of the machine: the host of the hypervisor core. It starts on CPU 0 at its
 * entry point, at EL1h / ring 0 with translation on: the direct map at fl_boot.linear, the image's
 * segments at their link addresses (top half) with their ELF permissions, a stack. Interrupts are
 * masked; VBAR, GDT and IDT are the guest's business.
 *
 *              call          number  arguments                  results
 *   arm64      hvc #0        x0      x1 to x6                   x0; x1, x2
 *   x86-64     vmcall        rax     rdi rsi rdx rcx r8 r9      rax; rdi, rsi
 *
 * First arguments at the entry point (x0, x1 / rdi, rsi): address of struct fl_boot, CPU number.
 */
#ifndef GUEST_ABI_H
#define GUEST_ABI_H

#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

/* Numbers below FL_CALL_FIRST are those of the core (hyp/hcall.h), for its own arguments. A call
 * that does not exist, or that the present strategy has no hypervisor for, returns -1. */
#define FL_CALL_FIRST 0x1000

#define FL_EXIT  0x1000 /* (status): the run ends. 0 good, 1 a check of the guest failed */
#define FL_PANIC 0x1001 /* (text, length, pc, address): the kernel dies; the run ends */
#define FL_PRINT 0x1002 /* (text, length): text to the console */
#define FL_TALLY 0x1003 /* (text, length, value): a figure of the guest; the last value counts */
#define FL_MARK  0x1004 /* (text, length): a phase begins */
/* (pa, owner, pages): the kernel lends a page, or so many, the way the strategy does it; owner 0:
 * to the hypervisor, n: to guest VM n. 0, or -1 refused. And (pa, pages): it takes them back. */
#define FL_LEND   0x1005
#define FL_RETURN 0x1006
/* (cpu, entry, argument): starts a CPU with a stack of its own; its first arguments are `argument`
 * and the CPU number. */
#define FL_CPU_ON 0x1007
#define FL_TIMER  0x1008 /* (instructions): one interrupt when that many have run; 0 none */
/* (address): the SDEI handler of this kernel; it is entered with (fault address, pc) and ends with
 * FL_RESUME (pc, register, value): on at `pc`, with the registers of before, but that one (31:
 * none) is `value`. */
#define FL_HANDLER 0x1009
#define FL_RESUME  0x100a
/* (entry ipa, argument): runs the loaded vCPU's VM, translation off, until it calls FL_VM_EXIT or
 * faults: enum fl_vm_exit, and its value. */
#define FL_VCPU_RUN 0x100b
#define FL_XOM      0x100c /* x86 (enum fl_xom): execute-only memory for this kernel */
#define FL_ASI      0x100d /* x86 (enum fl_asi, ...): address space isolation of this kernel */

/* Calls of a guest VM (under FL_VCPU_RUN). */
#define FL_VM_SHARE   0x2000 /* (ipa): shares a page of its own with the host */
#define FL_VM_UNSHARE 0x2001 /* (ipa) */
#define FL_VM_EXIT    0x2002 /* (value): back to the host */

/* x86: vector of the timer. A #VE comes at 20, a #PF at 14 with the code that was injected. */
#define FL_VECTOR_TIMER 32

/* arm64, FL_STRAY_SYNDROME: the data fault status code of such an abort, one that the architecture
 * has not given away (DDI 0487, ESR_EL1, DFSC). */
#define FL_DFSC_LENT 0x3c

#ifndef __ASSEMBLER__

/* FL_XOM (operation): 0, or -1. */
enum fl_xom {
    FL_XOM_ON = 1, /* opt in, after CPUID said that the feature is there; the answer is bit M */
    FL_XOM_OFF,
};

/* FL_ASI (operation, ...): 0, or -1. The kernel's entry code brackets interrupts and exceptions by
 * START_ABORT and FINISH_ABORT, as the proposal's does; outside isolation they do nothing. */
enum fl_asi {
    FL_ASI_CREATE = 1,   /* () the address space, with the image and the stack in it */
    FL_ASI_MAP,          /* (va, size) */
    FL_ASI_UNMAP,        /* (va) */
    FL_ASI_ENTER,        /* () */
    FL_ASI_EXIT,         /* () */
    FL_ASI_START_ABORT,  /* () */
    FL_ASI_FINISH_ABORT, /* () */
    FL_ASI_FAULT,        /* (pc, address) after START_ABORT: 1 if isolation explains the fault */
    FL_ASI_DESTROY,      /* () */
};

enum fl_vm_exit { FL_VM_EXITED, FL_VM_FAULTED, FL_VM_NOT_LOADED };

#define FL_BOOT_MAGIC 0x746f6f622d6c66ull /* "fl-boot" */

struct fl_boot {
    uint64_t magic;
    uint64_t linear; /* va of the direct map: of physical address `ram` */
    uint64_t ram, ram_end;
    uint64_t free, free_end; /* physical memory that nobody uses */
    uint64_t root;           /* pa of the kernel's root table (TTBR1_EL1, CR3) */
    uint64_t cpus;
    /* How an access to a lent page reaches this kernel, if at all: enum fl_stray. */
    uint64_t stray;
    uint64_t features; /* FL_FEATURE_* */
    /* x86, FL_STRAY_VE: pa of the virtualization-exception area (SDM vol. 3, 25.5.7.2); the handler
     * clears the word at +4. */
    uint64_t ve_area;
    char arguments[256]; /* words "name=value" of --args, NUL-terminated */
};

/* What the strategy makes of a stray access. A kernel needs to know only FL_STRAY_SEA_FIXUP, the
 * other cases tell themselves by syndrome or vector. */
enum fl_stray {
    FL_STRAY_NONE,      /* nothing is protected */
    FL_STRAY_STAGE1,    /* the direct map has no entry: an ordinary page fault */
    FL_STRAY_SEA,       /* external abort, for which this kernel panics */
    FL_STRAY_SEA_FIXUP, /* external abort, whose handler consults the exception table */
    FL_STRAY_REFLECT,   /* arm64: data abort with S1PTW, translation fault */
    FL_STRAY_SYNDROME,  /* arm64: data abort with a status of its own, FL_DFSC_LENT */
    FL_STRAY_SDEI,      /* arm64: FL_HANDLER's address is entered: (fault address, pc) */
    FL_STRAY_PF,        /* x86: #PF with P=0 */
    FL_STRAY_VE,        /* x86: #VE */
    FL_STRAY_STOP,      /* the hypervisor stops: the kernel never hears of it */
};

#define FL_FEATURE_XOM 1ull /* x86: execute-only memory, */
#define FL_FEATURE_ASI 2ull

#endif
#endif
