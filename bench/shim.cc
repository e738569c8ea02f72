// SPDX-License-Identifier: GPL-2.0-or-later
// The C++ side of the benchmarks, and the only one: rows in, Google Benchmark runs them, table out.
#include "bench/shim.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <string>
#include <sys/mman.h>
#include <vector>

namespace
{

enum { CHASE, LOCK, ZEROED, REFERENCES = ZEROED + 3 }; // from ZEROED on as enum shim_zeroed

// The least of all measurements so far.
struct Least {
    double ns = 0;

    void take(double v)
    {
        ns = ns > 0 ? std::min(ns, v) : v;
    }
};

struct Row {
    shim_row row;
    unsigned int locks, pages; // of one operation of the anchor
    shim_zeroed where;
    std::vector<double> ns;      // of one operation, the median of each repetition
    Least least, unzeroed;       // of the passes, and of those with nothing zeroed
    Least reference[REFERENCES]; // around the row's passes
};

struct Figure {
    std::string name;
    double value;
    std::string unit;
};

struct Ratio {
    std::string name, row, base;
};

struct Shim {
    std::deque<Row> rows; // stable addresses
    std::vector<Figure> figures;
    std::vector<Ratio> ratios;
    void (*unzero)(void *, bool) = nullptr;
    void *unzero_arg = nullptr;
};

Shim &shim()
{
    static Shim instance;
    return instance;
}

// CPU time of this thread: other processes on the machine do not count.
double now_ns()
{
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e9 * static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec);
}

double median(std::vector<double> v)
{
    if (v.empty())
        return 0;
    std::nth_element(v.begin(), v.begin() + static_cast<long>(v.size() / 2), v.end());
    return v[v.size() / 2];
}

