/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Single walks from a table of rows, so that anybody's rules can be held against the model. The
 * columns are specified in docs/MODEL.md.
 */
#include "mmu/eval.h"
#include "mmu/x86.h"
#include "sim/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 6, LINE_MAX_BYTES = 1024 };

static const char *const formats[] = {
    [MMU_EVAL_EPT] = "ept",
    [MMU_EVAL_X86] = "x86",
    [MMU_EVAL_NPT] = "npt",
    [MMU_EVAL_ARM64_S2] = "arm64-s2",
};
static const char *const accesses[] = {
    [MMU_READ] = "read", [MMU_WRITE] = "write", [MMU_FETCH] = "fetch"};

static int index_of(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return (int)i;
    return -1;
}

static bool number(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

/* One word of the flags column. */
static bool set_flag(struct mmu_eval *eval, const char *flag)
{
    static const char *const names[] = {"ad", "table", "xo",   "1g",   "5level",
                                        "wp", "nxe",   "smep", "smap", "ac"};
    uint64_t cr4[] = {MMU_X86_CR4_SMEP, MMU_X86_CR4_SMAP};
    int which = index_of(names, sizeof(names) / sizeof(names[0]), flag);

    switch (which) {
    case 0:
        eval->accessed_dirty = true;
        break;
    case 1:
        eval->table_access = true;
        break;
    case 2:
        eval->x86.ept_xo = true;
        break;
    case 3:
        eval->x86.ept_1g = eval->x86.pages_1g = true;
        break;
    case 4:
        eval->x86.ept_5level = true;
        break;
    case 5:
        eval->x86.cr0 |= MMU_X86_CR0_WP;
        break;
    case 6:
        eval->x86.efer |= MMU_X86_EFER_NXE;
        break;
    case 7:
    case 8:
        eval->x86.cr4 |= cr4[which - 7];
        break;
    case 9:
        eval->x86.ac = true;
        break;
    default:
        return false;
    }
    return true;
}

/* Fills *eval from the columns; NULL, or what is wrong with which word. */
static const char *parse_row(char *const column[COLUMNS], struct mmu_eval *eval)
{
    int format = index_of(formats, sizeof(formats) / sizeof(formats[0]), column[0]);
    int access = index_of(accesses, sizeof(accesses) / sizeof(accesses[0]), column[1]);
    char *rest;

    if (format < 0)
        return "format: expected ept, x86, npt or arm64-s2";
    if (access < 0)
        return "access: expected read, write or fetch";
    if (strcmp(column[2], "user") && strcmp(column[2], "supervisor"))
        return "privilege: expected user or supervisor";
    *eval = (struct mmu_eval){
        .format = (uint8_t)format,
        .access = (uint8_t)access,
        .el = column[2][0] == 's',
        .x86 = {.cr0 = MMU_X86_CR0_PG | 1,
                .cr4 = MMU_X86_CR4_PAE,
                .efer = MMU_X86_EFER_LMA,
                .pat = MMU_X86_PAT_RESET,
                .pa_bits = 46},
        .arm64 = {.pa_bits = 48, .xnx = true, .hafdbs = true},
    };
    if (!number(column[3], &eval->addr))
        return "address: expected a number";
    for (char *flag = strtok_r(column[4], " ", &rest); flag; flag = strtok_r(NULL, " ", &rest))
        if (!set_flag(eval, flag))
            return "flags: expected ad, table, xo, 1g, 5level, wp, nxe, smep, smap, ac";
    for (char *entry = strtok_r(column[5], " ", &rest); entry; entry = strtok_r(NULL, " ", &rest)) {
        if (eval->levels == MMU_EVAL_LEVELS || !number(entry, &eval->entry[eval->levels]))
            return "entries: expected 3 to 5 numbers, the root's first";
        eval->levels++;
    }
    return eval->levels < 3 ? "entries: expected 3 to 5 numbers, the root's first" : NULL;
}

static void print_row(const struct mmu_eval *eval, const struct mmu_eval_result *got, FILE *out)
{
    static const char *const outcomes[] = {
        [MMU_OK] = "ok",
        [MMU_FAULT_TRANSLATION] = "translation",
        [MMU_FAULT_ACCESS_FLAG] = "access-flag",
        [MMU_FAULT_PERMISSION] = "permission",
        [MMU_FAULT_ADDRESS_SIZE] = "address-size",
        [MMU_FAULT_EXTERNAL_WALK] = "external",
        [MMU_FAULT_TLB_CONFLICT] = "conflict",
        [MMU_FAULT_RESERVED] = "reserved",
        [MMU_FAULT_MISCONFIG] = "misconfig",
        [MMU_FAULT_NONCANONICAL] = "noncanonical",
    };

    fprintf(out, "%s,%s,0x%" PRIx64 ",%s,%u,0x%" PRIx64 ",0x%" PRIx64 ",%u,", formats[eval->format],
            accesses[eval->access], eval->addr, outcomes[got->result.fault], got->result.level,
            got->syndrome, got->result.fault == MMU_OK ? got->result.pa.v : 0, got->reads);
    for (unsigned int i = 0; i < eval->levels; i++)
        fprintf(out, "%s0x%" PRIx64, i ? " " : "", got->entry[i]);
    fputc('\n', out);
}

enum sim_status sim_mmu_eval(FILE *in, const char *name, FILE *out, struct sim_error *error)
{
    char line[LINE_MAX_BYTES];

    fprintf(out, "format,access,address,outcome,level,syndrome,pa,reads,entries\n");
    for (unsigned int row = 1; fgets(line, sizeof(line), in); row++) {
        struct mmu_eval_result got;
        struct mmu_eval eval;
        char *column[COLUMNS], *rest = line;
        const char *wrong = NULL;

        line[strcspn(line, "\r\n")] = '\0';
        if (!*line || *line == '#' || (row == 1 && !strncmp(line, "format,", 7)))
            continue;
        for (int i = 0; i < COLUMNS && !wrong; i++)
            if (!(column[i] = strsep(&rest, ",")))
                wrong = "expected 6 columns: format,access,privilege,address,flags,entries";
        if (!wrong && rest)
            wrong = "expected 6 columns: format,access,privilege,address,flags,entries";
        if (!wrong)
            wrong = parse_row(column, &eval);
        if (wrong)
            return sim_fail(error, SIM_BAD_INPUT, "%s:%u: %s", name, row, wrong);
        if (!mmu_eval(&eval, &got))
            return sim_fail(error, SIM_BAD_INPUT, "%s:%u: this format has no walk of %u levels",
                            name, row, eval.levels);
        print_row(&eval, &got, out);
    }
    return SIM_OK;
}
