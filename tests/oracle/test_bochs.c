/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86 walkers against Bochs, as a black box: an image of our own runs random cases as a guest
 * over EPT and prints what came of them. What is not compared and why stands in docs/model-mmu.md,
 * "Oracles"; each such rule is in deviation().
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/oracle/faults.h"
#include "tests/oracle/x86_case.h"
#include "tests/support/cmocka_all.h"

#define CASES      5000u
#define FIRST_SEED UINT64_C(0xb0c5)
#define CYLINDER   (16u * 63u * 512u)

#define QUAL_READ UINT64_C(1)

#define NO_BOCHS "there is no bochs; install the group \"oracle\" of tools/packages"

/* A line of the image, or what it should be. */
struct outcome {
    char kind;
    uint64_t value[3];
    char digit[CASE_POKES + 1];
};

struct rig {
    struct x86_model model;
    struct case_sector *test;
    struct outcome *seen;
    uint64_t *seed;
    unsigned int count, lines;
    bool absent, quiet;
    unsigned int differing, deviations[3], kinds[256];
};

/* ---- running ---- */

static bool in_path(const char *program)
{
    char command[128];

    snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
    return system(command) == 0;
}

static void append(FILE *disk, const char *path, unsigned int sectors)
{
    uint8_t image[IMAGE_SECTORS * 512] = {0};
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    assert_int_not_equal(fread(image, 1, sectors * 512, file), 0);
    fclose(file);
    assert_int_equal(fwrite(image, 512, sectors, disk), sectors);
}

static void write_disk(const struct rig *rig, const char *folder)
{
    struct case_sector header = {.magic = CASE_MAGIC, .va = rig->count};
    char path[256];

    snprintf(path, sizeof(path), "%s/disk.img", folder);
    FILE *disk = fopen(path, "wb");
    assert_non_null(disk);
    append(disk, ORACLE_IMAGES "/boot.bin", 1);
    append(disk, ORACLE_IMAGES "/image.bin", IMAGE_SECTORS);
    assert_int_equal(fwrite(&header, sizeof(header), 1, disk), 1);
    assert_int_equal(fwrite(rig->test, sizeof(*rig->test), rig->count, disk), rig->count);
    long size = ftell(disk);
    assert_int_equal(ftruncate(fileno(disk), (size + CYLINDER - 1) / CYLINDER * CYLINDER), 0);
    assert_int_equal(fclose(disk), 0);
}

static void read_lines(struct rig *rig, const char *folder)
{
    char path[256], line[256], stray[2];
    bool first = false, last = false;

    snprintf(path, sizeof(path), "%s/serial.log", folder);
    FILE *log = fopen(path, "r");
    assert_non_null(log);
    while (fgets(line, sizeof(line), log)) {
        unsigned int number;
        struct outcome seen = {0};
        first = first || strncmp(line, LINE_FIRST, strlen(LINE_FIRST)) == 0;
        last = last || strncmp(line, LINE_LAST, strlen(LINE_LAST)) == 0;
        if (sscanf(line, "%x %c %" SCNx64 " %" SCNx64 " %" SCNx64 " %30s %1s", &number, &seen.kind,
                   &seen.value[0], &seen.value[1], &seen.value[2], seen.digit, stray) == 6 &&
            number == rig->lines && number < rig->count)
            rig->seen[rig->lines++] = seen;
    }
    fclose(log);
    if (!first || !last || rig->lines != rig->count)
        fail_msg("%s: %u of %u cases answered%s", path, rig->lines, rig->count,
                 last ? "" : ", and no last line");
}

static void build_cases(struct rig *rig)
{
    uint64_t seed = FIRST_SEED;
    unsigned int wanted = wanted_seed(&seed) ? 1 : CASES;
    struct x86_answer answer;

    rig->test = calloc(wanted, sizeof(*rig->test));
    rig->seen = calloc(wanted, sizeof(*rig->seen));
    rig->seed = calloc(wanted, sizeof(*rig->seed));
    assert_true(rig->test && rig->seen && rig->seed);
    for (; rig->count < wanted; seed++) {
        struct case_sector *test = &rig->test[rig->count];
        x86_case_build(test, seed, (enum x86_kind)(seed % X86_KINDS));
        if (x86_case_answer(&rig->model, test, &answer))
            rig->seed[rig->count++] = seed;
        else if (wanted == 1)
            fail_msg("ORACLE_SEED=%#" PRIx64 " is none of the cases", seed);
    }
}