uint64_t next_random(uint64_t &x)
{
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

// One cycle through all 512 pointers (Sattolo).
std::vector<void *> make_chase()
{
    std::vector<void *> cell(512);
    std::vector<size_t> next(512);
    uint64_t seed = 42;

    for (size_t i = 0; i < 512; i++)
        next[i] = i;
    for (size_t i = 511; i > 0; i--)
        std::swap(next[i], next[next_random(seed) % i]);
    for (size_t i = 0; i < 512; i++)
        cell[i] = &cell[next[i]];
    return cell;
}

double chase_ns()
{
    static const std::vector<void *> cell = make_chase();
    const unsigned loads = 200000;
    const void *p = &cell[0];
    const double start = now_ns();

    for (unsigned i = 0; i < loads; i++)
        p = *static_cast<void *const *>(p);
    benchmark::DoNotOptimize(p);
    return (now_ns() - start) / loads;
}

double lock_ns()
{
    static struct {
        std::atomic<uint16_t> next, owner;
    } lock;
    const unsigned takes = 200000;
    const double start = now_ns();

    for (unsigned i = 0; i < takes; i++) {
        const uint16_t ticket = lock.next.fetch_add(1, std::memory_order_relaxed);

        while (lock.owner.load(std::memory_order_acquire) != ticket)
            ;
        lock.owner.store(static_cast<uint16_t>(ticket + 1), std::memory_order_release);
    }
    return (now_ns() - start) / takes;
}

// Mapped by pages of 4 KiB, as the memory of the rows is, and touched. Never freed.
unsigned char *make_pages(size_t pages)
{
    void *memory =
        mmap(nullptr, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        std::perror("mmap");
        std::exit(4);
    }
    madvise(memory, pages * 4096, MADV_NOHUGEPAGE);
    std::memset(memory, 1, pages * 4096);
    return static_cast<unsigned char *>(memory);
}

// A page, of blocks of so many pages that are zeroed in order until there are `pages`, and again.
double zero_ns(size_t block, size_t pages, unsigned rounds)
{
    static unsigned char *const memory = make_pages(16384);
    static void *(*volatile const zero)(void *, int, size_t) = std::memset; // never inline
    const double start = now_ns();

    for (unsigned i = 0; i < rounds; i++) {
        for (size_t at = 0; at < pages; at += block)
            zero(memory + at * 4096, 0, block * 4096);
    }
    return (now_ns() - start) / (static_cast<double>(pages) * rounds);
}

const struct {
    const char *name, *what;
    double (*measure)();
    double anchor;
} references[REFERENCES] = {
    {"chase", "a load", chase_ns, SHIM_ANCHOR_CHASE_NS},
    {"lock", "a lock", lock_ns, SHIM_ANCHOR_LOCK_NS},
    {"memset", "a page", [] { return zero_ns(1, 1, 5000); }, SHIM_ANCHOR_MEMSET_NS},
    {"l3", "a page", [] { return zero_ns(128, 2048, 2); }, SHIM_ANCHOR_L3_NS},
    {"wipe", "a page", [] { return zero_ns(1, 16384, 1); }, SHIM_ANCHOR_WIPE_NS},
};

unsigned zeroed(const Row &row)
{
    return ZEROED + static_cast<unsigned>(row.where);
}

void measure_references(Row *row)
{
    for (int i = 0; i < 5; i++) {
        for (unsigned k = 0; k < REFERENCES; k++) {
            if (k <= ZEROED || (row->pages && k == zeroed(*row)))
                row->reference[k].take(references[k].measure());
        }
    }
}

// ns of one operation in one pass; `spent`: of the pass.
double one_pass(const shim_row &r, double *spent)
{
    if (r.prepare)
        r.prepare(r.arg);
    const double start = now_ns();
    const uint64_t ops = r.run(r.arg);
    *spent = now_ns() - start;
    if (r.finish)
        r.finish(r.arg);
    return *spent / static_cast<double>(ops ? ops : 1);
}

void pass_unzeroed(Row *row)
{
    double spent;

    if (!row->pages || !shim().unzero)
        return;
    shim().unzero(shim().unzero_arg, true);
    for (int i = 0; i < 3; i++)
        row->unzeroed.take(one_pass(row->row, &spent));
    shim().unzero(shim().unzero_arg, false);
}

void run_row(benchmark::State &state, Row *row)
{
    std::vector<double> samples;
    double spent;

    measure_references(row);
    for (auto _ : state) {
        samples.push_back(one_pass(row->row, &spent));
        row->least.take(samples.back());
        state.SetIterationTime(spent * 1e-9);
    }
    pass_unzeroed(row);
    measure_references(row);
    row->ns.push_back(median(samples));
    state.counters["ns_per_op"] = row->ns.back();
    state.counters["min_ns_per_op"] = row->least.ns;
    for (unsigned k = 0; k < REFERENCES; k++) {
        if (row->reference[k].ns > 0)
            state.counters[std::string(references[k].name) + "_ns"] = row->reference[k].ns;
    }
    if (row->row.anchor_ns > 0)
        state.counters["anchor_ns"] = row->row.anchor_ns;
    if (row->unzeroed.ns > 0)
        state.counters["unzeroed_ns_per_op"] = row->unzeroed.ns;
}

// What the anchor would take here, by the references, and what of it is not zeroing.
struct Theirs {
    double all, unzeroed;
};

Theirs theirs(const Row &row)
{
    const double locks = row.locks * references[LOCK].anchor;
    const double zeroing = row.pages * references[zeroed(row)].anchor;
    const double rest =
        (row.row.anchor_ns - locks - zeroing) / references[CHASE].anchor * row.reference[CHASE].ns +
        row.locks * row.reference[LOCK].ns;

    return {rest + row.pages * row.reference[zeroed(row)].ns, rest};
}

// Both zero with the same function: what is compared is the rest.
bool slower(const Row &row)
{
    const bool cold = row.pages && row.where != SHIM_MEMSET;
    const double ratio = row.unzeroed.ns > 0 ? row.unzeroed.ns / theirs(row).unzeroed
                                             : row.least.ns / theirs(row).all;

    return ratio > 1 + (cold ? SHIM_ANCHOR_COLD_SPREAD : SHIM_ANCHOR_SPREAD);
}

void print_row(const Row &row)
{
    std::printf("%-46s %10.2f %10.2f %9.2f", row.row.name, median(row.ns), row.least.ns,
                row.least.ns / row.reference[CHASE].ns);
    if (row.row.anchor_ns > 0) {
        std::printf(" %9.1f %9.2f %7.2f", row.row.anchor_ns,
                    row.row.anchor_ns / references[CHASE].anchor, row.least.ns / theirs(row).all);
        if (row.unzeroed.ns > 0)
            std::printf(" %9.2f %7.2f", row.unzeroed.ns, row.unzeroed.ns / theirs(row).unzeroed);
    }
    if (row.row.goal_ns > 0)
        std::printf("  goal %.1f ns: %s", row.row.goal_ns,
                    median(row.ns) <= row.row.goal_ns ? "met" : "MISSED");
    std::printf("\n");
}

// Other work on the machine only ever adds time: a row that seems slower gets up to ten more
// seconds to show a pass that was left in peace.
void run_again(Row *row)
{
    const double end = now_ns() + 10e9;
    double spent;

    while (slower(*row) && now_ns() < end) {
        for (double passes = 0; passes < 0.3e9; passes += spent)
            row->least.take(one_pass(row->row, &spent));
        pass_unzeroed(row);
        measure_references(row);
    }
}

// The question of the whole table, answered.
void print_slower()
{
    unsigned compared = 0;
    std::string names;

    for (const Row &row : shim().rows) {
        if (row.ns.empty() || row.row.anchor_ns <= 0)
            continue;
        compared++;
        if (slower(row))
            names += std::string(names.empty() ? "" : "; ") + row.row.name;
    }
    if (compared)
        std::printf("of %u rows slower than the anchor, zeroing apart, by more than its spread of "
                    "%.0f %% (%.0f %% in rows of cold pages): %s\n",
                    compared, 100 * SHIM_ANCHOR_SPREAD, 100 * SHIM_ANCHOR_COLD_SPREAD,
                    names.empty() ? "none" : names.c_str());
}

// Median of the row of this name; 0 when it did not run.
double median_of(const std::string &name)
{
    for (const Row &row : shim().rows) {
        if (row.row.name == name && !row.ns.empty())
            return median(row.ns);
    }
    return 0;
}

void print_table(const char *title)
{
    std::printf("\n%s\n", title);
    std::printf("references, here (the anchor's), ns:");
    for (unsigned k = 0; k < REFERENCES; k++) {
        Least least;

        for (const Row &row : shim().rows) {
            if (row.reference[k].ns > 0)
                least.take(row.reference[k].ns);
        }
        if (least.ns > 0)
            std::printf(" %s %.2f (%.2f) %s;", references[k].name, least.ns, references[k].anchor,
                        references[k].what);
    }
    std::printf("\n%-46s %10s %10s %9s %9s %9s %7s %9s %7s\n", "", "ns", "min", "min/chase",
                "anchor ns", "/chase", "us/them", "unzeroed", "us/them");
    for (const Row &row : shim().rows) {
        if (!row.ns.empty())
            print_row(row);
    }
    print_slower();
    for (const Figure &f : shim().figures)
        std::printf("%-46s %14.3f %s\n", f.name.c_str(), f.value, f.unit.c_str());
    for (const Ratio &r : shim().ratios) {
        const double base = median_of(r.base);

        if (base > 0)
            std::printf("%-46s %14.2f times\n", r.name.c_str(), median_of(r.row) / base);
    }
}

// The table is the output; the library's own goes to the JSON file.
class Quiet : public benchmark::BenchmarkReporter
{
  public:
    bool ReportContext(const Context &) override
    {
        return true;
    }
    void ReportRuns(const std::vector<Run> &runs) override
    {
        for (const Run &run : runs) {
            if (run.error_occurred)
                std::fprintf(stderr, "%s: %s\n", run.benchmark_name().c_str(),
                             run.error_message.c_str());
        }
    }
};

bool given(int argc, char **argv, const char *option)
{
    return std::any_of(argv, argv + argc, [=](const char *a) {
        return std::strncmp(a, option, std::strlen(option)) == 0;
    });
}

} // namespace

