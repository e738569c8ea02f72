/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages change hands through the core: the hypercalls that the host makes for a donation and a
 * reclaim, with the guests they need. Without a hypervisor (s2.enable=0) nothing is to be done.
 *
 * A guest of the recording becomes a protected VM of the core when its first page is donated. When
 * its first page is reclaimed the VM starts to die; when the last one is back it is finalised.
 * Pages for its metadata and tables come from memory that the recorded machine did not have.
 */
#include "sim/machine.h"

enum { GUEST_IPA_BITS = 40 };

void sim_hypercall(struct sim *sim, uint8_t cpu)
{
    sim->cpu = cpu;
    sim_charge(sim, SIM_CAUSE_hypercall, SIM_COST(sim, exit) + SIM_COST(sim, hypercall));
    sim_count(sim, SIM_COUNT_hypercalls, 1);
    sim_count(sim, SIM_COUNT_exits, 1);
}

/* A page of ours that the host may write to. */
static bool is_spare(const struct sim *sim, hyp_pa_t pa)
{
    return pa.v >= sim->layout.meta.v && pa.v < sim->layout.meta_end.v &&
           pa.v % sim_page_bytes(sim) == 0 &&
           hyp_page_host_state(hyp_page_of(&sim->hyp.vmemmap, pa)) == HYP_PAGE_OWNED;
}

/* `count` contiguous pages that the host hands in, aligned to their size; 0 when none are left. */
static hyp_pa_t take_meta(struct sim *sim, uint64_t count)
{
    hyp_pa_t pa;

    if (count == 1 && sim->meta_free.count > 0) {
        pa = sim->meta_free.head;
        if (!is_spare(sim, pa)) /* a kernel that runs has written there, or given it away */
            return hyp_pa(0);
        sim->meta_free.head = hyp_pa(sim_ram_load(sim->ram, pa));
        sim->meta_free.count--;
        return pa;
    }
    pa = hyp_pa(hyp_align_up(sim->meta_cursor.v, count * sim_page_bytes(sim)));
    if (pa.v + count * sim_page_bytes(sim) > sim->layout.meta_end.v)
        return hyp_pa(0);
    sim->meta_cursor = hyp_pa_add(pa, count * sim_page_bytes(sim));
    return pa;
}

static void give_meta(struct sim *sim, hyp_pa_t pa)
{
    if (!pa.v)
        return;
    sim_ram_store(sim->ram, pa, sim->meta_free.head.v);
    sim->meta_free.head = pa;
    sim->meta_free.count++;
}

/* The VM that stands for a guest number now, or NULL. */
static struct sim_guest *find_guest(struct sim *sim, uint32_t number)
{
    for (size_t i = 0; i < SIM_GUESTS_MAX; i++)
        if (sim->guests[i].live && !sim->guests[i].dying && sim->guests[i].number == number)
            return &sim->guests[i];
    return NULL;
}

/* NULL when a kernel that runs has ended the VM by calls of its own. */
static struct hyp_vcpu *vcpu_of(struct sim *sim, const struct sim_guest *guest)
{
    struct hyp_vm *vm =
        hyp_vm_find(&sim->hyp, (hyp_handle_t)(HYP_HANDLE_BASE + (guest - sim->guests)));

    return vm && vm->is_protected && vm->vcpu_count ? &vm->vcpus[0] : NULL;
}

static struct sim_guest *create_guest(struct sim *sim, uint8_t cpu, uint32_t number)
{
    uint64_t root_pages = hyp_vm_root_pages(&sim->hyp, GUEST_IPA_BITS);
    struct hyp_vm_params params = {
        .is_protected = true,
        .ipa_bits = GUEST_IPA_BITS,
        .meta = take_meta(sim, 1),
        .meta_pages = 1,
        .pgd = take_meta(sim, root_pages),
        .pgd_pages = root_pages,
    };
    hyp_pa_t vcpu_meta = take_meta(sim, 1);
    hyp_handle_t handle;

    if (!params.meta.v || !params.pgd.v || !vcpu_meta.v)
        return NULL;
    sim_hypercall(sim, cpu);
    if (hyp_vm_reserve(&sim->hyp, &handle) != HYP_OK)
        return NULL;
    sim_hypercall(sim, cpu);
    if (hyp_vm_init(&sim->hyp, handle, &params) != HYP_OK)
        return NULL;
    sim_hypercall(sim, cpu);
    if (hyp_vcpu_init(&sim->hyp, handle, vcpu_meta) != HYP_OK)
        return NULL;
    struct sim_guest *guest = &sim->guests[handle - HYP_HANDLE_BASE];

    *guest = (struct sim_guest){
        .live = true, .number = number, .meta = params.meta, .vcpu_meta = vcpu_meta};
    return guest;
}