static int open_rig(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    char folder[] = "/tmp/oracle-bochs-XXXXXX", command[512];

    assert_non_null(rig);
    *state = rig;
    assert_true(x86_model_open(&rig->model));
    rig->absent = !in_path("bochs");
    if (rig->absent) {
        if (getenv("CI"))
            fail_msg(NO_BOCHS);
        return 0;
    }
    build_cases(rig);
    assert_non_null(mkdtemp(folder));
    write_disk(rig, folder);
    snprintf(command, sizeof(command), "%s/tests/oracle/bochs/run.sh %s", SOURCE_DIR, folder);
    if (system(command) != 0)
        fail_msg("Bochs printed nothing; see %s/bochs.out and %s/bochs.log", folder, folder);
    read_lines(rig, folder);
    snprintf(command, sizeof(command), "rm -r %s", folder);
    return system(command);
}

static int close_rig(void **state)
{
    struct rig *rig = *state;

    x86_model_close(&rig->model);
    free(rig->test);
    free(rig->seen);
    free(rig->seed);
    free(rig);
    return 0;
}

/* ---- comparing ---- */

static void set_digits(const struct case_sector *test, const struct x86_answer *answer,
                       struct outcome *outcome)
{
    for (unsigned int i = 0; i < test->pokes; i++) {
        uint64_t changed = answer->word[i] ^ test->poke[i].value;
        outcome->digit[i] = "0123456789abcdef"[(changed >> 5 & 3) | (changed >> 8 & 3) << 2];
    }
}

static struct outcome expected(const struct case_sector *test, const struct x86_answer *answer)
{
    const struct mmu_result *result = &answer->result;
    struct outcome outcome = {0};

    if (result->fault == MMU_OK)
        outcome = (struct outcome){'o', {result->pa.v, test->access == CASE_WRITE}, {0}};
    else if (result->fault == MMU_FAULT_NONCANONICAL)
        outcome = (struct outcome){'x', {13}, {0}};
    else if (result->stage == 1)
        outcome =
            (struct outcome){'x', {14, mmu_x86_pf_code(&answer->request, result), test->va}, {0}};
    else if (result->fault == MMU_FAULT_MISCONFIG)
        outcome = (struct outcome){'m', {0, result->ipa.v}, {0}};
    else
        outcome = (struct outcome){
            'v', {mmu_x86_qualification(&answer->request, result), result->ipa.v, test->va}, {0}};
    set_digits(test, answer, &outcome);
    return outcome;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    return a->kind == b->kind && memcmp(a->value, b->value, sizeof(a->value)) == 0 &&
           strcmp(a->digit, b->digit) == 0;
}

/* What Bochs 2.7 is known to do otherwise; true: not compared. */
static bool deviation(struct rig *rig, const struct case_sector *test,
                      const struct x86_answer *answer, struct outcome *ours, struct outcome *seen)
{
    const struct mmu_result *result = &answer->result;
    bool table_write = result->stage == 2 && result->s1ptw && (ours->value[0] & 2) != 0;

    /* Bit 12 of a large EPT leaf is not taken as reserved. */
    if (result->fault == MMU_FAULT_MISCONFIG && (answer->last_entry & 0x1080) == 0x1080)
        return ++rig->deviations[0];
    /* The update of a guest flag needs no EPT write permission when EPT's own flags are off. */
    if (result->fault == MMU_FAULT_PERMISSION && table_write && !(test->flags & CASE_EPT_AD))
        return ++rig->deviations[1];
    /* A walk of guest tables under EPT's flags reports a write without the read. */
    if (table_write && ours->kind == 'v') {
        ours->value[0] &= ~QUAL_READ;
        seen->value[0] &= ~QUAL_READ;
        rig->deviations[2]++;
    }
    return false;
}

static void print_outcome(const char *who, const struct outcome *outcome)
{
    print_message("  %s: %c %#" PRIx64 " %#" PRIx64 " %#" PRIx64 " %s\n", who, outcome->kind,
                  outcome->value[0], outcome->value[1], outcome->value[2], outcome->digit);
}

