/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zpinfo - print, from /proc/kcore and /proc/kallsyms of the running kernel,
 * where the direct map is and what the exception table holds.
 *
 * Output lines:
 *	segment VADDR SIZE PADDR	one loadable segment of /proc/kcore
 *	linear LO HI PHYS		the direct map: [LO, HI) maps PHYS onwards
 *	extable INSN FIXUP TYPE DATA	one entry; all hexadecimal
 *	zeropad INSN DATA SYMBOL+OFF	entries of load_unaligned_zeropad()
 */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__aarch64__)
enum { TYPE_ZEROPAD = 4 }; /* EX_TYPE_LOAD_UNALIGNED_ZEROPAD, Linux 6.12 */
#else
enum { TYPE_ZEROPAD = 20 }; /* EX_TYPE_ZEROPAD */
#endif

struct entry {
    int32_t insn, fixup;
    uint32_t type_data;
};

static struct sym {
    uint64_t addr;
    char name[64];
} * syms;
static size_t n_syms;

static uint64_t sym_addr(const char *name)
{
    for (size_t i = 0; i < n_syms; i++)
        if (!strcmp(syms[i].name, name))
            return syms[i].addr;
    return 0;
}

static void read_syms(void)
{
    FILE *f = fopen("/proc/kallsyms", "r");
    char line[512], name[256], type;
    uint64_t addr;
    size_t room = 0;

    while (f && fgets(line, sizeof(line), f)) {
        if (strchr(line, '[') || sscanf(line, "%" SCNx64 " %c %255s", &addr, &type, name) != 3)
            continue;
        if (n_syms == room) {
            room = room ? 2 * room : 65536;
            syms = realloc(syms, room * sizeof(*syms));
            if (!syms)
                exit(1);
        }
        syms[n_syms].addr = addr;
        snprintf(syms[n_syms++].name, sizeof(syms->name), "%.63s", name);
    }
    if (f)
        fclose(f);
}

static void print_symbol(uint64_t pc)
{
    const struct sym *best = NULL;

    for (size_t i = 0; i < n_syms; i++)
        if (syms[i].addr <= pc && (!best || syms[i].addr > best->addr))
            best = &syms[i];
    if (best)
        printf(" %s+0x%" PRIx64, best->name, pc - best->addr);
    putchar('\n');
}

int main(void)
{
    uint64_t start, stop, lo = UINT64_MAX, hi = 0, off = 0, size = 0;
    Elf64_Ehdr eh;
    Elf64_Phdr ph[64];
    int fd = open("/proc/kcore", O_RDONLY);

    read_syms();
    start = sym_addr("__start___ex_table");
    stop = sym_addr("__stop___ex_table");
    if (fd < 0 || pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) || eh.e_phnum > 64 ||
        pread(fd, ph, eh.e_phnum * sizeof(*ph), eh.e_phoff) < 0) {
        perror("/proc/kcore");
        return 1;
    }
    /* The largest segment with a physical address belongs to the direct map. */
    for (int i = 0; i < eh.e_phnum; i++) {
        if (ph[i].p_type != PT_LOAD)
            continue;
        printf("segment %" PRIx64 " %" PRIx64 " %" PRIx64 "\n", ph[i].p_vaddr, ph[i].p_memsz,
               ph[i].p_paddr);
        if (ph[i].p_paddr + 1 && ph[i].p_memsz > size && ph[i].p_memsz < 1ull << 40) {
            size = ph[i].p_memsz;
            off = ph[i].p_vaddr - ph[i].p_paddr;
        }
    }
    for (int i = 0; i < eh.e_phnum; i++)
        if (ph[i].p_type == PT_LOAD && ph[i].p_paddr + 1 && ph[i].p_vaddr - ph[i].p_paddr == off) {
            if (ph[i].p_vaddr < lo)
                lo = ph[i].p_vaddr;
            if (ph[i].p_vaddr + ph[i].p_memsz > hi)
                hi = ph[i].p_vaddr + ph[i].p_memsz;
        }
    printf("linear %" PRIx64 " %" PRIx64 " %" PRIx64 "\n", lo, hi, lo - off);

    for (uint64_t a = start; a < stop; a += sizeof(struct entry)) {
        struct entry e = {0};
        uint32_t type, data;
        int i;

        for (i = 0; i < eh.e_phnum; i++)
            if (ph[i].p_type == PT_LOAD && a >= ph[i].p_vaddr &&
                a + sizeof(e) <= ph[i].p_vaddr + ph[i].p_memsz)
                break;
        if (i == eh.e_phnum ||
            pread(fd, &e, sizeof(e), a - ph[i].p_vaddr + ph[i].p_offset) != sizeof(e)) {
            fprintf(stderr, "cannot read %" PRIx64 "\n", a);
            return 1;
        }
#if defined(__aarch64__)
        type = e.type_data & 0xffff;
        data = e.type_data >> 16;
#else
        type = e.type_data & 0xff;
        data = e.type_data >> 8;
#endif
        uint64_t insn = a + e.insn, fixup = a + 4 + e.fixup;

        printf("extable %" PRIx64 " %" PRIx64 " %x %x\n", insn, fixup, type, data);
        if (type == TYPE_ZEROPAD) {
            printf("zeropad %" PRIx64 " %x", insn, data);
            print_symbol(insn);
        }
    }
    return 0;
}
