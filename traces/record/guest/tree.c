/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file tree of the workload, and what the role lookup does with it. */
#define _GNU_SOURCE
#include "zpwork.h"

/* ---- the file tree ---- */

static char dir_name[N_DIRS][64], file_name[N_FILES][256], long_name[N_LONG][256];

static void make_name(char *to, const char *stem, int i, int len)
{
    int n = sprintf(to, "%s%02d", stem, i);

    while (n < len)
        to[n++] = 'a' + rnd(26);
    to[n] = 0;
}

void make_tree(void)
{
    char path[1024];

    mkdir("/t/L", 0755);
    for (int i = 0; i < N_LONG; i++) {
        make_name(long_name[i], "long", i, 150 + rnd(100));
        snprintf(path, sizeof(path), "/t/L/%s", long_name[i]);
        mkdir(path, 0755);
    }
    for (int i = 0; i < N_TARGETS; i++) {
        snprintf(path, sizeof(path), "/t/L/f%02d", i);
        make_file(path, 64);
    }
    for (int i = 0; i < N_FILES; i++)
        make_name(file_name[i], "file", i, rnd(3) ? 8 + rnd(30) : 60 + rnd(190));
    for (int i = 0; i < N_DIRS; i++) {
        make_name(dir_name[i], "dir", i, 6 + rnd(50));
        snprintf(path, sizeof(path), "/t/%s", dir_name[i]);
        mkdir(path, 0755);
        for (int j = 0; j < N_FILES; j++) {
            snprintf(path, sizeof(path), "/t/%s/%s", dir_name[i], file_name[j]);
            make_file(path, 100 + rnd(6000));
        }
    }
}

void tree_path(char *to)
{
    sprintf(to, "/t/%s/%s", dir_name[rnd(N_DIRS)], file_name[rnd(N_FILES)]);
}

/* A path of exactly len bytes that leads to one of the target files. */
void long_path(char *to, int len)
{
    int n = sprintf(to, "/t/L/");

    for (;;) {
        const char *name = long_name[rnd(N_LONG)];
        int step = strlen(name) + 4;

        if (n + step > len - 3)
            break;
        n += sprintf(to + n, "%s/../", name);
    }
    while (n < len - 4)
        n += sprintf(to + n, "./");
    if (n < len - 3)
        to[n++] = '/';
    sprintf(to + n, "f%02d", rnd(N_TARGETS));
}

void link_path(char *to, int i)
{
    sprintf(to, "/t/s/l%04d", i);
}

volatile uint8_t *link_exists;

static int find_link(bool exists)
{
    int at = rnd(N_LINKS);

    for (int i = 0; i < N_LINKS; i++, at = (at + 1) % N_LINKS)
        if (link_exists[at] == exists)
            return at;
    return -1;
}

void op_new_link(void)
{
    char text[PAGE], path[32];
    int i = find_link(false);

    if (i < 0)
        return;
    link_exists[i] = true;
    long_path(text, TEXT_MAX - rnd(4));
    link_path(path, i);
    if (symlink(text, path) && errno != EEXIST)
        die(path);
}

void op_drop_link(void)
{
    char path[32];
    int i = find_link(true);

    if (i < 0)
        return;
    link_exists[i] = false;
    link_path(path, i);
    unlink(path);
}

/* ---- lookup operations ---- */

void op_stat(void)
{
    char path[512];
    struct stat st;

    tree_path(path);
    stat(path, &st);
}

void op_open(void)
{
    char path[512], buf[4096];
    int fd;

    tree_path(path);
    fd = open(path, O_RDONLY);
    if (fd >= 0) {
        if (read(fd, buf, sizeof(buf)) < 0)
            die(path);
        close(fd);
    }
}

void op_missing(void)
{
    char path[512];
    struct stat st;

    sprintf(path, "/t/%s/none%04d", dir_name[rnd(N_DIRS)], rnd(500));
    stat(path, &st);
}

void op_getdents(void)
{
    char path[512];
    struct dirent *e;
    struct stat st;
    DIR *d;

    sprintf(path, "/t/%s", dir_name[rnd(N_DIRS)]);
    d = opendir(path);
    if (!d)
        return;
    while ((e = readdir(d)))
        if (!rnd(4))
            fstatat(dirfd(d), e->d_name, &st, 0);
    closedir(d);
}

void op_long_path(void)
{
    char path[PAGE];
    struct stat st;

    long_path(path, (rnd(2) ? 4063 : TEXT_MAX) - rnd(4));
    if (stat(path, &st))
        die("long path");
}

void op_walk_link(void)
{
    char path[32];
    struct stat st;

    link_path(path, find_link(true));
    stat(path, &st);
}

void op_read_link(void)
{
    char path[32], text[PAGE];

    link_path(path, find_link(true));
    if (readlink(path, text, sizeof(text)) < 0 && errno != ENOENT)
        die(path);
}

void op_rename(void)
{
    char from[512], to[512];

    tree_path(from);
    sprintf(to, "/t/%s/renamed%03d", dir_name[rnd(N_DIRS)], rnd(1000));
    if (!rename(from, to))
        rename(to, from);
}

void op_create(void)
{
    char path[512], name[256];

    make_name(name, "new", rnd(100), 40 + rnd(200));
    sprintf(path, "/t/%s/%s", dir_name[rnd(N_DIRS)], name);
    make_file(path, rnd(5000));
    unlink(path);
}
