/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events without an access stream (ftrace text, perf script, trace.dat), and the console of a host
 * that died.
 *
 * Text alone gives events in the order of its lines. A console gives the memory that a pKVM host
 * handed to its hypervisor, and the page that killed it. A list of the host's entries into the
 * hypervisor beside it gives order: the hypercalls say when the gifts changed hands, and each
 * abort is an access that the host made.
 */
#include <ctype.h>

#include "traces/import.h"

/* ESR_ELx, ISS of a data abort (DDI 0487, ESR_EL2): ISV, SAS, WnR. */
#define ESR_ISV       (1u << 24)
#define ESR_SAS_SHIFT 22
#define ESR_WNR       (1u << 6)

struct panic {
    uint64_t far; /* 0: the console has no panic of the hypervisor */
    uint32_t task;
    unsigned int cpu;
    char function[96]; /* that the host was in */
};

/* The directory of a file, to be freed. */
static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 1;
    char *dir = calloc(length + 2, 1);

    if (dir)
        memcpy(dir, slash ? path : ".", length ? length : 1);
    return dir;
}

/* One line of the console, after its time stamp. */
static void panic_line(struct panic *panic, const char *text, bool *handler)
{
    const char *at = strstr(text, "FAR:");

    if (at && strstr(at, " HPFAR:"))
        panic->far = strtoull(at + 4, NULL, 16);
    at = strstr(text, "CPU: ");
    if (at && strstr(at, " PID: ")) {
        panic->cpu = (unsigned int)strtoul(at + 5, NULL, 10) % IMPORT_CPUS;
        panic->task = (uint32_t)strtoul(strstr(at, " PID: ") + 6, NULL, 10);
    }
    at = strstr(text, "]  ");
    if (*handler && at && panic->function[0] == '\0')
        snprintf(panic->function, sizeof(panic->function), "%.*s", (int)strcspn(at + 3, "+ "),
                 at + 3);
    *handler |= strstr(text, "nvhe_hyp_panic_handler+") != NULL;
}

static int read_panic(struct panic *panic, const char *path, struct trace_error *error)
{
    struct trace_input *input = trace_input_open(path, error);
    bool handler = false;
    char *line;
    int status;

    *panic = (struct panic){0};
    if (!input)
        return -1;
    while ((status = trace_input_line(input, &line, error)) == 1)
        panic_line(panic, line, &handler);
    trace_input_close(input);
    return status;
}

/* The first zeropad load of the function in the list of facts.txt: "address data function+0x..". */
static uint64_t first_zeropad(const char *facts, const char *function)
{
    const char *at = strstr(facts, "[load_unaligned_zeropad]");
    size_t length = strlen(function);

    while (at && length && (at = strchr(at, '\n')) != NULL && at[1] != '[') {
        const char *name = ++at;

        for (int blanks = 0; *name && *name != '\n' && blanks < 2; name++)
            blanks += *name == ' ';
        if (isxdigit((unsigned char)*at) && strncmp(name, function, length) == 0 &&
            name[length] == '+')
            return strtoull(at, NULL, 16);
    }
    return 0;
}

/* The load that reached into a page of the hypervisor, and what came of it. */
static int put_panic(struct importer *importer, const struct panic *panic, uint64_t pc,
                     uint64_t esr, struct trace_error *error)
{
    struct trace_event event = {.a = pc, .b = esr, .c = TRACE_OUTCOME_PANIC, .task = panic->task};

    if (rec_is_zeropad(&importer->plan.header, pc) &&
        importer_attempt(importer, pc, panic->far, error) < 0)
        return -1;
    return importer_put(importer, TRACE_KFAULT, panic->far, &event, NULL, error);
}

static int put_mark(struct importer *importer, enum trace_mark mark, const char *text,
                    struct trace_error *error)
{
    return importer_put(importer, TRACE_MARK, 0, &(struct trace_event){.a = mark}, text, error);
}

/* ---- text alone ---- */

/* The two steps of a VM's creation, when its third gift has been taken. */
static int put_vm(struct importer *importer, size_t vm, const struct rec_line *line,
                  struct trace_error *error)
{
    struct import_moment moment = {
        .clock = line->time, .line = IMPORT_NO_LINE, .op = ZPREC_HYPERCALL, .cpu = line->cpu};

    for (uint32_t step = IMPORT_VM_CREATE; step <= IMPORT_VM_VCPU; step++) {
        moment.mate = (uint32_t)vm * 4 + step;
        if (importer_moment(importer, &moment, error) < 0)
            return -1;
    }
    return 0;
}

static int put_lines(struct importer *importer, struct trace_error *error)
{
    size_t gifts = 0;

    for (size_t i = 0; i < importer->plan.count; i++) {
        const struct import_moment *moment = &importer->plan.moment[i];
        const struct rec_line *line = &importer->plan.text.line[moment->line];

        importer->cpu = moment->cpu;
        importer->clock = moment->clock;
        if (importer_moment(importer, moment, error) < 0)
            return -1;
        if (line->event == REC_GIVE_AT && line->caller == REC_CALLER_CREATE_VM &&
            ++gifts % 3 == 0 && put_vm(importer, gifts / 3 - 1, line, error) < 0)
            return -1;
    }
    return 0;
}

