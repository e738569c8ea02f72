/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zpwork - the recorded workload.
 *
 *	zpwork MIX SEED		MIX is a, b or p, see below
 *
 * Three processes run side by side, as on a machine that hosts VMs:
 *	lookup		path walks, long symbolic links, directory reads, renames
 *	vmm		gives pages to guests and takes them back.  A guest's memory
 *			is a memfd_secret() file, whose pages the kernel takes out
 *			of its direct map.  For comparison there are guests whose
 *			pages stay in it: a memfd (movable pages) or a pipe
 *			(unmovable pages, as those of memfd_secret() are)
 *	background	pipes, forks, page cache, anonymous memory
 *
 * A word-at-a-time load can cross into the next physical page when the string
 * it reads ends within the last seven bytes of its page.  Symbolic links of 4089
 * to 4095 bytes on tmpfs do that: the text fills one page-cache page.  So do
 * path arguments of 4057 to 4063 bytes, which the kernel stores 32 bytes into
 * a page-sized buffer, and those of 4089 to 4095, stored at its start.  The
 * last three letters are a file name here, so of each seven lengths the four
 * longest always cross.
 */
#define _GNU_SOURCE
#include "zpwork.h"

#include "marker.h"

/* ---- small helpers ---- */

uint64_t rng_state;
static int trace_marker = -1;

uint32_t rnd(uint32_t n)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 32) % n;
}

void die(const char *what)
{
    fprintf(stderr, "zpwork: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void note(const char *fmt, ...)
{
    char line[128];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (trace_marker >= 0 && write(trace_marker, line, n) != n)
        die("trace_marker");
}

void make_file(const char *path, int bytes)
{
    static char zero[8192];
    int fd = open(path, O_CREAT | O_WRONLY, 0644);

    if (fd < 0 || write(fd, zero, bytes) != bytes)
        die(path);
    close(fd);
}

/*
 * The guest has no source of randomness, and a kernel that waits for one hashes
 * its entropy pool for every random number: that would fill the recording.
 */
static void seed_kernel(uint64_t seed)
{
    struct {
        struct rand_pool_info info;
        uint64_t data[8];
    } pool = {{.entropy_count = 512, .buf_size = 64}, {seed}};
    int fd = open("/dev/random", O_WRONLY);

    if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool))
        die("/dev/random");
    close(fd);
}

/* ---- background operations ---- */

static void op_pipe(void)
{
    static char buf[16384];
    int p[2], n = 1 + rnd(sizeof(buf));

    if (pipe(p))
        die("pipe");
    if (write(p[1], buf, n) != n || read(p[0], buf, n) != n)
        die("pipe data");
    close(p[0]);
    close(p[1]);
}

static void op_fork(void)
{
    pid_t pid = fork();

    if (!pid) {
        char *m = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        for (int i = rnd(16); m != MAP_FAILED && i >= 0; i--)
            m[i * PAGE] = 1;
        _exit(0);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
}

static void op_page_cache(void)
{
    static char buf[8192];
    char path[32];
    int fd;

    sprintf(path, "/t/cache%d", rnd(4));
    fd = open(path, O_CREAT | O_RDWR, 0644);
    if (fd < 0)
        die(path);
    if (!rnd(16) && ftruncate(fd, 0))
        die("truncate");
    for (int i = 0; i < 4; i++) {
        off_t at = (off_t)rnd(64) * PAGE + rnd(PAGE);

        if (pwrite(fd, buf, 1 + rnd(sizeof(buf)), at) < 0 || pread(fd, buf, sizeof(buf), at) < 0)
            die(path);
    }
    close(fd);
}

static void op_anon(void)
{
    int pages = 1 + rnd(32);
    char *m = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);

    for (int i = 0; m != MAP_FAILED && i < pages; i++)
        m[(size_t)i * PAGE] = 1;
    munmap(m, (size_t)pages * PAGE);
}

static void op_proc(void)
{
    static const char *const files[] = {"/proc/self/maps", "/proc/self/stat", "/proc/loadavg"};
    char buf[4096];
    int fd = open(files[rnd(3)], O_RDONLY);

    while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
        ;
    close(fd);
}

/* ---- mixes ---- */

struct share {
    void (*op)(void);
    int weight;
};

enum { LOOKUP, VMM, BACKGROUND, N_ROLES };

/*
 * How many operations each role does in a phase, and which.  The roles wait for
 * each other after every round, so that they stay mixed however long a vCPU is
 * left running.
 */
enum { ROUNDS = 10 };

struct phase {
    const char *name;
    enum kind guests;
    struct {
        int ops;
        struct share mix[10];
    } role[N_ROLES];
};

