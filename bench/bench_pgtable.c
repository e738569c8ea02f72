/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stage-2 tables under suite B: guest-type table, 4K granule, 40-bit ipa, FWB and range TLBI, all
 * table pages from suite A's pool; 1 GiB from ipa 1 GiB to pa 4 GiB. The anchor is Linux 7.3's own
 * page-table code, measured in user space. The E rows are the same passes on EPT, which has a level
 * more for 40 bits; they have no anchor of their own and stand beside the B rows, those of single
 * pages beside the ones with 48 bits, which have the same number of levels.
 */
#include "bench/flat.h"
#include "bench/shim.h"

#include <hyp/pgtable.h>

#include <stdlib.h>

#define POOL_PAGES   16384u
#define POOL_BASE    (UINT64_C(3) << 30)
#define IPA          (UINT64_C(1) << 30)
#define PA           (UINT64_C(4) << 30)
#define GIB          (UINT64_C(1) << 30)
#define M2           (UINT64_C(2) << 20)
#define K4           (UINT64_C(1) << 12)
#define PAGES        262144u
#define BLOCKS       512u
#define SHORT_ROUNDS 10000u /* enough to keep the clock out of it */
#define HYP_OWNER    2u     /* annotation payload: owner 1 in bits 3:1 */

struct table_bench {
    struct flat flat;
    struct hyp_vmemmap vmemmap;
    struct hyp_pool pool;
    struct hyp_pgt pgt;
    const struct hyp_pgt_fmt *fmt;
    unsigned int ia_bits;
    uint32_t *shuffled;
    uint64_t sum; /* keeps results alive */
};

static void must(enum hyp_err err)
{
    if (err)
        abort();
}

static bool always(const struct hyp_pgt *pgt, hyp_ia_t ia, uint64_t size, hyp_prot_t prot)
{
    (void)pgt;
    (void)ia;
    (void)size;
    (void)prot;
    return true;
}

static void map(struct table_bench *b, uint64_t offset, uint64_t size, hyp_prot_t prot)
{
    must(hyp_pgt_map(&b->pgt, (hyp_ia_t){IPA + offset}, size, hyp_pa(PA + offset), prot, NULL));
}

/* ---- states before a pass ---- */

static void empty(void *arg)
{
    struct table_bench *b = arg;
    const struct hyp_pgt_config config = {
        .fmt = b->fmt,
        .port = &b->flat.port,
        .vmemmap = &b->vmemmap,
        .page_shift = 12,
        .ia_bits = b->ia_bits,
        .flags = HYP_PGT_FWB | HYP_PGT_RANGE_TLBI,
        .vmid = 1,
        .max_block_level = 2,
    };

    if (b->pgt.root.v)
        hyp_pgt_destroy(&b->pgt);
    else
        must(hyp_pool_init(&b->pool, &b->flat.port, &b->vmemmap, POOL_BASE >> 12, POOL_PAGES, 0,
                           NULL));
    must(hyp_pgt_init(&b->pgt, &config, &b->pool, NULL));
}

static void mapped_pages(void *arg)
{
    struct table_bench *b = arg;

    empty(b);
    b->pgt.force_page = always;
    map(b, 0, GIB, HYP_PROT_RWX);
    b->pgt.force_page = NULL;
}

static void mapped_blocks(void *arg)
{
    struct table_bench *b = arg;

    empty(b);
    for (unsigned int i = 0; i < BLOCKS; i++)
        map(b, i * M2, M2, HYP_PROT_RWX);
}

static void mapped_read_only(void *arg)
{
    mapped_pages(arg);
    must(hyp_pgt_wrprotect(&((struct table_bench *)arg)->pgt, (hyp_ia_t){IPA}, GIB));
}

static void empty_forced(void *arg)
{
    empty(arg);
    ((struct table_bench *)arg)->pgt.force_page = always;
}

/* ---- passes ---- */

static uint64_t b1_map_each(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++)
        map(b, i * K4, K4, HYP_PROT_RWX);
    return PAGES;
}

static uint64_t b1r_map_random(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++)
        map(b, b->shuffled[i] * K4, K4, HYP_PROT_RWX);
    return PAGES;
}