/* ---- with the entries into the hypervisor ---- */

struct entry {
    unsigned int cpu;
    bool hypercall, data, fetch;
    uint64_t esr, far, pc;
};

/* "CPU kind ESR FAR PC"; the address is - for anything but an abort. */
static bool parse_entry(const char *line, struct entry *entry)
{
    char kind[32], far[32];
    unsigned long long esr, pc;

    if (sscanf(line, "%u %31s 0x%llx %31s 0x%llx", &entry->cpu, kind, &esr, far, &pc) != 5 ||
        entry->cpu >= IMPORT_CPUS)
        return false;
    entry->hypercall = strcmp(kind, "Hypervisor-Call") == 0;
    entry->data = strcmp(kind, "Data-Abort") == 0;
    entry->fetch = strcmp(kind, "Prefetch-Abort") == 0;
    entry->esr = esr;
    entry->far = strtoull(far, NULL, 16);
    entry->pc = pc;
    return (far[0] != '-') == (entry->data || entry->fetch);
}

/*
 * A fetch becomes a load of an instruction; an abort that does not tell its size, one byte. The
 * list has no translations, so aborts outside the direct map cannot be replayed and are left out.
 */
static int put_abort(struct importer *importer, const struct entry *entry,
                     struct trace_error *error)
{
    const struct trace_header *header = &importer->plan.header;
    struct trace_site site = {
        .pc = entry->pc,
        .size_log2 = entry->fetch           ? 2
                     : entry->esr & ESR_ISV ? (uint8_t)(entry->esr >> ESR_SAS_SHIFT & 3)
                                            : 0,
        .store = entry->data && (entry->esr & ESR_WNR),
    };

    if (entry->far < header->linear_start || entry->far >= header->linear_end)
        return 0;
    return importer_access(importer, &site, trace_write_site(importer->writer, &site), entry->far,
                           error);
}

struct entries {
    uint64_t create_start, create_end; /* pkvm_create_hyp_vm */
    uint64_t calls;                    /* of it so far */
    uint64_t killers;                  /* aborts at the panic's address so far and in all */
    uint64_t killers_all;
    unsigned int cpus; /* one more than the highest that entered */
};

/* The address of the instruction after a hypercall is recorded. */
static int put_call(struct importer *importer, struct entries *entries, const struct entry *entry,
                    struct trace_error *error)
{
    struct import_moment moment = {
        .a = entry->pc - 4, .line = IMPORT_NO_LINE, .mate = IMPORT_NO_LINE, .op = ZPREC_HYPERCALL};

    if (moment.a >= entries->create_start && moment.a < entries->create_end) {
        if (entries->calls / 2 >= importer->plan.vm_count)
            return trace_fail(error, "more hypercalls of pkvm_create_hyp_vm than the %zu VMs of %s",
                              importer->plan.vm_count, importer->from);
        moment.mate = (uint32_t)(entries->calls / 2 * 4 + entries->calls % 2);
        entries->calls++;
    }
    return importer_moment(importer, &moment, error);
}

/* Counts (first pass) or writes (second) the entries of the list. */
static int walk_entries(struct importer *importer, struct entries *entries,
                        const struct panic *panic, const char *path, bool write,
                        struct trace_error *error)
{
    struct trace_input *input = trace_input_open(path, error);
    struct entry entry;
    char *line;
    int status = input ? 1 : -1;

    while (status == 1 && (status = trace_input_line(input, &line, error)) == 1) {
        bool killer;

        if (!parse_entry(line, &entry)) {
            status = trace_fail(error, "%s: line %llu: expected CPU, kind, ESR, address, PC", path,
                                (unsigned long long)input->line);
            break;
        }
        if (entry.cpu >= entries->cpus)
            entries->cpus = entry.cpu + 1;
        killer = entry.data && entry.far == panic->far && panic->far;
        entries->killers += killer;
        if (!write)
            continue;
        importer->cpu = entry.cpu;
        if (killer && entries->killers == entries->killers_all) {
            status = put_panic(importer, panic, entry.pc, entry.esr, error);
            break;
        }
        if (entry.hypercall && put_call(importer, entries, &entry, error) < 0)
            status = -1;
        if ((entry.data || entry.fetch) && put_abort(importer, &entry, error) < 0)
            status = -1;
    }
    trace_input_close(input);
    return status;
}