/* clang-format off */
#define LOOKUPS_A                                                                                  \
    {op_stat, 30}, {op_open, 10}, {op_missing, 10}, {op_getdents, 3}, {op_long_path, 4},           \
    {op_rename, 6}, {op_create, 6}
#define LOOKUPS_B                                                                                  \
    {op_stat, 18}, {op_open, 16}, {op_missing, 16}, {op_getdents, 5}, {op_long_path, 2},           \
    {op_rename, 3}, {op_create, 10}
#define BUSY_A {op_pipe, 20}, {op_fork, 2}, {op_page_cache, 12}, {op_anon, 6}, {op_proc, 6}
#define BUSY_B {op_pipe, 12}, {op_fork, 3}, {op_page_cache, 20}, {op_anon, 10}, {op_proc, 3}
/* clang-format on */

static const struct phase mix_a[] = {
    {"setup",
     SECRET,
     {{200, {LOOKUPS_A, {op_walk_link, 10}}},
      {520, {{op_give_and_link, 4}, {op_give, 4}, {op_exit, 1}, {op_drop_link, 1}}},
      {20, {BUSY_A}}}},
    {"lookup", SECRET, {{200, {LOOKUPS_A, {op_walk_link, 20}}}}},
    {"donate",
     SECRET,
     {{360, {LOOKUPS_A, {op_walk_link, 300}, {op_read_link, 4}}},
      {380, {{op_give_and_link, 4}, {op_give, 10}, {op_exit, 1}, {op_drop_link, 3}, {op_touch, 1}}},
      {20, {BUSY_A}}}},
    {"churn",
     SECRET,
     {{420, {LOOKUPS_A, {op_walk_link, 300}, {op_new_link, 10}}},
      {560, {{op_give_and_link, 4}, {op_give, 12}, {op_exit, 2}, {op_drop_link, 7}, {op_touch, 1}}},
      {50, {BUSY_A}}}},
    {"movable",
     MOVABLE,
     {{80, {LOOKUPS_A, {op_walk_link, 150}, {op_new_link, 10}}},
      {140, {{op_give_and_link, 4}, {op_give, 12}, {op_exit, 2}, {op_drop_link, 7}, {op_touch, 1}}},
      {20, {BUSY_A}}}},
    {"unmovable",
     UNMOVABLE,
     {{300, {LOOKUPS_A, {op_walk_link, 300}, {op_new_link, 10}}},
      {380, {{op_give_and_link, 4}, {op_give, 12}, {op_exit, 2}, {op_drop_link, 7}}},
      {40, {BUSY_A}}}},
    {0},
};

static const struct phase mix_b[] = {
    {"setup",
     SECRET,
     {{100, {LOOKUPS_B, {op_walk_link, 10}}},
      {620,
       {{op_give_and_link, 1}, {op_give, 4}, {op_exit, 1}, {op_new_link, 3}, {op_drop_link, 2}}},
      {60, {BUSY_B}}}},
    {"churn",
     SECRET,
     {{440, {LOOKUPS_B, {op_walk_link, 170}, {op_new_link, 4}}},
      {700,
       {{op_give_and_link, 1}, {op_give, 12}, {op_exit, 2}, {op_new_link, 4}, {op_drop_link, 5}}},
      {90, {BUSY_B}}}},
    {"quiet",
     SECRET,
     {{260, {LOOKUPS_B, {op_walk_link, 170}, {op_read_link, 3}}}, {0, {{0}}}, {40, {BUSY_B}}}},
    {"burst",
     SECRET,
     {{260, {LOOKUPS_B, {op_walk_link, 200}}},
      {360, {{op_give, 9}, {op_new_link, 4}, {op_touch, 1}, {op_exit, 1}}},
      {0, {{0}}}}},
    {"unmovable",
     UNMOVABLE,
     {{260, {LOOKUPS_B, {op_walk_link, 170}, {op_new_link, 4}}},
      {400,
       {{op_give_and_link, 1}, {op_give, 10}, {op_exit, 2}, {op_new_link, 3}, {op_drop_link, 4}}},
      {40, {BUSY_B}}}},
    {0},
};

/*
 * For a pKVM host: nothing may read next to a page given away, the kernel would
 * not survive it.  So there are no long links and no long paths.
 */
static const struct phase mix_p[] = {
    {"setup", SECRET, {{100, {{op_stat, 1}}}, {60, {{op_vm, 1}}}, {20, {BUSY_B}}}},
    {"vms",
     SECRET,
     {{600,
       {{op_stat, 18},
        {op_open, 16},
        {op_missing, 16},
        {op_getdents, 5},
        {op_rename, 3},
        {op_create, 10}}},
      {260, {{op_vm, 1}}},
      {100, {BUSY_B}}}},
    {0},
};

