/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A booted hypervisor on the fake port, with one page to play with and two guests: what tests of
 * ownership, host, guests and hypercalls start from.
 */
#ifndef TESTS_SUPPORT_HYP_RIG_H
#define TESTS_SUPPORT_HYP_RIG_H

#include <hyp/hyp.h>

#include "tests/support/fake_port.h"

#define HRIG_RAM0       UINT64_C(0x40000000) /* 64 MiB, the pool at its start */
#define HRIG_RAM0_SIZE  UINT64_C(0x4000000)
#define HRIG_RAM1       UINT64_C(0x48001000) /* 16 MiB + 4 KiB, aligned to nothing */
#define HRIG_RAM1_SIZE  UINT64_C(0x1001000)
#define HRIG_NOMAP      UINT64_C(0x4a000000) /* 1 MiB of firmware's RAM */
#define HRIG_NOMAP_SIZE UINT64_C(0x100000)
#define HRIG_REGIONS    3u

#define HRIG_PFN  UINT64_C(0x41000) /* first page of a 16 MiB arena, 2 MiB aligned */
#define HRIG_GFN  UINT64_C(0x400)   /* guest page number, 2 MiB aligned */
#define HRIG_CPUS 2u

enum { HRIG_NP, HRIG_PV, HRIG_GUESTS };

struct hyp_rig {
    struct fake_port fake;
    struct hyp hyp;
    struct hyp_config config;
    struct hyp_region regions[HRIG_REGIONS];
    struct hyp_page *descriptors;
    uint64_t descriptor_count;
    struct hyp_vm vms[4];
    struct hyp_vcpu *vcpu[HRIG_GUESTS];
    uint64_t next_page; /* of host pages that the rig gives away itself */
};

/*
 * The machine is arm64 unless the environment has FAULTLINE_TEST_ARCH=x86, or x86-ve, where its
 * host handles #VE: tests of what is the same on both run once on each.
 */
enum hyp_arch hyp_rig_arch(void);
static inline bool hyp_rig_is_x86(void)
{
    return hyp_rig_arch() == HYP_ARCH_X86;
}

bool hyp_rig_has_ve(void);

/* What is different on the two machines. */
#define HRIG_EITHER(arm64, x86) (hyp_rig_is_x86() ? (x86) : (arm64))

/* A note on x86: bit 63 says that touching the page exits. */
#define HRIG_EPT_NOTE(note) (hyp_rig_has_ve() ? (note) : (note) | UINT64_C(1) << 63)

/* IA32_VMX_EPT_VPID_CAP of a CPU with all that the core can use but 5 levels. */
#define HRIG_EPT_CAP UINT64_C(0x06334141)

/* The configuration of the machine above, not booted yet: change it, then call hyp_rig_boot. */
void hyp_rig_init(struct hyp_rig *rig);
/* hyp_init and hyp_boot. */
enum hyp_err hyp_rig_boot(struct hyp_rig *rig);
/* The usual: booted, all CPUs finalised, both guests with one vCPU and a filled memcache. */
void hyp_rig_start(struct hyp_rig *rig);
/* The same with a policy for the host's stage 2. */
void hyp_rig_start_with(struct hyp_rig *rig, struct hyp_host_policy policy);
void hyp_rig_free(struct hyp_rig *rig);

/* Fills a vCPU's cache up to `count` pages. */
void hyp_rig_fill(struct hyp_rig *rig, struct hyp_vcpu *vcpu, uint32_t count);
struct hyp_page *hyp_rig_page(struct hyp_rig *rig, hyp_pfn_t pfn);
hyp_pa_t hyp_rig_pa(hyp_pfn_t pfn);
/* Page `pfn` is full of a byte. */
void hyp_rig_dirty(struct hyp_rig *rig, hyp_pfn_t pfn, uint8_t byte);
bool hyp_rig_is_zero(struct hyp_rig *rig, hyp_pfn_t pfn);
/* The invariant over RAM0 and RAM1; prints what is wrong. */
bool hyp_rig_sound(struct hyp_rig *rig);

/* Takes pages out of a pool until `left` are free; give_back returns them. */
struct hyp_rig_drain {
    struct hyp_pool *pool;
    hyp_pa_t pages[4096];
    unsigned int count;
};
void hyp_rig_drain(struct hyp_rig_drain *drain, struct hyp_pool *pool, uint64_t left);
void hyp_rig_refill(struct hyp_rig_drain *drain);

/* Everything that a call can change, to the bit. */
struct hyp_rig_snapshot {
    struct fake_mem mem;
    struct hyp hyp;
    struct hyp_vm vms[4];
    struct hyp_page *descriptors;
};
void hyp_rig_save(struct hyp_rig_snapshot *snapshot, const struct hyp_rig *rig);
/* Says on standard error what differs. */
bool hyp_rig_same(const struct hyp_rig_snapshot *snapshot, const struct hyp_rig *rig);
void hyp_rig_forget(struct hyp_rig_snapshot *snapshot);

#endif