static int put_entries(struct importer *importer, const struct panic *panic, const char *path,
                       const char *facts_dir, struct trace_error *error)
{
    struct entries entries = {0};

    if (rec_find_symbol(facts_dir, "pkvm_create_hyp_vm", &entries.create_start, error) < 0)
        return -1;
    entries.create_end = entries.create_start + importer->plan.text.function;
    if (walk_entries(importer, &entries, panic, path, false, error) < 0)
        return -1;
    entries.killers_all = entries.killers;
    entries.killers = 0;
    if (panic->far && !entries.killers_all)
        return trace_fail(error, "%s: expected an abort at %llx, the FAR of %s", path,
                          (unsigned long long)panic->far, importer->from);
    return walk_entries(importer, &entries, panic, path, true, error);
}

/* ---- both ---- */

static int make_plan(struct import_plan *plan, const char *path, enum rec_dialect dialect,
                     const char *facts_dir, struct trace_error *error)
{
    unsigned int cpus = 1;

    if (rec_read_facts(&plan->header, &plan->page_origin, facts_dir, error) < 0)
        return -1;
    plan->frames = rec_frames(&plan->header);
    if (rec_read_text(&plan->text, path, dialect, error) < 0)
        return -1;
    plan->text.sync = 0; /* nothing comes before */
    for (size_t i = 0; i < plan->text.count; i++)
        cpus = plan->text.line[i].cpu >= cpus ? plan->text.line[i].cpu + 1u : cpus;
    plan->header.cpus = cpus;
    if (import_plan_lines(plan, path, error) < 0)
        return -1;
    return import_plan_gifts(plan, error);
}

/* A CPU may enter the hypervisor without a line on the console. */
static int count_cpus(struct importer *importer, const char *path, struct trace_error *error)
{
    const struct panic none = {0};
    struct entries entries = {0};

    if (walk_entries(importer, &entries, &none, path, false, error) < 0)
        return -1;
    if (entries.cpus > importer->plan.header.cpus)
        importer->plan.header.cpus = entries.cpus;
    return 0;
}

static int put_all(struct importer *importer, enum rec_dialect dialect, const char *entries,
                   const char *facts_dir, struct trace_error *error)
{
    static const char *const names[] = {"ftrace", "console", "perf", "trace.dat"};
    const char *console = dialect == REC_CONSOLE ? importer->from : NULL;
    struct panic panic = {0};
    uint64_t pc;

    if (console && read_panic(&panic, console, error) < 0)
        return -1;
    if (put_mark(importer, TRACE_MARK_START, names[dialect], error) < 0)
        return -1;
    if (entries && put_entries(importer, &panic, entries, facts_dir, error) < 0)
        return -1;
    if (!entries && put_lines(importer, error) < 0)
        return -1;
    importer->cpu = panic.far ? panic.cpu : importer->cpu;
    pc = first_zeropad(importer->plan.header.facts, panic.function);
    if (!entries && panic.far && put_panic(importer, &panic, pc, 0, error) < 0)
        return -1;
    return put_mark(importer, TRACE_MARK_END, panic.far ? "panic" : "end", error);
}

static int import_text(const char *path, const char *entries, enum rec_dialect dialect,
                       const char *facts_dir, const char *out, int level,
                       struct trace_import_stats *stats, struct trace_error *error)
{
    struct importer *importer = calloc(1, sizeof(*importer));
    char *own_dir = facts_dir ? NULL : dir_of(path);
    const char *dir = facts_dir ? facts_dir : own_dir;
    int status;

    *stats = (struct trace_import_stats){0};
    if (!importer || !dir) {
        free(importer);
        free(own_dir);
        return trace_fail(error, "%s: out of memory", path);
    }
    importer->from = path;
    importer->stats = stats;
    status = make_plan(&importer->plan, path, dialect, dir, error);
    if (status == 0 && entries)
        status = count_cpus(importer, entries, error);
    if (status == 0)
        status = importer_open(importer,
                               entries ? "nothing" : "microseconds of the kernel's trace clock",
                               out, level, error);
    if (status == 0)
        status = put_all(importer, dialect, entries, dir, error);
    status = importer_close(importer, status, error);
    free(importer);
    free(own_dir);
    return status;
}

int trace_import_ftrace(const char *path, const char *out, int level,
                        struct trace_import_stats *stats, struct trace_error *error)
{
    return import_text(path, NULL, REC_RECORDING, NULL, out, level, stats, error);
}

int trace_import_perf(const char *path, const char *out, int level,
                      struct trace_import_stats *stats, struct trace_error *error)
{
    return import_text(path, NULL, REC_PERF, NULL, out, level, stats, error);
}

int trace_import_trace_dat(const char *path, const char *out, int level,
                           struct trace_import_stats *stats, struct trace_error *error)
{
    return import_text(path, NULL, REC_TRACE_DAT, NULL, out, level, stats, error);
}

int trace_import_crash(const char *console, const char *entries, const char *facts_dir,
                       const char *out, int level, struct trace_import_stats *stats,
                       struct trace_error *error)
{
    return import_text(console, entries, REC_CONSOLE, facts_dir, out, level, stats, error);
}