static void run_role(const struct phase *p, int role)
{
    const struct share *mix = p->role[role].mix;
    int total = 0;

    for (int i = 0; i < 10; i++)
        total += mix[i].weight;
    for (int n = p->role[role].ops / ROUNDS; n > 0; n--) {
        int pick = rnd(total), i = 0;

        while (pick >= mix[i].weight)
            pick -= mix[i++].weight;
        mix[i].op();
    }
}

static void worker(const struct phase *phases, int role, int from, int to)
{
    static const char *const names[] = {"zp-lookup", "zp-vmm", "zp-background"};
    char c;

    prctl(PR_SET_NAME, names[role]);
    while (read(from, &c, 1) == 1 && c != 'q') {
        const struct phase *p = &phases[(int)c];

        if (role == VMM && guest_kind != p->guests) {
            drop_guests();
            guest_kind = p->guests;
        }
        run_role(p, role);
        if (role == VMM && p == phases) /* last round's list stays */
            list_given("/out/donated-start.txt");
        if (write(to, &c, 1) != 1)
            die("phase");
    }
    if (role == VMM)
        drop_guests();
    _exit(0);
}

static void copy(const char *from, const char *to)
{
    static char buf[65536];
    int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_WRONLY | O_TRUNC, 0644);
    ssize_t n;

    if (in < 0 || out < 0)
        die(from);
    while ((n = read(in, buf, sizeof(buf))) > 0)
        if (write(out, buf, n) != n)
            die(to);
    close(in);
    close(out);
}

/* Starts the roles; to and from are the pipes that say which phase to do, and that it is done. */
static void start_roles(const struct phase *phases, uint64_t seed, int *to, int *from)
{
    for (int r = 0; r < N_ROLES; r++) {
        int down[2], up[2];

        if (pipe(down) || pipe(up))
            die("pipe");
        if (!fork()) {
            rng_state = seed ^ (0x5851f42d4c957f2dull * (r + 1));
            worker(phases, r, down[0], up[1]);
        }
        to[r] = down[1];
        from[r] = up[0];
    }
}

static void run_phase(const struct phase *phases, int i, const int *to, const int *from)
{
    char c = i;

    if (i == 1) {
        copy("/proc/kpageflags", "/out/kpageflags-start.bin");
        copy("/proc/meminfo", "/out/meminfo-start.txt");
        copy("/proc/vmstat", "/out/vmstat-start.txt");
        marker(MARK_EVENTS_ON);
        note("zp sync");
        marker(MARK_START);
    }
    note("zp phase %d %s", i, phases[i].name);
    marker(MARK_PHASE);
    for (int round = 0; round < ROUNDS; round++) {
        for (int r = 0; r < N_ROLES; r++)
            if (write(to[r], &c, 1) != 1)
                die("phase");
        for (int r = 0; r < N_ROLES; r++)
            if (read(from[r], &c, 1) != 1)
                die("phase");
    }
}

static void end_roles(const int *to)
{
    static const char *const kinds[] = {"secret", "movable", "unmovable"};

    for (int r = 0; r < N_ROLES; r++)
        if (write(to[r], "q", 1) != 1)
            die("phase");
    while (wait(NULL) > 0)
        ;
    for (int k = 0; k < N_KINDS; k++)
        printf("zpwork: %s guests: pages given %lu returned %lu\n", kinds[k], counts->given[k],
               counts->returned[k]);
}

int main(int argc, char **argv)
{
    const struct phase *phases;
    int to[N_ROLES], from[N_ROLES];
    uint64_t seed;

    if (argc != 3) {
        fprintf(stderr, "usage: zpwork a|b|p SEED\n");
        return 2;
    }
    phases = argv[1][0] == 'p' ? mix_p : argv[1][0] == 'b' ? mix_b : mix_a;
    seed = strtoull(argv[2], NULL, 0) * 0x9e3779b97f4a7c15ull | 1;
    rng_state = seed;
    seed_kernel(seed);
    trace_marker = open("/sys/kernel/tracing/trace_marker", O_WRONLY);
    counts = mmap(NULL, sizeof(*counts) + N_LINKS, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    mkdir("/t/s", 0755);
    link_exists = (uint8_t *)counts + sizeof(*counts);
    make_tree();
    for (int i = 0; i < N_LINKS / 32; i++)
        op_new_link();
    start_roles(phases, seed, to, from);
    for (int i = 0; phases[i].name; i++)
        run_phase(phases, i, to, from);
    note("zp end");
    marker(MARK_STOP);
    copy("/proc/meminfo", "/out/meminfo-end.txt");
    copy("/proc/vmstat", "/out/vmstat-end.txt");
    copy("/proc/kpageflags", "/out/kpageflags-end.bin");
    end_roles(to);
    return 0;
}
