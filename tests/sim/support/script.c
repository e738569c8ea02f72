/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/support/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct trace_header *script_header(struct trace_source *source)
{
    return &((struct script *)((char *)source - offsetof(struct script, source)))->header;
}

static int script_next(struct trace_source *source, struct trace_block *block,
                       struct trace_error *error)
{
    struct script *script = (struct script *)((char *)source - offsetof(struct script, source));

    (void)error;
    if (script->served)
        return 0;
    script->served = true;
    *block = (struct trace_block){
        .rec = script->rec,
        .count = script->count,
        .events = script->event,
        .event_count = script->event_count,
        .text = "",
        .text_size = 1,
        .sites = script->site,
        .site_count = script->site_count,
    };
    return 1;
}

static void script_close(struct trace_source *source)
{
    (void)source;
}

void script_init(struct script *script)
{
    memset(script, 0, sizeof(*script));
    script->ram = (struct trace_range){SCRIPT_RAM, SCRIPT_RAM + (UINT64_C(64) << 20)};
    script->header = (struct trace_header){
        .arch = TRACE_ARCH_ARM64,
        .cpus = 2,
        .page_shift = 12,
        .linear_start = SCRIPT_LINEAR,
        .linear_end = SCRIPT_LINEAR + (UINT64_C(64) << 20),
        .linear_pa = SCRIPT_RAM,
        .text = SCRIPT_PC,
        .ram = &script->ram,
        .ram_count = 1,
        .extable = script->extable,
    };
    script->source = (struct trace_source){script_header, script_next, script_close};
    sim_config_init(&script->config);
}

void script_init_x86(struct script *script)
{
    script_init(script);
    script->header.arch = TRACE_ARCH_X86_64;
}

uint64_t script_pc(uint32_t site)
{
    return SCRIPT_PC + 16 * (uint64_t)site;
}

uint64_t script_va(uint64_t page, uint64_t offset)
{
    return SCRIPT_LINEAR + page * SCRIPT_PAGE + offset;
}

uint32_t script_site(struct script *script, unsigned int size_log2, bool store, bool zeropad,
                     bool fixup)
{
    uint32_t site = (uint32_t)script->site_count++;

    assert_true(site < SCRIPT_SITES);
    script->site[site] = (struct trace_site){
        .pc = script_pc(site), .size_log2 = (uint8_t)size_log2, .store = store, .zeropad = zeropad};
    if (fixup)
        script->extable[script->header.extable_count++] = (struct trace_extable){
            .pc = script_pc(site), .fixup = script_pc(site) + 8, .type = zeropad ? 4 : 2};
    return site;
}

static struct trace_rec *add_record(struct script *script, enum trace_kind kind, unsigned int cpu,
                                    uint64_t addr)
{
    struct trace_rec *rec = &script->rec[script->count++];

    assert_true(script->count <= SCRIPT_RECORDS);
    *rec = (struct trace_rec){.addr = addr, .kind = (uint8_t)kind, .cpu = (uint8_t)cpu};
    return rec;
}

static struct trace_event *add_event(struct script *script, enum trace_kind kind, uint64_t addr)
{
    add_record(script, kind, 0, addr)->site = (uint32_t)script->event_count;
    return &script->event[script->event_count++];
}

void script_access(struct script *script, unsigned int cpu, uint32_t site, uint64_t va)
{
    add_record(script, TRACE_ACCESS, cpu, va)->site = site;
}

void script_donate(struct script *script, uint64_t page, enum trace_owner owner, uint64_t flags)
{
    struct trace_event *event = add_event(script, TRACE_DONATE, SCRIPT_RAM + page * SCRIPT_PAGE);

    event->a = 1;
    event->b = flags;
    event->owner = owner;
}

void script_reclaim(struct script *script, uint64_t page, enum trace_owner owner)
{
    struct trace_event *event = add_event(script, TRACE_RECLAIM, SCRIPT_RAM + page * SCRIPT_PAGE);

    event->a = 1;
    event->owner = owner;
}

void script_kfault(struct script *script, uint32_t site, uint64_t far)
{
    struct trace_event *event = add_event(script, TRACE_KFAULT, far);

    event->a = script_pc(site);
    event->b = 0x96000007;
    event->c = TRACE_OUTCOME_REPAIRED;
}

void script_event(struct script *script, enum trace_kind kind, uint64_t addr, uint64_t a,
                  uint64_t b)
{
    struct trace_event *event = add_event(script, kind, addr);

    event->a = a;
    event->b = b;
}

void script_set(struct script *script, const char *assignment)
{
    struct sim_error error;

    assert_int_equal(sim_config_set(&script->config, assignment, &error), SIM_OK);
}

enum sim_status script_try(struct script *script, const char *strategy, struct sim_result *result,
                           struct sim_error *error)
{
    const struct sim_strategy *chosen = sim_strategy_find(strategy);
    struct sim *sim;

    assert_non_null(chosen);
    script->served = false;
    enum sim_status status = sim_open(&sim, &script->config, chosen, &script->header, error);

    if (status != SIM_OK)
        return status;
    status = sim_replay(sim, &script->source, NULL, NULL, error);
    sim_result(sim, result);
    sim_close(sim);
    return status;
}

void script_run(struct script *script, const char *strategy, struct sim_result *result)
{
    struct sim_error error = {0};

    if (script_try(script, strategy, result, &error) != SIM_OK)
        fail_msg("%s: %s", strategy, error.text);
}
