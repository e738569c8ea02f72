/* SPDX-License-Identifier: MIT */
/*
 * Memory slots with execute-only aliases: base and alias are mapped and unmapped as one. Whatever
 * can fail comes first; what was done until then is unmapped again. Leaves never reach beyond a
 * slot, as each is mapped by calls of its own.
 */
#include <hyp/xom.h>

#define FLAGS_KNOWN (HYP_XOM_READONLY | HYP_XOM_EXECONLY)

static hyp_ia_t base_of(uint64_t gfn)
{
    return (hyp_ia_t){gfn << 12};
}

static hyp_ia_t alias_of(const struct hyp_xom *xom, uint64_t gfn)
{
    return (hyp_ia_t){gfn << 12 | HYP_BIT(xom->bit)};
}

/* Cannot fail: the range was mapped, at least in part, and is within the table. */
static void unmap(const struct hyp_xom *xom, hyp_ia_t ia, uint64_t pages)
{
    const enum hyp_err err = hyp_pgt_unmap(xom->pgt, ia, pages << 12, NULL);

    HYP_ASSERT(xom->pgt->port, err == HYP_OK);
}

/* All of the range or nothing. */
static enum hyp_err map(const struct hyp_xom *xom, hyp_ia_t ia, const struct hyp_xom_slot *slot,
                        hyp_prot_t prot, struct hyp_memcache *mc)
{
    const enum hyp_err err =
        hyp_pgt_map(xom->pgt, ia, slot->pages << 12, hyp_pa(slot->pfn << 12), prot, mc);

    if (err == HYP_ENOMEM)
        unmap(xom, ia, slot->pages);
    return err;
}

static enum hyp_err map_alias(const struct hyp_xom *xom, const struct hyp_xom_slot *slot,
                              struct hyp_memcache *mc)
{
    return map(xom, alias_of(xom, slot->gfn), slot, HYP_PROT_X, mc);
}

static bool has_alias(const struct hyp_xom *xom, const struct hyp_xom_slot *slot)
{
    return xom->on && slot->pages && (slot->flags & HYP_XOM_EXECONLY);
}

static enum hyp_err map_slot(const struct hyp_xom *xom, const struct hyp_xom_slot *slot,
                             struct hyp_memcache *mc)
{
    const hyp_prot_t prot = HYP_PROT_R | HYP_PROT_X;
    const hyp_prot_t w = slot->flags & HYP_XOM_READONLY ? 0 : HYP_PROT_W;
    enum hyp_err err = map(xom, base_of(slot->gfn), slot, prot | w, mc);

    if (err || !has_alias(xom, slot))
        return err;
    err = map_alias(xom, slot, mc);
    if (err)
        unmap(xom, base_of(slot->gfn), slot->pages);
    return err;
}

static void unmap_slot(const struct hyp_xom *xom, const struct hyp_xom_slot *slot)
{
    if (has_alias(xom, slot))
        unmap(xom, alias_of(xom, slot->gfn), slot->pages);
    unmap(xom, base_of(slot->gfn), slot->pages);
}

enum hyp_err hyp_xom_set(struct hyp_xom *xom, bool on, struct hyp_memcache *mc)
{
    enum hyp_err err = HYP_OK;
    unsigned int done;

    if (xom->on == on)
        return HYP_OK;
    xom->on = true;
    for (done = 0; on && done < xom->slot_count; done++) {
        if (has_alias(xom, &xom->slots[done]))
            err = map_alias(xom, &xom->slots[done], mc);
        if (err)
            break;
    }
    if (on && !err)
        return HYP_OK;
    if (!on)
        done = xom->slot_count;
    while (done-- > 0) {
        if (has_alias(xom, &xom->slots[done]))
            unmap(xom, alias_of(xom, xom->slots[done].gfn), xom->slots[done].pages);
    }
    xom->on = false;
    return err;
}

void hyp_xom_reset(struct hyp_xom *xom)
{
    const enum hyp_err err = hyp_xom_set(xom, false, NULL);

    HYP_ASSERT(xom->pgt->port, err == HYP_OK);
}

struct hyp_xom_slot *hyp_xom_slot_of(const struct hyp_xom *xom, uint64_t gfn)
{
    for (unsigned int i = 0; i < xom->slot_count; i++) {
        struct hyp_xom_slot *slot = &xom->slots[i];

        if (gfn >= slot->gfn && gfn - slot->gfn < slot->pages)
            return slot;
    }
    return NULL;
}

/* The slot in use at `index`, or NULL. */
static struct hyp_xom_slot *used(const struct hyp_xom *xom, unsigned int index)
{
    if (index >= xom->slot_count || !xom->slots[index].pages)
        return NULL;
    return &xom->slots[index];
}

