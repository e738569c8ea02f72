/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A radix tree of four levels with 9 bits each above the 4 KiB page; nodes come on demand. */
#include "sim/ram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_SHIFT = 12, NODE_BITS = 9, NODE_SLOTS = 1 << NODE_BITS, TOP_LEVEL = 3 };
#define PAGE_BYTES (UINT64_C(1) << PAGE_SHIFT)

struct node {
    void *slot[NODE_SLOTS];
};

struct sim_ram {
    struct node root;
    uint64_t pages, drops;
    /* Freed pages wait here: churn of table pages does not reach the allocator. */
    void *spare;
};

static size_t index_at(uint64_t pa, unsigned int level)
{
    return pa >> (PAGE_SHIFT + level * NODE_BITS) & (NODE_SLOTS - 1);
}

static void *alloc_zeroed(size_t bytes)
{
    void *memory = calloc(1, bytes);

    if (!memory) {
        fprintf(stderr, "faultline: out of memory\n");
        abort();
    }
    return memory;
}

struct sim_ram *sim_ram_create(void)
{
    return alloc_zeroed(sizeof(struct sim_ram));
}

static void destroy_below(struct node *node, unsigned int level)
{
    for (size_t i = 0; i < NODE_SLOTS; i++) {
        if (!node->slot[i])
            continue;
        if (level > 0)
            destroy_below(node->slot[i], level - 1);
        free(node->slot[i]);
    }
}

void sim_ram_destroy(struct sim_ram *ram)
{
    if (!ram)
        return;
    destroy_below(&ram->root, TOP_LEVEL);
    while (ram->spare) {
        void *next = *(void **)ram->spare;

        free(ram->spare);
        ram->spare = next;
    }
    free(ram);
}

const uint64_t *sim_ram_peek(const struct sim_ram *ram, hyp_pa_t pa)
{
    const struct node *node = &ram->root;

    for (unsigned int level = TOP_LEVEL; level > 0; level--) {
        node = node->slot[index_at(pa.v, level)];
        if (!node)
            return NULL;
    }
    return node->slot[index_at(pa.v, 0)];
}

uint64_t *sim_ram_page(struct sim_ram *ram, hyp_pa_t pa)
{
    struct node *node = &ram->root;
    void **slot;

    for (unsigned int level = TOP_LEVEL; level > 0; level--) {
        slot = &node->slot[index_at(pa.v, level)];
        if (!*slot)
            *slot = alloc_zeroed(sizeof(struct node));
        node = *slot;
    }
    slot = &node->slot[index_at(pa.v, 0)];
    if (!*slot) {
        if (ram->spare) {
            *slot = ram->spare;
            ram->spare = *(void **)ram->spare;
            memset(*slot, 0, PAGE_BYTES);
        } else {
            *slot = alloc_zeroed(PAGE_BYTES);
        }
        ram->pages++;
    }
    return *slot;
}

uint64_t sim_ram_load(const struct sim_ram *ram, hyp_pa_t pa)
{
    const uint64_t *page = sim_ram_peek(ram, pa);

    return page ? page[(pa.v & (PAGE_BYTES - 1)) / 8] : 0;
}

void sim_ram_store(struct sim_ram *ram, hyp_pa_t pa, uint64_t value)
{
    sim_ram_page(ram, pa)[(pa.v & (PAGE_BYTES - 1)) / 8] = value;
}

/* Drops one page; what lies above it stays, because it is small and will be used again. */
static void drop_page(struct sim_ram *ram, hyp_pa_t pa)
{
    struct node *node = &ram->root;

    for (unsigned int level = TOP_LEVEL; level > 0; level--) {
        node = node->slot[index_at(pa.v, level)];
        if (!node)
            return;
    }
    void **slot = &node->slot[index_at(pa.v, 0)];

    if (*slot) {
        *(void **)*slot = ram->spare;
        ram->spare = *slot;
        *slot = NULL;
        ram->drops++;
        ram->pages--;
    }
}

void sim_ram_zero(struct sim_ram *ram, hyp_pa_t pa, uint64_t size)
{
    for (uint64_t done = 0; done < size; done += PAGE_BYTES)
        drop_page(ram, hyp_pa_add(pa, done));
}

uint64_t sim_ram_pages(const struct sim_ram *ram)
{
    return ram->pages;
}

const uint64_t *sim_ram_drops(const struct sim_ram *ram)
{
    return &ram->drops;
}
