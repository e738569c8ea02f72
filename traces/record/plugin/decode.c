/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which instructions matter: places of the map file, and those known by their encoding. */
#include "zprec.h"

const struct point *find_point(uint64_t pc, const struct point *after)
{
    const struct point *p = after ? after + 1 : rec.map.points;

    for (; p < rec.map.points + rec.map.n_points; p++)
        if (p->pc == pc)
            return p;
    return NULL;
}

bool in_skip(uint64_t pc)
{
    size_t lo = 0, hi = rec.map.n_skips;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (pc >= rec.map.skips[mid].hi)
            lo = mid + 1;
        else if (pc < rec.map.skips[mid].lo)
            hi = mid;
        else
            return true;
    }
    return false;
}

static uint32_t le32(const uint8_t *b)
{
    return b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Marker: MOVZ XZR, #0x5aNN or NOPL 0x5a5000NN(%rax,%rax,1). 0 if neither. */
unsigned int decode_marker(const uint8_t *b, size_t size)
{
    if (rec.map.arch == ARCH_ARM64) {
        uint32_t w = le32(b);

        if ((w & 0xffe0001f) == 0xd280001f && ((w >> 13) & 0xff) == 0x5a)
            return (w >> 5) & 0xff;
    } else if (size == 8 && !memcmp(b, "\x0f\x1f\x84\x00", 4)) {
        uint32_t w = le32(b + 4);

        if ((w & 0xffffff00) == 0x5a500000)
            return w & 0xff;
    }
    return 0;
}

/*
 * TLB invalidation.  arm64: op1 (3 bits), CRm (4), op2 (3) of the SYS
 * instruction with CRn = 8 (or 9 for the nXS forms), with bit 10 set.
 * x86-64: 1 INVLPG, 2 write to CR3, 3 write to CR4, 4 INVPCID.
 */
unsigned int decode_tlbi(const uint8_t *b, size_t size)
{
    if (rec.map.arch == ARCH_ARM64) {
        uint32_t w = le32(b);

        if ((w & 0xfff8e000) == 0xd5088000)
            return 1u << 10 | ((w >> 16) & 7) << 7 | ((w >> 8) & 15) << 3 | ((w >> 5) & 7);
        return 0;
    }
    /* prefixes these instructions can carry in 64-bit mode */
    bool opsize = false;

    while (size && (b[0] == 0x66 || (b[0] & 0xf0) == 0x40 || b[0] == 0x3e)) {
        opsize |= b[0] == 0x66;
        b++, size--;
    }
    if (size >= 3 && b[0] == 0x0f) {
        unsigned int reg = (b[2] >> 3) & 7;

        if (b[1] == 0x01 && reg == 7 && (b[2] >> 6) != 3)
            return 1;
        if (b[1] == 0x22 && reg == 3)
            return 2;
        if (b[1] == 0x22 && reg == 4)
            return 3;
        if (opsize && b[1] == 0x38 && b[2] == 0x82)
            return 4;
    }
    return 0;
}

bool is_hypercall(const uint8_t *b)
{
    return rec.map.arch == ARCH_ARM64 && le32(b) == 0xd4000002; /* HVC #0 */
}

bool is_exception_return(const uint8_t *b)
{
    return rec.map.arch == ARCH_ARM64 && le32(b) == 0xd69f03e0;
}

static void add_point(int kind, uint64_t pc, unsigned int id)
{
    rec.map.points = realloc(rec.map.points, (rec.map.n_points + 1) * sizeof(*rec.map.points));
    rec.map.points[rec.map.n_points++] = (struct point){pc, kind, id};
}

static int cmp_range(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    return (x->lo > y->lo) - (x->lo < y->lo);
}

void read_map(const char *path)
{
    static const struct {
        const char *word;
        int kind;
    } simple[] = {
        {"zeropad", PT_ZEROPAD},
        {"fixup", PT_FIXUP},
        {"debug", PT_DEBUG},
        {"vector", PT_VECTOR},
    };
    FILE *f = fopen(path, "r");
    char line[512], word[32], rest[64];
    uint64_t a, b, c;
    unsigned int id;

    if (!f) {
        perror(path);
        exit(1);
    }
    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '#' || sscanf(line, "%31s %63s", word, rest) != 2)
            continue;
        if (!strcmp(word, "arch"))
            rec.map.arch = strcmp(rest, "arm64") ? ARCH_X86_64 : ARCH_ARM64;
        else if (sscanf(line, "linear %" SCNx64 " %" SCNx64 " %" SCNx64, &a, &b, &c) == 3)
            rec.map.lin_lo = a, rec.map.lin_hi = b, rec.map.lin_phys = c;
        else if (sscanf(line, "text %" SCNx64, &a) == 1)
            rec.map.text = a;
        else if (sscanf(line, "event %u %" SCNx64, &id, &a) == 2)
            add_point(PT_EVENT, a, id);
        else if (sscanf(line, "skip %" SCNx64 " %" SCNx64, &a, &b) == 2) {
            rec.map.skips = realloc(rec.map.skips, (rec.map.n_skips + 1) * sizeof(*rec.map.skips));
            rec.map.skips[rec.map.n_skips++] = (struct range){a, b};
        } else {
            for (size_t i = 0; i < sizeof(simple) / sizeof(*simple); i++)
                if (!strcmp(word, simple[i].word))
                    add_point(simple[i].kind, strtoull(rest, NULL, 16), 0);
        }
    }
    fclose(f);
    qsort(rec.map.skips, rec.map.n_skips, sizeof(*rec.map.skips), cmp_range);
}
