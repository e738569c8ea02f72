/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zpdump - decode a recording made by zprec.
 *
 *	zpdump ACCESS			print the records, one per line
 *	zpdump -s ACCESS		print totals
 *	zpdump -f KALLSYMS ACCESS	print accesses per function
 *	zpdump -u KALLSYMS ACCESS	print the symbols the recording refers to
 *
 * ACCESS must be uncompressed; "-" reads standard input.
 */
#include "zpread.h"

#include <inttypes.h>

struct sym {
    uint64_t addr, count;
    char *name;
};

static struct sym *syms;
static size_t n_syms;

static int by_addr(const void *a, const void *b)
{
    const struct sym *x = a, *y = b;

    return (x->addr > y->addr) - (x->addr < y->addr);
}

static int by_count(const void *a, const void *b)
{
    const struct sym *x = a, *y = b;

    return (x->count < y->count) - (x->count > y->count);
}

static void read_syms(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[512], name[256], type;
    uint64_t addr;

    if (!f) {
        perror(path);
        exit(1);
    }
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%" SCNx64 " %c %255s", &addr, &type, name) != 3 ||
            !strchr("tTwW", type) || !strncmp(name, "__pfx_", 6))
            continue;
        if (!(n_syms & (n_syms - 1)))
            syms = realloc(syms, (n_syms ? 2 * n_syms : 1) * sizeof(*syms));
        syms[n_syms++] = (struct sym){addr, 0, strdup(name)};
    }
    fclose(f);
    qsort(syms, n_syms, sizeof(*syms), by_addr);
}

static struct sym *find_sym(uint64_t pc)
{
    size_t lo = 0, hi = n_syms;

    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;

        if (syms[mid].addr <= pc)
            lo = mid;
        else
            hi = mid;
    }
    while (lo && syms[lo - 1].addr == syms[lo].addr) /* aliases */
        lo--;
    return n_syms ? &syms[lo] : NULL;
}

static void print_record(const struct zp_record *rec)
{
    switch (rec->op) {
    case ZP_ACCESS:
        printf("%c %" PRIx64 " %u pc %" PRIx64 "%s\n", rec->insn->store ? 'W' : 'R', rec->vaddr,
               rec->insn->size, rec->insn->pc, rec->insn->zeropad ? " zeropad" : "");
        break;
    case ZP_PAGE:
        printf("page %" PRIx64 " -> %" PRIx64 "%s\n", rec->a, rec->b >> 1,
               rec->b & 1 ? " device" : "");
        break;
    case ZP_VCPU:
        printf("vcpu %" PRIu64 "\n", rec->a);
        break;
    case ZP_EVENT:
        printf("event %s at %" PRIu64 "\n", rec->a < ZP_N_EVENTS ? zp_event_name[rec->a] : "?",
               rec->clock);
        break;
    case ZP_MARK:
        printf("mark %" PRIu64 " at %" PRIu64 "\n", rec->a, rec->clock);
        break;
    case ZP_FIXUP:
        printf("repaired pc %" PRIx64 "\n", rec->a);
        break;
    case ZP_TLBI:
        printf("tlbi %" PRIx64 "\n", rec->a);
        break;
    case ZP_HVC:
        printf("hypercall pc %" PRIx64 "\n", rec->a);
        break;
    case ZP_GAP:
        printf("gap %" PRIu64 "\n", rec->a);
        break;
    default:
        break;
    }
}