static uint64_t b2_map_range(void *arg)
{
    map(arg, 0, GIB, HYP_PROT_RWX);
    return PAGES;
}

static uint64_t b3_map_blocks(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < BLOCKS; i++)
        map(b, i * M2, M2, HYP_PROT_RWX);
    return BLOCKS;
}

static void map_unmap(struct table_bench *b, uint64_t offset, unsigned int rounds)
{
    for (unsigned int i = 0; i < rounds; i++) {
        map(b, offset, GIB, HYP_PROT_RWX);
        must(hyp_pgt_unmap(&b->pgt, (hyp_ia_t){IPA + offset}, GIB, NULL));
    }
}

static uint64_t b3b_blocks_in_one_call(void *arg)
{
    map_unmap(arg, M2, 100);
    return 100 * BLOCKS;
}

static uint64_t b3c_one_block(void *arg)
{
    map_unmap(arg, 0, SHORT_ROUNDS);
    return SHORT_ROUNDS;
}

static uint64_t b5_leaf(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++) {
        unsigned int level;

        b->sum += hyp_pgt_leaf(&b->pgt, (hyp_ia_t){IPA + i * K4}, &level) + level;
    }
    return PAGES;
}

static uint64_t b5r_leaf_random(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++) {
        unsigned int level;

        b->sum += hyp_pgt_leaf(&b->pgt, (hyp_ia_t){IPA + b->shuffled[i] * K4}, &level) + level;
    }
    return PAGES;
}

static enum hyp_err count_visit(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct table_bench *b = arg;

    b->sum += ctx->pte != 0;
    return HYP_OK;
}

static uint64_t b6_walk(void *arg)
{
    struct table_bench *b = arg;
    const struct hyp_visitor visitor = {count_visit, b, HYP_VISIT_LEAF};

    must(hyp_pgt_walk(&b->pgt, (hyp_ia_t){IPA}, GIB, &visitor));
    return PAGES;
}

static uint64_t b7_map_again(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++) {
        const uint64_t at = i * K4;

        if (hyp_pgt_map(&b->pgt, (hyp_ia_t){IPA + at}, K4, hyp_pa(PA + at), HYP_PROT_RWX, NULL) !=
            HYP_EAGAIN)
            abort();
    }
    return PAGES;
}

static uint64_t b8_software_bits(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++)
        map(b, i * K4, K4, HYP_PROT_RWX | HYP_PROT_SW(0));
    return PAGES;
}

static uint64_t b9_wrprotect(void *arg)
{
    must(hyp_pgt_wrprotect(&((struct table_bench *)arg)->pgt, (hyp_ia_t){IPA}, GIB));
    return PAGES;
}

static uint64_t b9b_relax(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++)
        must(hyp_pgt_relax(&b->pgt, (hyp_ia_t){IPA + i * K4}, HYP_PROT_RWX));
    return PAGES;
}

static uint64_t b9c_test_clear_young(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++) {
        bool young;

        must(hyp_pgt_test_clear_young(&b->pgt, (hyp_ia_t){IPA + i * K4}, K4, true, &young));
        b->sum += young;
    }
    return PAGES;
}

static void mapped_old(void *arg)
{
    mapped_pages(arg);
    (void)b9c_test_clear_young(arg);
}

static uint64_t b9d_mkyoung(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++)
        hyp_pgt_mkyoung(&b->pgt, (hyp_ia_t){IPA + i * K4});
    return PAGES;
}

static uint64_t b10_unmap_range(void *arg)
{
    must(hyp_pgt_unmap(&((struct table_bench *)arg)->pgt, (hyp_ia_t){IPA}, GIB, NULL));
    return PAGES;
}

static uint64_t b10b_unmap_each(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < PAGES; i++)
        must(hyp_pgt_unmap(&b->pgt, (hyp_ia_t){IPA + i * K4}, K4, NULL));
    return PAGES;
}

static uint64_t b10c_destroy(void *arg)
{
    struct table_bench *b = arg;

    hyp_pgt_destroy(&b->pgt);
    return PAGES;
}

/* Leaves the bench as it was found: with a table. */
static void remake(void *arg)
{
    struct table_bench *b = arg;

    b->pgt.root = hyp_pa(0);
}