/* Tops the vCPU's cache up, so that the donation cannot fail half way for want of a table. */
static bool refill(struct sim *sim, struct hyp_vcpu *vcpu)
{
    uint32_t low = hyp_vcpu_refill_min(vcpu);
    uint32_t target = (uint32_t)SIM_GET(&sim->config, pool, memcache_min);
    struct hyp_host_memcache cache = {hyp_pa(0), 0};

    if (vcpu->mc.count >= low)
        return true;
    if (target < low)
        target = low;
    for (uint32_t i = vcpu->mc.count; i < target; i++) {
        hyp_pa_t page = take_meta(sim, 1);

        if (!page.v || !is_spare(sim, page))
            return false;
        sim_ram_store(sim->ram, page, cache.head.v);
        cache.head = page;
        cache.count++;
    }
    return hyp_vcpu_refill(&sim->hyp, vcpu, &cache, target) == HYP_OK;
}

static bool donate_guest(struct sim *sim, const struct sim_lend *lend)
{
    uint32_t number = lend->page->owner >> 8;
    struct sim_guest *guest = find_guest(sim, number);

    if (!guest)
        guest = create_guest(sim, lend->cpu, number);
    if (!guest)
        return false;
    struct hyp_vcpu *vcpu = vcpu_of(sim, guest);
    uint32_t gfn = guest->next_gfn;

    sim_hypercall(sim, lend->cpu);
    if (!vcpu || !refill(sim, vcpu) ||
        hyp_host_donate_guest(&sim->hyp, vcpu, lend->pa.v >> sim_page_shift(sim), gfn) != HYP_OK)
        return false;
    guest->next_gfn++;
    guest->pages++;
    lend->page->gfn = gfn;
    lend->page->slot = (uint16_t)(guest - sim->guests);
    return true;
}

bool sim_lend_donate(struct sim *sim, const struct sim_lend *lend)
{
    if (!SIM_GET(&sim->config, s2, enable))
        return true;
    if ((lend->page->owner & 0xff) == TRACE_OWNER_GUEST)
        return donate_guest(sim, lend);
    sim_hypercall(sim, lend->cpu);
    return hyp_host_donate_hyp(&sim->hyp, lend->pa.v >> sim_page_shift(sim), 1) == HYP_OK;
}

/* The last page of a dying guest is back: its tables and metadata come back too. */
static void finalize_guest(struct sim *sim, struct sim_guest *guest, uint8_t cpu)
{
    struct hyp_host_memcache out = {hyp_pa(0), 0};
    hyp_handle_t handle = (hyp_handle_t)(HYP_HANDLE_BASE + (guest - sim->guests));

    sim_hypercall(sim, cpu);
    if (hyp_vm_finalize(&sim->hyp, handle, &out) != HYP_OK)
        return;
    while (out.count > 0) {
        hyp_pa_t page = out.head;

        out.head = hyp_pa(sim_ram_load(sim->ram, page));
        out.count--;
        give_meta(sim, page);
    }
    give_meta(sim, guest->meta);
    give_meta(sim, guest->vcpu_meta);
    guest->live = false;
}

static void reclaim_guest(struct sim *sim, const struct sim_lend *lend)
{
    struct sim_guest *guest = &sim->guests[lend->page->slot];
    hyp_handle_t handle = (hyp_handle_t)(HYP_HANDLE_BASE + lend->page->slot);

    if (!guest->dying) {
        sim_hypercall(sim, lend->cpu);
        guest->dying = hyp_vm_start_teardown(&sim->hyp, handle) == HYP_OK;
    }
    sim_hypercall(sim, lend->cpu);
    if (hyp_vm_reclaim_page(&sim->hyp, handle, lend->page->gfn) != HYP_OK)
        return;
    if (--guest->pages == 0)
        finalize_guest(sim, guest, lend->cpu);
}

void sim_lend_reclaim(struct sim *sim, const struct sim_lend *lend)
{
    if (!SIM_GET(&sim->config, s2, enable))
        return;
    if ((lend->page->owner & 0xff) == TRACE_OWNER_GUEST) {
        reclaim_guest(sim, lend);
        return;
    }
    sim_hypercall(sim, lend->cpu);
    /* The hypervisor wipes what it had before the host sees it again. */
    sim_charge(sim, SIM_CAUSE_zero, sim_clear_cycles(sim, sim_page_bytes(sim)));
    if (hyp_hyp_donate_host(&sim->hyp, lend->pa.v >> sim_page_shift(sim), 1) != HYP_OK)
        sim_count(sim, SIM_COUNT_donations_failed, 1);
}

bool sim_lend_force_reclaim(struct sim *sim, const struct sim_stray *stray)
{
    sim_hypercall(sim, stray->request.cpu);
    if (hyp_force_reclaim(&sim->hyp, stray->pa) != HYP_OK)
        return false;
    sim_count(sim, SIM_COUNT_forced_reclaims, 1);
    return true;
}
