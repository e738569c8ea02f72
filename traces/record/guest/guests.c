/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests, whose memory the role vmm gives and takes back, and VMs of the kernel's own. */
#define _GNU_SOURCE
#include "zpwork.h"

static struct guest {
    enum kind kind;
    int fd, fill;               /* fill: where a pipe is written */
    char *mem;                  /* NULL for a pipe */
    int pages, given;           /* pages is zero for a guest that does not run */
    uint8_t order[GUEST_PAGES]; /* in which the guest touches its memory */
} guests[N_GUESTS];

struct counts *counts;

enum kind guest_kind = SECRET;

static void guest_open(struct guest *g)
{
    int pages = 64 + rnd(GUEST_PAGES - 64 + 1), ends[2];

    g->kind = guest_kind;
    g->given = 0;
    g->mem = NULL;
    for (int i = 0; i < pages; i++)
        g->order[i] = i;
    if (rnd(2))
        for (int i = pages - 1; i > 0; i--) {
            int j = rnd(i + 1);
            uint8_t t = g->order[i];

            g->order[i] = g->order[j];
            g->order[j] = t;
        }
    g->pages = pages;
    if (g->kind == UNMOVABLE) {
        if (pipe(ends) || fcntl(ends[1], F_SETPIPE_SZ, 256 * PAGE) < 0)
            die("pipe of guest");
        g->fd = ends[0];
        g->fill = ends[1];
        return;
    }
    g->fd = g->kind == SECRET ? (int)syscall(SYS_memfd_secret, 0) : memfd_create("guest", 0);
    if (g->fd < 0 || ftruncate(g->fd, (off_t)pages * PAGE))
        die("guest memory");
    g->mem = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
    if (g->mem == MAP_FAILED)
        die("mmap guest memory");
}

static void guest_close(struct guest *g)
{
    if (!g->pages)
        return;
    if (g->kind == UNMOVABLE)
        close(g->fill);
    else
        munmap(g->mem, (size_t)g->pages * PAGE);
    close(g->fd);
    counts->returned[g->kind] += g->given;
    g->pages = 0;
}

static bool guest_give(struct guest *g)
{
    static char page[PAGE];

    if (g->given == g->pages)
        return false;
    if (g->kind == UNMOVABLE) {
        if (write(g->fill, page, PAGE) != PAGE)
            die("fill pipe");
    } else {
        g->mem[g->order[g->given] * (size_t)PAGE] = 1;
    }
    g->given++;
    counts->given[g->kind]++;
    return true;
}

static struct guest *some_guest(void)
{
    struct guest *g = &guests[rnd(N_GUESTS)];

    if (!g->pages)
        guest_open(g);
    return g;
}

void op_give(void)
{
    struct guest *g = some_guest();

    for (int i = rnd(8); i >= 0; i--)
        if (!guest_give(g))
            break;
}

/* A guest faults in memory while the host writes links: neighbours. */
void op_give_and_link(void)
{
    struct guest *g = some_guest();

    for (int i = 0; i < 4; i++) {
        op_new_link();
        guest_give(g);
    }
}

void op_exit(void)
{
    guest_close(&guests[rnd(N_GUESTS)]);
}

void op_touch(void)
{
    struct guest *g = some_guest();

    for (int i = 0; g->mem && i < g->given; i += 7)
        g->mem[g->order[i] * (size_t)PAGE + rnd(PAGE)]++;
}

void drop_guests(void)
{
    for (int i = 0; i < N_GUESTS; i++)
        guest_close(&guests[i]);
}

/* Frame numbers of the pages now given away, one per line. */
void list_given(const char *path)
{
    int fd = open("/proc/self/pagemap", O_RDONLY);
    FILE *f = fopen(path, "w");

    if (fd < 0 || !f)
        die(path);
    for (int i = 0; i < N_GUESTS; i++) {
        struct guest *g = &guests[i];

        for (int j = 0; g->pages && g->kind == SECRET && j < g->given; j++) {
            uintptr_t va = (uintptr_t)g->mem + g->order[j] * (uintptr_t)PAGE;
            uint64_t e;

            if (pread(fd, &e, 8, va / PAGE * 8) == 8 && e >> 63)
                fprintf(f, "0x%llx guest %d page %d\n",
                        (unsigned long long)(e & ((1ull << 55) - 1)), i, g->order[j]);
        }
    }
    fclose(f);
    close(fd);
}

/*
 * A VM of the kernel's own: with kvm-arm.mode=protected its first run hands the
 * pages of its control structures to the hypervisor, its end takes them back.
 */
static struct vm {
    int kvm, vm, cpu;
} vms[N_VMS];

static void vm_open(struct vm *v)
{
#ifdef __aarch64__
    struct kvm_vcpu_init init;
    struct kvm_run *run;

    v->kvm = open("/dev/kvm", O_RDWR);
    v->vm = ioctl(v->kvm, KVM_CREATE_VM, 0);
    v->cpu = ioctl(v->vm, KVM_CREATE_VCPU, 0);
    if (v->cpu < 0 || ioctl(v->vm, KVM_ARM_PREFERRED_TARGET, &init) ||
        ioctl(v->cpu, KVM_ARM_VCPU_INIT, &init))
        die("create VM");
    run = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, v->cpu, 0);
    if (run == MAP_FAILED)
        die("mmap vcpu");
    run->immediate_exit = 1; /* no need for the guest to execute anything */
    if (ioctl(v->cpu, KVM_RUN, 0) && errno != EINTR)
        die("KVM_RUN");
    munmap(run, PAGE);
#else
    (void)v;
    errno = ENOSYS;
    die("mix p is for arm64");
#endif
}

void op_vm(void)
{
    struct vm *v = &vms[rnd(N_VMS)];

    if (!v->kvm) {
        vm_open(v);
    } else if (!rnd(3)) {
        close(v->cpu);
        close(v->vm);
        close(v->kvm);
        v->kvm = 0;
    }
}