static uint64_t b11_break_blocks(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < BLOCKS; i++)
        map(b, i * M2 + 7 * K4, K4, HYP_PROT_R);
    return BLOCKS;
}

static uint64_t b11b_split(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < BLOCKS; i++)
        must(hyp_pgt_split(&b->pgt, (hyp_ia_t){IPA + i * M2}, M2, NULL));
    return BLOCKS;
}

static uint64_t b12c_collapse(void *arg)
{
    struct table_bench *b = arg;

    for (unsigned int i = 0; i < BLOCKS; i++)
        must(hyp_pgt_collapse(&b->pgt, (hyp_ia_t){IPA + i * M2}, 1));
    return BLOCKS;
}

static void annotate(struct table_bench *b, uint64_t offset, uint64_t size)
{
    must(hyp_pgt_annotate(&b->pgt, (hyp_ia_t){IPA + offset}, size, HYP_NOTE_DONATED, HYP_OWNER,
                          NULL));
}

static uint64_t b13_annotate_each(void *arg)
{
    for (unsigned int i = 0; i < PAGES; i++)
        annotate(arg, i * K4, K4);
    return PAGES;
}

static uint64_t b13b_annotate_range(void *arg)
{
    annotate(arg, 0, GIB);
    return PAGES;
}

static uint64_t b13d_annotate_in_block(void *arg)
{
    for (unsigned int i = 0; i < BLOCKS; i++)
        annotate(arg, i * M2 + 7 * K4, K4);
    return BLOCKS;
}

static struct table_bench *bench_new(const struct hyp_pgt_fmt *fmt, unsigned int ia_bits)
{
    struct table_bench *b = flat_memory(sizeof *b);

    b->fmt = fmt;
    b->ia_bits = ia_bits;
    flat_init(&b->flat, POOL_BASE, (uint64_t)POOL_PAGES << 12);
    b->vmemmap.base = flat_memory(POOL_PAGES * sizeof *b->vmemmap.base);
    b->vmemmap.first = POOL_BASE >> 12;
    b->vmemmap.page_shift = 12;
    b->shuffled = flat_permutation(PAGES, 42);
    return b;
}

