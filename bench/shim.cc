// SPDX-License-Identifier: GPL-2.0-or-later
// The C++ side of the benchmarks, and the only one: rows in, Google Benchmark runs them, table out.
#include "bench/shim.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <string>
#include <vector>

namespace
{

struct Row {
    shim_row row;
    std::vector<double> ns;                    // of one operation, one sample for each pass
    std::vector<double> chase, memset, anchor; // anchor: its time here, by the references
    double least;                              // ns of the fastest pass
    unsigned int locks, hot, cold;             // of one operation of the anchor
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

double memset_ns()
{
    alignas(4096) static unsigned char page[4096];
    const unsigned pages = 5000;
    const double start = now_ns();

    for (unsigned i = 0; i < pages; i++) {
        std::memset(page, 0, sizeof page);
        benchmark::DoNotOptimize(page);
        benchmark::ClobberMemory();
    }
    return (now_ns() - start) / pages;
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

double wipe_ns()
{
    static std::vector<unsigned char> memory(16384 * 4096, 1);
    const double start = now_ns();

    for (size_t at = 0; at < memory.size(); at += 4096) {
        std::memset(&memory[at], 0, 4096);
        benchmark::ClobberMemory();
    }
    return (now_ns() - start) * 4096 / static_cast<double>(memory.size());
}

double median_of_5(double (*measure)())
{
    std::vector<double> v;

    for (int i = 0; i < 5; i++)
        v.push_back(measure());
    return median(v);
}

void run_row(benchmark::State &state, Row *row)
{
    const shim_row &r = row->row;
    const double chase = median_of_5(chase_ns), set = median_of_5(memset_ns);
    const double lock = median_of_5(lock_ns);
    const double wipe = row->cold ? median_of_5(wipe_ns) : 0;
    const double bound = row->locks * SHIM_ANCHOR_LOCK_NS + row->hot * SHIM_ANCHOR_MEMSET_NS +
                         row->cold * SHIM_ANCHOR_WIPE_NS;
    std::vector<double> samples;

    for (auto _ : state) {
        if (r.prepare)
            r.prepare(r.arg);
        const double start = now_ns();
        const uint64_t ops = r.run(r.arg);
        const double spent = now_ns() - start;
        if (r.finish)
            r.finish(r.arg);
        state.SetIterationTime(spent * 1e-9);
        samples.push_back(spent / static_cast<double>(ops ? ops : 1));
    }
    const double ns = median(samples);
    const double least = *std::min_element(samples.begin(), samples.end());
    row->least = row->ns.empty() ? least : std::min(row->least, least);
    row->ns.push_back(ns);
    row->chase.push_back(ns / chase);
    row->memset.push_back(ns / set);
    row->anchor.push_back((r.anchor_ns - bound) / SHIM_ANCHOR_CHASE_NS * chase + row->locks * lock +
                          row->hot * set + row->cold * wipe);
    state.counters["ns_per_op"] = ns;
    state.counters["min_ns_per_op"] = least;
    state.counters["x_chase"] = ns / chase;
    state.counters["x_memset"] = ns / set;
    state.counters["chase_ns"] = chase;
    state.counters["memset_ns"] = set;
    state.counters["lock_ns"] = lock;
    if (r.anchor_ns > 0) {
        state.counters["anchor_ns"] = r.anchor_ns;
        state.counters["anchor_x_chase"] = r.anchor_ns / SHIM_ANCHOR_CHASE_NS;
    }
}

void print_row(const Row &row)
{
    const double ns = median(row.ns), chase = median(row.chase), set = median(row.memset);

    std::printf("%-46s %9.2f %9.2f %8.2f %8.3f", row.row.name, ns, row.least, chase, set);
    if (row.row.anchor_ns > 0) {
        const double anchor = row.row.anchor_ns / SHIM_ANCHOR_CHASE_NS;

        std::printf(" %9.1f %8.1f %8.3f %7.2f", row.row.anchor_ns, anchor,
                    row.row.anchor_ns / SHIM_ANCHOR_MEMSET_NS, ns / median(row.anchor));
    }
    if (row.row.goal_ns > 0)
        std::printf("  goal %.1f ns: %s", row.row.goal_ns,
                    ns <= row.row.goal_ns ? "met" : "MISSED");
    std::printf("\n");
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
    std::printf(
        "references: chase %.2f ns a load, memset %.1f ns for 4 KiB, lock %.2f ns, wipe %.0f "
        "ns for 4 KiB\n",
        median_of_5(chase_ns), median_of_5(memset_ns), median_of_5(lock_ns), median_of_5(wipe_ns));
    std::printf("%-46s %9s %9s %8s %8s %9s %8s %8s %7s\n", "", "ns", "min", "xchase", "xmemset",
                "anchor ns", "xchase", "xmemset", "us/them");
    for (const Row &row : shim().rows) {
        if (!row.ns.empty())
            print_row(row);
    }
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
    shim().rows.push_back(Row{*row, {}, {}, {}, {}, 0, 0, 0, 0});
}

extern "C" void shim_bound(const char *row, unsigned int locks, unsigned int hot, unsigned int cold)
{
    for (Row &other : shim().rows) {
        if (std::strcmp(other.row.name, row) == 0)
            other.locks = locks, other.hot = hot, other.cold = cold;
    }
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
    print_table(title);
    return 0;
}