static void print_totals(const struct zp_reader *r, const uint64_t *ops, const uint64_t *events,
                         const uint64_t *tlbi, const uint64_t *where)
{
    uint64_t stores = 0, zeropad = 0;

    for (size_t i = 0; i < r->n_insns; i++) {
        stores += r->insns[i].store ? r->insns[i].count : 0;
        zeropad += r->insns[i].zeropad ? r->insns[i].count : 0;
    }
    printf("accesses %" PRIu64 "\n  stores %" PRIu64 "\n  to the direct map %" PRIu64
           "\n  to user addresses %" PRIu64 "\n",
           r->accesses, stores, where[0], where[1]);
    printf("tracer accesses left out %" PRIu64 "\n", r->suppressed);
    printf("instructions executed %" PRIu64 "\n", r->instructions);
    printf("access sites %zu\n", r->n_insns);
    printf("vcpu switches %" PRIu64 "\n", ops[ZP_VCPU]);
    printf("zeropad loads completed %" PRIu64 "\n  of these crossing a page %" PRIu64 "\n", zeropad,
           where[2]);
    printf("zeropad loads repaired %" PRIu64 "\n", ops[ZP_FIXUP]);
    if (ops[ZP_HVC])
        printf("hypercalls %" PRIu64 "\n", ops[ZP_HVC]);
    for (int i = 0; i < ZP_N_EVENTS; i++)
        if (events[i])
            printf("event %s %" PRIu64 "\n", zp_event_name[i], events[i]);
    for (int i = 0; i < 2048; i++)
        if (tlbi[i])
            printf("tlb invalidation 0x%x %" PRIu64 "\n", i, tlbi[i]);
}

int main(int argc, char **argv)
{
    uint64_t ops[ZP_ACCESS] = {0}, events[ZP_N_EVENTS] = {0};
    static uint64_t tlbi[2048], where[3];
    struct zp_reader r = {0};
    struct zp_record rec;
    int mode = 'p';

    if (argc > 1 && argv[1][0] == '-' && argv[1][1]) {
        mode = argv[1][1];
        argc--, argv++;
    }
    if ((mode == 'f' || mode == 'u') && argc > 1) {
        read_syms(argv[1]);
        argc--, argv++;
    }
    if (argc != 2 || !strchr("psfu", mode)) {
        fprintf(stderr, "usage: zpdump [-s | -f KALLSYMS | -u KALLSYMS] ACCESS\n");
        return 2;
    }
    r.in = strcmp(argv[1], "-") ? fopen(argv[1], "rb") : stdin;
    if (!r.in) {
        perror(argv[1]);
        return 1;
    }
    zp_open(&r);
    if (mode == 'p')
        printf("arch %u vcpus %u linear %" PRIx64 "..%" PRIx64 " phys %" PRIx64 " text %" PRIx64
               "\n",
               r.arch, r.vcpus, r.lin_lo, r.lin_hi, r.lin_phys, r.text);
    while (zp_next(&r, &rec)) {
        if (mode == 'p')
            print_record(&rec);
        if (rec.op == ZP_ACCESS) {
            where[0] += rec.vaddr >= r.lin_lo && rec.vaddr < r.lin_hi;
            where[1] += !(rec.vaddr >> 63);
            where[2] += rec.insn->zeropad && (rec.vaddr & 0xfff) > 0xff8;
            continue;
        }
        ops[rec.op]++;
        if (rec.op == ZP_EVENT && rec.a < ZP_N_EVENTS)
            events[rec.a]++;
        if (rec.op == ZP_TLBI && rec.a < 2048)
            tlbi[rec.a]++;
    }
    if (mode == 's')
        print_totals(&r, ops, events, tlbi, where);
    if (mode == 'f' || mode == 'u') {
        for (size_t i = 0; i < r.n_insns; i++) {
            struct sym *s = find_sym(r.insns[i].pc);

            if (s)
                s->count += r.insns[i].count;
        }
        if (mode == 'f')
            qsort(syms, n_syms, sizeof(*syms), by_count);
        for (size_t i = 0; i < n_syms; i++) {
            if (!syms[i].count)
                continue;
            if (mode == 'f')
                printf("%12" PRIu64 " %s\n", syms[i].count, syms[i].name);
            else
                printf("%" PRIx64 " %s\n", syms[i].addr, syms[i].name);
        }
    }
    return 0;
}