int main(int argc, char **argv)
{
    struct table_bench *b = bench_new(&hyp_fmt_arm64_s2, 40);
    struct table_bench *w = bench_new(&hyp_fmt_arm64_s2, 48);
    struct table_bench *e = bench_new(&hyp_fmt_ept, 40);
    const struct shim_row rows[] = {
        {"B1 map 1G by page, in order", empty, b1_map_each, NULL, b, 41.1, 0},
        {"B1r map 1G by page, random order", empty, b1r_map_random, NULL, b, 44.7, 0},
        {"B2 map 1G of pages, one call, per page", empty_forced, b2_map_range, NULL, b, 12.3, 0},
        {"B3 map 2M block, one call each", empty, b3_map_blocks, NULL, b, 35.2, 0},
        {"B3b map+unmap 512 blocks, one call, per block", empty, b3b_blocks_in_one_call, NULL, b,
         19.4, 0},
        {"B3c map+unmap one 1G block", empty, b3c_one_block, NULL, b, 37.5, 0},
        {"B5 leaf lookup, in order", mapped_pages, b5_leaf, NULL, b, 20.4, 0},
        {"B5r leaf lookup, random order", mapped_pages, b5r_leaf_random, NULL, b, 23.7, 0},
        {"B6 walk with visitor, per entry", mapped_pages, b6_walk, NULL, b, 3.0, 0},
        {"B7 map what is mapped (refused)", mapped_pages, b7_map_again, NULL, b, 34.8, 0},
        {"B8 map with other software bits", mapped_pages, b8_software_bits, NULL, b, 36.7, 0},
        {"B9 wrprotect 1G, one call, per page", mapped_pages, b9_wrprotect, NULL, b, 4.6, 0},
        {"B9b relax a page", mapped_read_only, b9b_relax, NULL, b, 22.2, 0},
        {"B9c test and clear young", mapped_pages, b9c_test_clear_young, NULL, b, 21.0, 0},
        {"B9d make young", mapped_old, b9d_mkyoung, NULL, b, 21.4, 0},
        {"B10 unmap 1G, one call, per page", mapped_pages, b10_unmap_range, NULL, b, 5.9, 0},
        {"B10b unmap by page", mapped_pages, b10b_unmap_each, NULL, b, 29.3, 0},
        {"B10c destroy, per page", mapped_pages, b10c_destroy, remake, b, 5.7, 0},
        {"B11 2M block to table by one page", mapped_blocks, b11_break_blocks, NULL, b, 70, 0},
        {"B11b split a 2M block", mapped_blocks, b11b_split, NULL, b, 8150, 0},
        {"B12 map 2M over a full table", mapped_pages, b3_map_blocks, NULL, b, 2901, 0},
        {"B12c collapse a full table", mapped_pages, b12c_collapse, NULL, b, 0, 0},
        {"B13 annotate by page", empty, b13_annotate_each, NULL, b, 35.9, 0},
        {"B13b annotate 1G, one call, per page", empty, b13b_annotate_range, NULL, b, 11.3, 0},
        {"B13c annotate a mapped page", mapped_pages, b13_annotate_each, NULL, b, 38.5, 0},
        {"B13d annotate a page of a 2M block", mapped_blocks, b13d_annotate_in_block, NULL, b, 66,
         0},
        {"B1 48 bits", empty, b1_map_each, NULL, w, 49.7, 0},
        {"B3 48 bits", empty, b3_map_blocks, NULL, w, 44.9, 0},
        {"B10b 48 bits", mapped_pages, b10b_unmap_each, NULL, w, 37.8, 0},
        {"B13 48 bits", empty, b13_annotate_each, NULL, w, 44.4, 0},
        {"E1 map 1G by page, in order", empty, b1_map_each, NULL, e, 0, 0},
        {"E1r map 1G by page, random order", empty, b1r_map_random, NULL, e, 0, 0},
        {"E2 map 1G of pages, one call, per page", empty_forced, b2_map_range, NULL, e, 0, 0},
        {"E3 map 2M block, one call each", empty, b3_map_blocks, NULL, e, 0, 0},
        {"E3b map+unmap 512 blocks, one call, per block", empty, b3b_blocks_in_one_call, NULL, e, 0,
         0},
        {"E5 leaf lookup, in order", mapped_pages, b5_leaf, NULL, e, 0, 0},
        {"E7 map what is mapped (refused)", mapped_pages, b7_map_again, NULL, e, 0, 0},
        {"E8 map with other software bits", mapped_pages, b8_software_bits, NULL, e, 0, 0},
        {"E9 wrprotect 1G, one call, per page", mapped_pages, b9_wrprotect, NULL, e, 0, 0},
        {"E9b relax a page", mapped_read_only, b9b_relax, NULL, e, 0, 0},
        {"E10 unmap 1G, one call, per page", mapped_pages, b10_unmap_range, NULL, e, 0, 0},
        {"E10b unmap by page", mapped_pages, b10b_unmap_each, NULL, e, 0, 0},
        {"E11 2M block to table by one page", mapped_blocks, b11_break_blocks, NULL, e, 0, 0},
        {"E11b split a 2M block", mapped_blocks, b11b_split, NULL, e, 0, 0},
        {"E12 map 2M over a full table", mapped_pages, b3_map_blocks, NULL, e, 0, 0},
        {"E12c collapse a full table", mapped_pages, b12c_collapse, NULL, e, 0, 0},
        {"E13 annotate by page", empty, b13_annotate_each, NULL, e, 0, 0},
        {"E13b annotate 1G, one call, per page", empty, b13b_annotate_range, NULL, e, 0, 0},
        {"E13c annotate a mapped page", mapped_pages, b13_annotate_each, NULL, e, 0, 0},
        {"E13d annotate a page of a 2M block", mapped_blocks, b13d_annotate_in_block, NULL, e, 0,
         0},
    };

    for (unsigned int i = 0; i < sizeof rows / sizeof *rows; i++)
        shim_register(&rows[i]);
    return shim_main(argc, argv, "hyp/pgtable: suite B, anchor Linux 7.3 (gcc -O2)");
}
