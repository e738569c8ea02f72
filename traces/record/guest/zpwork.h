/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the workload share: zpwork.c (roles, phases, background), tree.c (the file tree
 * and walks through it), guests.c (memory of guests, VMs).
 */
#ifndef RECORD_ZPWORK_H
#define RECORD_ZPWORK_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/random.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

enum { PAGE = 4096, TEXT_MAX = 4095 };
enum { N_DIRS = 24, N_FILES = 20, N_LONG = 16, N_TARGETS = 32 };
enum { N_LINKS = 3000, N_GUESTS = 24, GUEST_PAGES = 240, N_VMS = 60 };

enum kind { SECRET, MOVABLE, UNMOVABLE, N_KINDS };

/* Shared by all roles. */
struct counts {
    unsigned long given[N_KINDS], returned[N_KINDS];
};

extern struct counts *counts;
/* Which links exist; a stale look does no harm. */
extern volatile uint8_t *link_exists;
extern uint64_t rng_state;
extern enum kind guest_kind;

uint32_t rnd(uint32_t n);
void die(const char *what);
void make_file(const char *path, int bytes);
void tree_path(char *to);
void long_path(char *to, int len);
void link_path(char *to, int i);
void make_tree(void);
void op_new_link(void);
void op_drop_link(void);
void op_stat(void);
void op_open(void);
void op_missing(void);
void op_getdents(void);
void op_long_path(void);
void op_walk_link(void);
void op_read_link(void);
void op_rename(void);
void op_create(void);
void op_give(void);
void op_give_and_link(void);
void op_exit(void);
void op_touch(void);
void op_vm(void);
void drop_guests(void);
void list_given(const char *path);

#endif
