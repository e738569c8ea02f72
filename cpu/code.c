/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that the engine has translated. The engine keeps translations by address and never looks
 * back; here is what they were made of. Before a block runs its page is compared: other memory,
 * another level or bytes that were written since have the page translated anew.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/cpu_priv.h"

struct code_map *code_map_create(void)
{
    return calloc(1, sizeof(struct code_map));
}

/* The slot of the page, or the free one for it. */
static unsigned int map_slot(const struct code_map *map, uintptr_t page)
{
    unsigned int slot = code_map_hash(page);

    while (map->pages[slot].page && map->pages[slot].page != page)
        slot = (slot + 1) % MAP_PAGES;
    return slot;
}

static uint64_t lines_of(uintptr_t start, size_t size)
{
    unsigned int first = (unsigned int)(start & PAGE_MASK) / 64;
    unsigned int last = (unsigned int)((start + size - 1) & PAGE_MASK) / 64;

    return UINT64_MAX << first & UINT64_MAX >> (63 - last);
}

static struct code_page *page_slot(struct cpu *cpu, uint64_t va)
{
    uint64_t key = (va & ~PAGE_MASK) | 1;
    unsigned int slot = (unsigned int)(va >> 12 ^ va >> 22) % CODE_PAGES;

    while (cpu->pages[slot].va && cpu->pages[slot].va != key)
        slot = (slot + 1) % CODE_PAGES;
    return &cpu->pages[slot];
}

static const uint8_t *page_of(uint64_t va, const uint8_t *host)
{
    return host - (va & PAGE_MASK);
}

static void map_add(struct cpu *cpu, uintptr_t host, size_t size)
{
    struct code_map *map = cpu->code_map;
    unsigned int slot = map_slot(map, host & ~PAGE_MASK);

    if (!map->pages[slot].page) {
        if (map->count == MAP_PAGES / 2) { /* start anew: nobody has code */
            struct cpu *peer = cpu;
            memset(map, 0, sizeof(*map));
            do {
                for (unsigned int i = 0; i < CODE_PAGES; i++)
                    peer->pages[i].stale = true;
                peer = peer->next_peer;
            } while (peer != cpu);
            slot = map_slot(map, host & ~PAGE_MASK);
        }
        map->count++;
        map->pages[slot].page = host & ~PAGE_MASK;
    }
    map->pages[slot].lines |= lines_of(host, size);
}

void code_translated(struct cpu *cpu, uint64_t va, const uint8_t *host, size_t size)
{
    struct code_page *page = page_slot(cpu, va);

    map_add(cpu, (uintptr_t)host, size);
    if (page->host) { /* pieces of different times: the block will not get to run */
        if (page->host != page_of(va, host) || page->el != cpu->el)
            page->stale = true;
        return;
    }
    if (!page->va && cpu->code_pages > CODE_PAGES / 2)
        return; /* not current either, which makes room */
    cpu->code_pages += !page->va;
    page->va = (va & ~PAGE_MASK) | 1;
    page->host = page_of(va, host);
    page->el = cpu->el;
    page->stale = false;
}

bool code_is_current(struct cpu *cpu, uint64_t va, const uint8_t *host)
{
    struct code_page *page = cpu->last_page;

    if (!page || page->va != ((va & ~PAGE_MASK) | 1))
        page = page_slot(cpu, va);
    if (page->host == page_of(va, host) && page->el == cpu->el && !page->stale && page->va) {
        cpu->last_page = page;
        return true;
    }
    cpu->fault_va = va;
    return false;
}

const uint8_t *code_at(struct cpu *cpu, uint64_t va)
{
    const struct code_page *page = page_slot(cpu, va);

    return page->host ? page->host + (va & PAGE_MASK) : NULL;
}

void code_outdate(struct cpu *cpu, const uint8_t *host, size_t size)
{
    uintptr_t start = (uintptr_t)host;
    unsigned int slot = map_slot(cpu->code_map, start & ~PAGE_MASK);
    struct cpu *peer = cpu;

    if (!cpu->code_map->pages[slot].page ||
        !(cpu->code_map->pages[slot].lines & lines_of(start, size)))
        return;
    cpu->code_map->pages[slot].lines = 0; /* whoever runs it translates it, and is listed again */
    do {
        for (unsigned int i = 0; i < CODE_PAGES; i++)
            if (peer->pages[i].va && peer->pages[i].host == host - (start & PAGE_MASK))
                peer->pages[i].stale = true;
        peer = peer->next_peer;
    } while (peer != cpu);
}

void cpu_code_changed(struct cpu *cpu, uint64_t va, uint64_t size)
{
    for (unsigned int i = 0; i < CODE_PAGES; i++) {
        uint64_t page = cpu->pages[i].va & ~PAGE_MASK;
        if (cpu->pages[i].va && (va < page ? size > page - va : va - page < PAGE_BYTES))
            cpu->pages[i].stale = true;
    }
}

/* Counts of blocks belong to code that may be gone. */
static void forget_blocks(struct cpu *cpu)
{
    memset(cpu->blocks, 0, sizeof(cpu->blocks));
    cpu->last_page = NULL;
}

static void forget_all(struct cpu *cpu)
{
    for (unsigned int i = 0; i < CODE_PAGES; i++)
        if (cpu->pages[i].va)
            engine_forget(cpu, cpu->pages[i].va & ~PAGE_MASK);
    memset(cpu->pages, 0, sizeof(cpu->pages));
    cpu->code_pages = 0;
}

void code_forget(struct cpu *cpu, uint64_t va)
{
    struct code_page *page = page_slot(cpu, va);

    forget_blocks(cpu);
    if (cpu->code_pages > CODE_PAGES / 2) {
        forget_all(cpu);
        return;
    }
    engine_forget(cpu, va & ~PAGE_MASK);
    if (page->va) /* stays listed: chains of slots are never cut */
        *page = (struct code_page){.va = page->va};
}