static enum hyp_err place(const struct hyp_xom *xom, uint64_t gfn, uint64_t pages)
{
    const uint64_t limit = HYP_BIT(xom->bit - 12);

    if (!pages || gfn >= limit || pages > limit - gfn)
        return HYP_EINVAL;
    for (unsigned int i = 0; i < xom->slot_count; i++) {
        const struct hyp_xom_slot *slot = &xom->slots[i];

        if (slot->pages && gfn < slot->gfn + slot->pages && slot->gfn < gfn + pages)
            return HYP_EEXIST;
    }
    return HYP_OK;
}

enum hyp_err hyp_xom_create(struct hyp_xom *xom, unsigned int index,
                            const struct hyp_xom_slot *slot, struct hyp_memcache *mc)
{
    enum hyp_err err;

    if (index >= xom->slot_count)
        return HYP_ENOENT;
    if (xom->slots[index].pages)
        return HYP_EBUSY;
    if ((slot->flags & ~FLAGS_KNOWN) != 0 || slot->dirty)
        return HYP_EINVAL;
    err = place(xom, slot->gfn, slot->pages);
    if (!err && slot->pfn >> 52)
        err = HYP_ERANGE;
    if (!err)
        err = map_slot(xom, slot, mc);
    if (!err)
        xom->slots[index] = *slot;
    return err;
}

enum hyp_err hyp_xom_move(struct hyp_xom *xom, unsigned int index, uint64_t gfn,
                          struct hyp_memcache *mc)
{
    struct hyp_xom_slot *slot = used(xom, index), moved;
    enum hyp_err err;

    if (!slot)
        return HYP_ENOENT;
    moved = *slot;
    moved.gfn = gfn;
    moved.dirty = NULL;
    err = place(xom, gfn, slot->pages);
    if (!err)
        err = map_slot(xom, &moved, mc);
    if (err)
        return err;
    unmap_slot(xom, slot);
    *slot = moved;
    return HYP_OK;
}

enum hyp_err hyp_xom_delete(struct hyp_xom *xom, unsigned int index)
{
    struct hyp_xom_slot *slot = used(xom, index);

    if (!slot)
        return HYP_ENOENT;
    unmap_slot(xom, slot);
    *slot = (struct hyp_xom_slot){0};
    return HYP_OK;
}

enum hyp_err hyp_xom_set_flags(struct hyp_xom *xom, unsigned int index, uint32_t flags)
{
    const struct hyp_xom_slot *slot = used(xom, index);

    if (!slot)
        return HYP_ENOENT;
    return flags == slot->flags ? HYP_OK : HYP_EINVAL;
}

enum hyp_err hyp_xom_log_start(struct hyp_xom *xom, unsigned int index, uint64_t *dirty,
                               struct hyp_memcache *mc)
{
    struct hyp_xom_slot *slot = used(xom, index);
    enum hyp_err err;

    if (!slot)
        return HYP_ENOENT;
    if (!dirty || (slot->flags & HYP_XOM_READONLY))
        return HYP_EINVAL;
    err = hyp_pgt_split(xom->pgt, base_of(slot->gfn), slot->pages << 12, mc);
    if (!err)
        err = hyp_pgt_wrprotect(xom->pgt, base_of(slot->gfn), slot->pages << 12);
    if (!err)
        slot->dirty = dirty;
    return err;
}

enum hyp_err hyp_xom_log_stop(struct hyp_xom *xom, unsigned int index)
{
    struct hyp_xom_slot *slot = used(xom, index);

    if (!slot)
        return HYP_ENOENT;
    slot->dirty = NULL;
    return HYP_OK;
}

enum hyp_err hyp_xom_wrprotect(struct hyp_xom *xom, uint64_t gfn, uint64_t pages)
{
    const struct hyp_xom_slot *slot = hyp_xom_slot_of(xom, gfn);

    if (!pages || gfn >> (xom->bit - 12))
        return HYP_EINVAL;
    if (!slot || pages > slot->pages - (gfn - slot->gfn))
        return HYP_ENOENT;
    return hyp_pgt_wrprotect(xom->pgt, base_of(gfn), pages << 12);
}

enum hyp_err hyp_xom_written(struct hyp_xom *xom, hyp_ipa_t gpa)
{
    const uint64_t gfn = gpa.v >> 12;
    struct hyp_xom_slot *slot = hyp_xom_slot_of(xom, gfn);

    if (!slot)
        return HYP_ENOENT;
    if (slot->flags & HYP_XOM_READONLY)
        return HYP_EPERM;
    if (slot->dirty)
        slot->dirty[(gfn - slot->gfn) / 64] |= HYP_BIT((gfn - slot->gfn) % 64);
    return hyp_pgt_relax(xom->pgt, base_of(gfn), HYP_PROT_W);
}