extern "C" void shim_register(const struct shim_row *row)
{
    shim().rows.push_back(Row{*row, 0, 0, SHIM_MEMSET, {}, {}, {}, {}});
}

extern "C" void shim_bound(const char *row, unsigned int locks, unsigned int pages,
                           enum shim_zeroed where)
{
    for (Row &other : shim().rows) {
        if (std::strcmp(other.row.name, row) == 0)
            other.locks = locks, other.pages = pages, other.where = where;
    }
}

extern "C" void shim_without_zeroing(void (*set)(void *arg, bool off), void *arg)
{
    shim().unzero = set;
    shim().unzero_arg = arg;
}

extern "C" void shim_figure(const char *name, double value, const char *unit)
{
    shim().figures.push_back(Figure{name, value, unit});
}

extern "C" void shim_ratio(const char *name, const char *row, const char *base)
{
    shim().ratios.push_back(Ratio{name, row, base});
}

extern "C" int shim_main(int argc, char **argv, const char *title)
{
    std::vector<char *> args(argv, argv + argc);
    std::string repetitions = "--benchmark_repetitions=5", time = "--benchmark_min_time=0.05";

    if (!given(argc, argv, "--benchmark_repetitions"))
        args.push_back(&repetitions[0]);
    if (!given(argc, argv, "--benchmark_min_time"))
        args.push_back(&time[0]);
    int count = static_cast<int>(args.size());

    for (Row &row : shim().rows) {
        Row *r = &row;
        benchmark::RegisterBenchmark(row.row.name, [r](benchmark::State &s) {
            run_row(s, r);
        })->UseManualTime();
    }
    benchmark::Initialize(&count, args.data());
    if (benchmark::ReportUnrecognizedArguments(count, args.data()))
        return 2;
    Quiet quiet;
    benchmark::RunSpecifiedBenchmarks(&quiet);
    for (Row &row : shim().rows) {
        if (!row.ns.empty() && row.row.anchor_ns > 0)
            run_again(&row);
    }
    print_table(title);
    return 0;
}