static void print_difference(struct rig *rig, unsigned int number, const struct outcome *ours)
{
    const struct case_sector *test = &rig->test[number];

    if (rig->quiet || rig->differing > 5)
        return;
    print_message("ORACLE_SEED=%#" PRIx64 ": access %u, flags %#x, va %#" PRIx64 "\n",
                  rig->seed[number], test->access, test->flags, test->va);
    print_outcome("ours ", ours);
    print_outcome("Bochs", &rig->seen[number]);
    for (unsigned int i = 0; i < test->pokes; i++)
        print_message("  %#" PRIx64 ": %#" PRIx64 "\n", test->poke[i].pa, test->poke[i].value);
}

static void compare(struct rig *rig, unsigned int number)
{
    struct case_sector *test = &rig->test[number];
    struct x86_answer answer;
    bool own = x86_case_answer(&rig->model, test, &answer);
    struct outcome ours = expected(test, &answer), seen = rig->seen[number];

    rig->kinds[(unsigned char)ours.kind]++;
    if (own && (deviation(rig, test, &answer, &ours, &seen) || same(&ours, &seen)))
        return;
    rig->differing++;
    print_difference(rig, number, &ours);
}

/* ---- tests ---- */

static struct rig *ready(void **state)
{
    struct rig *rig = *state;

    if (rig->absent) {
        print_message("skipped: " NO_BOCHS "\n");
        skip();
    }
    rig->differing = 0;
    return rig;
}

static void the_walkers_agree_with_bochs_in_5000_cases(void **state)
{
    struct rig *rig = ready(state);

    for (unsigned int i = 0; i < rig->count; i++)
        compare(rig, i);
    print_message("%u cases from seed %#" PRIx64 ": %u translate, %u exceptions, %u violations, %u "
                  "misconfigurations\ndeviations of Bochs: %u bit 12, %u flag updates, %u "
                  "qualifications without the read\n",
                  rig->count, rig->seed[0], rig->kinds['o'], rig->kinds['x'], rig->kinds['v'],
                  rig->kinds['m'], rig->deviations[0], rig->deviations[1], rig->deviations[2]);
    assert_int_equal(rig->differing, 0);
    if (rig->count == 1)
        return;
    assert_true(rig->kinds['o'] > 1000 && rig->kinds['x'] > 500 && rig->kinds['v'] > 500 &&
                rig->kinds['m'] > 100);
    assert_true(rig->deviations[0] + rig->deviations[1] < 200);
}

static void expect_notice(void **state, enum oracle_fault fault)
{
    struct rig *rig = ready(state);

    if (rig->count == 1) /* ORACLE_SEED */
        skip();
    rig->quiet = true;
    oracle_seed_fault(fault);
    for (unsigned int i = 0; i < rig->count && rig->differing == 0; i++)
        compare(rig, i);
    oracle_seed_fault(FAULT_NONE);
    assert_int_not_equal(rig->differing, 0);
}

#define NOTICES(name, fault)                                                                       \
    static void bochs_notices_a_walker_that_##name(void **state)                                   \
    {                                                                                              \
        expect_notice(state, fault);                                                               \
    }

NOTICES(ignores_reserved_bits, FAULT_X86_IGNORES_RESERVED)
NOTICES(ignores_rights_of_guest_tables, FAULT_X86_IGNORES_TABLE_RIGHTS)
NOTICES(ignores_execute_disable, FAULT_X86_IGNORES_XD)
NOTICES(takes_write_only_ept_entries, FAULT_EPT_ALLOWS_WRITE_ONLY)
NOTICES(executes_what_ept_lets_read, FAULT_EPT_EXECUTES_READABLE)
NOTICES(reads_guest_tables_without_writing, FAULT_EPT_TABLE_READS_NEED_NO_WRITE)
NOTICES(ignores_rights_of_ept_tables, FAULT_EPT_IGNORES_TABLE_RIGHTS)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_walkers_agree_with_bochs_in_5000_cases),
        cmocka_unit_test(bochs_notices_a_walker_that_ignores_reserved_bits),
        cmocka_unit_test(bochs_notices_a_walker_that_ignores_rights_of_guest_tables),
        cmocka_unit_test(bochs_notices_a_walker_that_ignores_execute_disable),
        cmocka_unit_test(bochs_notices_a_walker_that_takes_write_only_ept_entries),
        cmocka_unit_test(bochs_notices_a_walker_that_executes_what_ept_lets_read),
        cmocka_unit_test(bochs_notices_a_walker_that_reads_guest_tables_without_writing),
        cmocka_unit_test(bochs_notices_a_walker_that_ignores_rights_of_ept_tables),
    };

    return cmocka_run_group_tests_name("oracle/bochs", tests, open_rig, close_rig);
}
