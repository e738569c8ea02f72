/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fake port with page descriptors and a pool, snapshots of all of it, and tables as text. */
#include "tests/support/fake_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fake_machine_init(struct fake_machine *machine, unsigned int page_shift, hyp_pfn_t first,
                       uint64_t ram_pages, uint64_t pool_pages)
{
    fake_port_init(&machine->fake);
    machine->page_count = ram_pages;
    machine->vmemmap.first = first;
    machine->vmemmap.page_shift = page_shift;
    machine->vmemmap.base = calloc(ram_pages, sizeof *machine->vmemmap.base);
    if (!machine->vmemmap.base)
        abort();
    if (hyp_pool_init(&machine->pool, &machine->fake.port, &machine->vmemmap, first, pool_pages, 0,
                      NULL))
        abort();
    fake_port_reset(&machine->fake);
}

void fake_machine_free(struct fake_machine *machine)
{
    free(machine->vmemmap.base);
    fake_port_free(&machine->fake);
}

void fake_snapshot_take(struct fake_snapshot *snapshot, const struct fake_machine *machine)
{
    const size_t bytes = machine->page_count * sizeof *snapshot->pages;

    fake_mem_copy(&snapshot->mem, &machine->fake.mem);
    snapshot->page_count = machine->page_count;
    snapshot->pool = machine->pool;
    snapshot->pages = malloc(bytes);
    if (!snapshot->pages)
        abort();
    memcpy(snapshot->pages, machine->vmemmap.base, bytes);
}

bool fake_snapshot_same(const struct fake_snapshot *snapshot, const struct fake_machine *machine)
{
    return memcmp(snapshot->pages, machine->vmemmap.base,
                  machine->page_count * sizeof *snapshot->pages) == 0 &&
           memcmp(snapshot->pool.head, machine->pool.head, sizeof machine->pool.head) == 0 &&
           memcmp(snapshot->pool.tail, machine->pool.tail, sizeof machine->pool.tail) == 0 &&
           snapshot->pool.free_pages == machine->pool.free_pages &&
           fake_mem_equal(&snapshot->mem, &machine->fake.mem);
}

void fake_snapshot_free(struct fake_snapshot *snapshot)
{
    fake_mem_free(&snapshot->mem);
    free(snapshot->pages);
}

struct text {
    const struct hyp_pgt *pgt;
    char *out;
    size_t used, room;
    uint64_t ia, end, first, last, step; /* the run that is being gathered */
    unsigned int level;
};

static void text_line(struct text *text)
{
    if (text->end == 0)
        return;
    if (text->room - text->used < 128) {
        text->room = 2 * text->room + 256;
        text->out = realloc(text->out, text->room);
        if (!text->out)
            abort();
    }
    text->used +=
        (size_t)snprintf(text->out + text->used, text->room - text->used, "%llx+%llx %u %llx\n",
                         (unsigned long long)text->ia, (unsigned long long)(text->end - text->ia),
                         text->level, (unsigned long long)text->first);
    text->end = 0;
}

static enum hyp_err text_visit(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct text *text = arg;
    const uint64_t size = ctx->end.v - ctx->ia.v;
    const bool leaf = hyp_pgt_kind(text->pgt, ctx->pte, ctx->level) == HYP_PTE_LEAF;
    const uint64_t step = leaf ? size : 0;

    if (text->end != 0 && text->end == ctx->ia.v && text->level == ctx->level &&
        ctx->pte == text->last + step && text->step == step) {
        text->end = ctx->end.v;
        text->last = ctx->pte;
        return HYP_OK;
    }
    text_line(text);
    if (ctx->pte == 0)
        return HYP_OK;
    text->ia = ctx->ia.v;
    text->end = ctx->end.v;
    text->first = text->last = ctx->pte;
    text->level = ctx->level;
    text->step = step;
    return HYP_OK;
}

char *fake_table_text(const struct hyp_pgt *pgt)
{
    struct text text = {.pgt = pgt, .room = 256};
    const struct hyp_visitor visitor = {text_visit, &text, HYP_VISIT_LEAF};

    text.out = calloc(1, text.room);
    if (!text.out || hyp_pgt_walk(pgt, (hyp_ia_t){0}, UINT64_C(1) << pgt->ia_bits, &visitor))
        abort();
    text_line(&text);
    return text.out;
}

struct audit {
    const struct hyp_pgt *pgt;
    uint64_t pages;
    bool counts_true;
};

/* Looks at the memory itself, not through the walker: the walker is under test too. */
static void audit_table(struct audit *audit, hyp_pa_t table, unsigned int level, uint64_t entries)
{
    const struct hyp_pgt *pgt = audit->pgt;
    const uint64_t per_page = UINT64_C(1) << (pgt->page_shift - 3);

    for (uint64_t page = 0; page < entries; page += per_page) {
        unsigned int counted = 1;

        for (uint64_t i = page; i < page + per_page && i < entries; i++) {
            const uint64_t pte = pgt->port->pte_load(pgt->port->ctx, hyp_pa_add(table, 8 * i));

            counted += pte != 0 && pte != pgt->empty;
            if (hyp_pgt_kind(pgt, pte, level) == HYP_PTE_TABLE)
                audit_table(audit, hyp_pgt_target(pgt, pte, level), level - 1, per_page);
        }
        audit->pages++;
        if (hyp_page_of(pgt->vmemmap, hyp_pa_add(table, 8 * page))->refcount != counted)
            audit->counts_true = false;
    }
}

bool fake_table_counts_true(const struct hyp_pgt *pgt)
{
    struct audit audit = {.pgt = pgt, .counts_true = true};

    audit_table(&audit, pgt->root, pgt->top_level, pgt->root_entries);
    return audit.counts_true;
}

uint64_t fake_table_pages(const struct hyp_pgt *pgt)
{
    struct audit audit = {.pgt = pgt, .counts_true = true};

    audit_table(&audit, pgt->root, pgt->top_level, pgt->root_entries);
    return audit.pages;
}
