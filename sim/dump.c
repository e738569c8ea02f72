/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables as text: ranges of like entries, as the kernel's ptdump shows them. */
#include <hyp/bits.h>
#include <inttypes.h>
#include <string.h>

#include "sim/machine.h"
#include "sim/xom.h"

enum { TEXT_MAX = 96 };

/* The open range: entries that look alike are one line. */
struct range {
    const struct hyp_pgt *pgt;
    FILE *out;
    uint64_t start, end;
    unsigned int level;
    char text[TEXT_MAX];
    bool open;
};

static void print_range(struct range *range)
{
    static const char *const levels[] = {"PTE", "PMD", "PUD", "PGD"};

    if (range->open)
        fprintf(range->out, "0x%016" PRIx64 "-0x%016" PRIx64 " %10" PRIu64 "K %s %s\n",
                range->start, range->end, (range->end - range->start) >> 10, levels[range->level],
                range->text);
    range->open = false;
}

static void describe_note(uint64_t pte, char *text)
{
    static const char *const owners[] = {"host", "hyp", "guest"};
    uint64_t owner = hyp_field_get(pte, HYP_NOTE_OWNER);

    switch ((enum hyp_note)hyp_field_get(pte, HYP_NOTE_TYPE_MASK)) {
    case HYP_NOTE_DONATED:
        if (owner == HYP_OWNER_GUEST)
            snprintf(text, TEXT_MAX, "F   owner guest 0x%" PRIx64,
                     hyp_field_get(pte, HYP_NOTE_HANDLE));
        else
            snprintf(text, TEXT_MAX, "F   owner %s", owner < 3 ? owners[owner] : "?");
        break;
    case HYP_NOTE_POISONED:
        snprintf(text, TEXT_MAX, "F   poisoned");
        break;
    case HYP_NOTE_LOCKED:
        snprintf(text, TEXT_MAX, "F   locked");
        break;
    case HYP_NOTE_NONE:
        snprintf(text, TEXT_MAX, "F");
        break;
    }
}

static void describe_leaf(const struct hyp_pgt *pgt, uint64_t pte, unsigned int level, char *text)
{
    static const char *const states[] = {"", " SHARED-OWNED", " SHARED-BORROWED", " NOPAGE"};
    hyp_prot_t prot = hyp_pgt_prot(pgt, pte);

    snprintf(text, TEXT_MAX, "    %c%c%c%s %s%s", prot & HYP_PROT_R ? 'R' : '-',
             prot & HYP_PROT_W ? 'W' : '-', prot & HYP_PROT_X ? 'X' : '-', level ? " BLK" : "    ",
             prot & HYP_PROT_DEVICE ? "DEVICE" : "MEM", states[pte >> 55 & 3]);
}

static enum hyp_err visit(void *arg, const struct hyp_visit_ctx *ctx)
{
    struct range *range = arg;
    char text[TEXT_MAX];
    uint64_t start = ctx->ia.v, end = ctx->end.v;

    if (!ctx->pte) {
        print_range(range);
        return HYP_OK;
    }
    if (hyp_pgt_kind(range->pgt, ctx->pte, ctx->level) == HYP_PTE_LEAF)
        describe_leaf(range->pgt, ctx->pte, ctx->level, text);
    else
        describe_note(hyp_pgt_note(range->pgt, ctx->pte), text);
    if (range->open && range->end == start && range->level == ctx->level &&
        !strcmp(range->text, text)) {
        range->end = end;
        return HYP_OK;
    }
    print_range(range);
    range->start = start;
    range->end = end;
    range->level = ctx->level;
    range->open = true;
    memcpy(range->text, text, sizeof(text));
    return HYP_OK;
}

static void dump_pgt(const struct hyp_pgt *pgt, FILE *out)
{
    struct range range = {.pgt = pgt, .out = out};
    struct hyp_visitor visitor = {.visit = visit, .arg = &range, .when = HYP_VISIT_LEAF};
    enum hyp_err err = hyp_pgt_walk(pgt, (hyp_ia_t){0}, UINT64_C(1) << pgt->ia_bits, &visitor);

    print_range(&range);
    if (err != HYP_OK)
        fprintf(out, "(walk ended with error %d)\n", (int)err);
}

void sim_dump_tables(const struct sim *sim, FILE *out)
{
    fprintf(out, "---[ host stage 1: user ]---\n");
    host_map_dump(&sim->map, true, out);
    fprintf(out, "---[ host stage 1: kernel ]---\n");
    host_map_dump(&sim->map, false, out);
    if (sim->xom) {
        fprintf(out, "---[ stage 2 with execute-only aliases ]---\n");
        dump_pgt(sim_xom_core(sim->xom)->pgt, out);
    }
    if (!SIM_GET(&sim->config, s2, enable))
        return;
    fprintf(out, "---[ host stage 2 ]---\n");
    dump_pgt(&sim->hyp.host.pgt, out);
    for (size_t i = 0; i < SIM_GUESTS_MAX; i++) {
        struct hyp_vm *vm = hyp_vm_find(&sim->hyp, (hyp_handle_t)(HYP_HANDLE_BASE + i));

        if (!vm || !sim->guests[i].live)
            continue;
        fprintf(out, "---[ stage 2 of guest %" PRIu32 ", handle 0x%x ]---\n", sim->guests[i].number,
                (unsigned int)hyp_vm_handle(vm));
        dump_pgt(&vm->pgt, out);
    }
}
