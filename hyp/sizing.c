/* SPDX-License-Identifier: MIT */
/* The reservation at boot; see the header. */
#include <hyp/bits.h>
#include <hyp/page.h>
#include <hyp/sizing.h>

#define GIB UINT64_C(0x40000000)

/* The FF-A proxy's copy of the longest descriptor: header, one receiver, range header, ranges. */
#define FFA_DESCRIPTOR_BYTES (48 + 32 + 16 + 2048 * 16)

struct hyp_sizing_rules hyp_sizing_rules(unsigned int page_shift)
{
    return (struct hyp_sizing_rules){
        .page_shift = page_shift,
        .table_levels = 5,
        .descriptor_size = sizeof(struct hyp_page),
        .private_bytes = GIB,
        .device_bytes = GIB,
        .root_pages = 16,
        .vm_slots = 255,
        .vm_slot_bytes = 8,
        .ffa_mailboxes = 2,
        .ffa_descriptor_bytes = FFA_DESCRIPTOR_BYTES,
    };
}

/* Tables that map `pages` pages which begin at the start of a table, one by one. */
static uint64_t tables_for(const struct hyp_sizing_rules *rules, uint64_t pages)
{
    const uint64_t entries = UINT64_C(1) << hyp_index_bits(rules->page_shift);
    uint64_t total = 0;

    for (unsigned int level = 0; level < rules->table_levels; level++) {
        pages = hyp_div_up(pages, entries);
        total += pages;
    }
    return total;
}

static uint64_t pages_of(const struct hyp_sizing_rules *rules, uint64_t bytes)
{
    return hyp_div_up(bytes, UINT64_C(1) << rules->page_shift);
}

/*
 * Descriptors that cover exactly the reserved pages, themselves included, and the tables that map
 * them: the least fixed point.
 */
static uint64_t descriptors_of_pool(const struct hyp_sizing_rules *rules, uint64_t pages)
{
    uint64_t mine = 0, before;

    do {
        before = mine;
        mine = pages_of(rules, (pages + before) * rules->descriptor_size);
        mine += tables_for(rules, mine);
    } while (mine != before);
    return mine;
}

void hyp_sizing_begin(struct hyp_sizing *sizing, const struct hyp_sizing_rules *rules)
{
    *sizing = (struct hyp_sizing){.rules = *rules};
}

void hyp_sizing_add(struct hyp_sizing *sizing, hyp_pa_t base, uint64_t size)
{
    const struct hyp_sizing_rules *rules = &sizing->rules;
    const uint64_t page = UINT64_C(1) << rules->page_shift;
    const uint64_t first = base.v >> rules->page_shift;
    const uint64_t end = (base.v + size) >> rules->page_shift;

    sizing->tables += tables_for(rules, size >> rules->page_shift);
    if (!rules->descriptors_of_pool)
        sizing->vmemmap += (hyp_align_up(end * rules->descriptor_size, page) -
                            hyp_align_down(first * rules->descriptor_size, page)) >>
                           rules->page_shift;
}

void hyp_sizing_end(struct hyp_sizing *sizing)
{
    const struct hyp_sizing_rules *rules = &sizing->rules;

    sizing->hyp_s1 = sizing->tables + tables_for(rules, pages_of(rules, rules->private_bytes));
    sizing->host_s2 = sizing->tables + rules->root_pages +
                      tables_for(rules, pages_of(rules, rules->device_bytes));
    sizing->vm_table = pages_of(rules, rules->vm_slots * rules->vm_slot_bytes);
    sizing->ffa = rules->ffa_mailboxes + pages_of(rules, rules->ffa_descriptor_bytes);
    sizing->selftest = rules->selftest_pages;
    sizing->pages =
        sizing->hyp_s1 + sizing->host_s2 + sizing->vm_table + sizing->ffa + sizing->selftest;
    if (rules->descriptors_of_pool)
        sizing->vmemmap = descriptors_of_pool(rules, sizing->pages);
    sizing->pages += sizing->vmemmap;
    sizing->reserved_bytes =
        hyp_align_up(sizing->pages << rules->page_shift, hyp_level_size(rules->page_shift, 1));
}
