/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each operation with its n-th allocation failing, for each n: it says so, holds nothing
 * afterwards (the sanitizer looks for leaks), and leaves no file behind.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/cmocka_all.h"
#include "tests/traces/support/files.h"
#include "tests/traces/support/maker.h"
#include "tests/traces/support/sample.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *from, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *from, size_t size);

/* Allocations until one fails; negative: none does. */
static long countdown = -1;

static int refuse(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *from, size_t size)
{
    return refuse() ? NULL : __real_realloc(from, size);
}

struct place {
    struct scratch scratch;
    struct sample sample;
};

typedef int operation(struct place *place, struct trace_error *error);

/* Runs it until it succeeds with no allocation refused. */
static void refuse_each(operation *run, const char *output)
{
    struct place place;
    struct maker maker;
    long n = 0;
    int status = -1;

    scratch_make(&place.scratch);
    sample_make(&place.sample, 400, 2);
    sample_write(&place.sample, scratch_path(&place.scratch, "in"), 100);
    maker_begin(&maker);
    maker_print(&maker.donated, "0x40020 guest 3 page 87\n");
    maker_both(&maker, 11, "zpwork-7", "tracing_mark_write: zp sync");
    for (uint32_t i = 0; i < 5; i++)
        maker_access(&maker, maker_site(&maker, MAKER_ZEROPAD + i, MAKER_LOAD_PAD), 1000 * i);
    maker_line(&maker, "zp-vmm-8", "give_size: (f+0/0) size=4096");
    maker_line(&maker, "zp-vmm-8", "give_at: (pkvm_create_hyp_vm+0xb4/0x298) addr=0x%llx",
               (unsigned long long)MAKER_LINEAR);
    maker_hypercall(&maker, MAKER_CREATE + 8);
    maker_both(&maker, 11, "zpwork-7", "tracing_mark_write: zp end");
    maker_end(&maker);
    maker_save(&maker, place.scratch.dir);
    maker_free(&maker);
    while (status < 0) {
        struct trace_error error = {""};

        countdown = n++;
        status = run(&place, &error);
        if (countdown >= 0) /* not reached */
            assert_int_equal(status, 0);
        countdown = -1;
        if (status < 0 && !strstr(error.text, "out of memory"))
            fail_msg("allocation %ld: %s", n, error.text);
        if (status < 0 && output)
            assert_int_equal(access(scratch_path(&place.scratch, output), F_OK), -1);
        assert_true(n < 10000);
    }
    assert_true(n > 3);
    sample_free(&place.sample);
    scratch_remove(&place.scratch);
}

static int write_some(struct place *place, struct trace_error *error)
{
    struct trace_writer *writer =
        trace_create(scratch_path(&place->scratch, "out"), &place->sample.header, 1, error);
    int status = 0;

    if (!writer)
        return -1;
    trace_writer_block(writer, 100);
    for (size_t i = 0; status == 0 && i < place->sample.count; i++) {
        const struct sample_record *record = &place->sample.record[i];

        if (record->kind == TRACE_ACCESS)
            status = trace_write_access(
                writer, record->cpu, trace_write_site(writer, &record->site), record->addr, error);
        else
            status = trace_write_event(writer, record->kind, record->cpu, record->addr,
                                       &record->event, record->text, error);
    }
    if (status == 0)
        return trace_finish(writer, error);
    trace_abandon(writer);
    return -1;
}

static int read_all(struct place *place, struct trace_error *error)
{
    struct trace_source *source = trace_open(scratch_path(&place->scratch, "in"), error);
    struct trace_block block;
    int status;

    if (!source)
        return -1;
    while ((status = source->next(source, &block, error)) == 1)
        ;
    if (status == 0)
        status = trace_seek(source, 250, error);
    source->close(source);
    return status;
}

static int filter_and_summarise(struct place *place, struct trace_error *error)
{
    struct trace_source *source = trace_open(scratch_path(&place->scratch, "in"), error);
    struct trace_filter want = {.from = 0, .to = 3, .cpu = -1};
    struct trace_summary summary;
    int status;

    if (!source)
        return -1;
    source = trace_filter_open(source, &want, error);
    if (!source)
        return -1;
    status = trace_summarise(source, &summary, error);
    trace_summary_free(&summary);
    source->close(source);
    return status;
}

static int import_some(struct place *place, struct trace_error *error)
{
    struct trace_import_stats stats;

    return trace_import_recording(place->scratch.dir, scratch_path(&place->scratch, "out"), 1,
                                  &stats, error);
}

static int import_a_program(struct place *place, struct trace_error *error)
{
    static const char lines[] = "I  04001000,3\n L 1ffeffe7e0,8\n S 04222ffe,8\n";
    struct trace_import_stats stats;

    file_write(scratch_path(&place->scratch, "program"), lines, sizeof(lines) - 1);
    return trace_import_lackey(scratch_path(&place->scratch, "program"),
                               scratch_path(&place->scratch, "out"), 1, &stats, error);
}

static void writing_survives_each_refused_allocation(void **state)
{
    (void)state;
    refuse_each(write_some, "out");
}

static void reading_survives_each_refused_allocation(void **state)
{
    (void)state;
    refuse_each(read_all, NULL);
}

static void filtering_survives_each_refused_allocation(void **state)
{
    (void)state;
    refuse_each(filter_and_summarise, NULL);
}

static void importing_survives_each_refused_allocation(void **state)
{
    (void)state;
    refuse_each(import_some, "out");
    refuse_each(import_a_program, "out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing_survives_each_refused_allocation),
        cmocka_unit_test(reading_survives_each_refused_allocation),
        cmocka_unit_test(filtering_survives_each_refused_allocation),
        cmocka_unit_test(importing_survives_each_refused_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
