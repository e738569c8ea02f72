/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pkvmdemo - let a stock kernel with kvm-arm.mode=protected read across the end
 * of its own memory.
 *
 * Each new VM makes the host give pages to the hypervisor: they vanish from the
 * host's stage 2 but stay in its direct map.  Symbolic links whose text fills a
 * page are created in between, so that some of them end where a given page
 * begins.  Following such a link makes the kernel's word-at-a-time path code
 * load across that boundary.
 *
 *	pkvmdemo N_VMS LINKS_PER_VM COMMAND
 *
 * COMMAND runs in a shell before the first link is followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "pkvmdemo: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int n_links;

static void make_link(void)
{
    char text[4096], path[32];
    int n = sprintf(text, "/t/");

    while (n < 4090)
        n += sprintf(text + n, "./");
    strcpy(text + n, "file"); /* ends at 4094 or 4095 */
    sprintf(path, "/t/l%d", n_links++);
    if (symlink(text, path))
        die(path);
}

static void make_vm(int kvm)
{
    struct kvm_vcpu_init init;
    int vm = ioctl(kvm, KVM_CREATE_VM, 0), cpu;
    void *run;

    if (vm < 0)
        die("KVM_CREATE_VM");
    cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    if (cpu < 0)
        die("KVM_CREATE_VCPU");
    if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init))
        die("KVM_ARM_PREFERRED_TARGET");
    if (ioctl(cpu, KVM_ARM_VCPU_INIT, &init))
        die("KVM_ARM_VCPU_INIT");
    run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE, MAP_SHARED, cpu,
               0);
    if (run == MAP_FAILED)
        die("mmap vcpu");
    ((struct kvm_run *)run)->immediate_exit = 1;
    /* the first run hands the VM's pages over; nothing needs to execute */
    if (ioctl(cpu, KVM_RUN, 0) && errno != EINTR)
        die("KVM_RUN");
}

int main(int argc, char **argv)
{
    int vms = argc > 1 ? atoi(argv[1]) : 40;
    int per_vm = argc > 2 ? atoi(argv[2]) : 6;
    int kvm = open("/dev/kvm", O_RDWR);
    char path[32];
    struct stat st;

    if (kvm < 0)
        die("/dev/kvm");
    close(open("/t/file", O_CREAT | O_WRONLY, 0644));
    for (int i = 0; i < vms; i++) {
        make_vm(kvm);
        for (int j = 0; j < per_vm; j++)
            make_link();
    }
    printf("pkvmdemo: %d VMs, %d links\n", vms, n_links);
    fflush(stdout);
    if (argc > 3 && system(argv[3]))
        die(argv[3]);
    printf("pkvmdemo: following the links\n");
    fflush(stdout);
    for (int i = 0; i < n_links; i++) {
        sprintf(path, "/t/l%d", i);
        if (stat(path, &st))
            die(path);
    }
    printf("pkvmdemo: all links followed, nothing happened\n");
    return 0;
}
