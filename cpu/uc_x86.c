/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/uc_priv.h"
bool uc_x86_setup(struct cpu *c)
{
    (void)c;
    return false;
}
uint64_t uc_x86_get(const struct cpu *c, unsigned int r)
{
    (void)c;
    (void)r;
    return 0;
}
void uc_x86_set(struct cpu *c, unsigned int r, uint64_t v)
{
    (void)c;
    (void)r;
    (void)v;
}
void uc_x86_start(struct cpu *c)
{
    (void)c;
}
void uc_x86_stopped(struct cpu *c)
{
    (void)c;
}
bool x86_fetch(struct cpu *c, uint64_t v, unsigned int s, uint8_t *t)
{
    (void)c;
    (void)v;
    (void)s;
    (void)t;
    return false;
}
bool x86_trap(struct cpu *c, struct cpu_exit *e)
{
    (void)c;
    (void)e;
    return false;
}
bool x86_raise(struct cpu *c, struct cpu_exit *e)
{
    (void)c;
    (void)e;
    return false;
}
bool x86_take(struct cpu *c, const struct cpu_exception *x, struct cpu_exit *e)
{
    (void)c;
    (void)e;
    (void)x;
    return false;
}
uint64_t x86_get(const struct cpu *c, unsigned int r)
{
    (void)c;
    (void)r;
    return 0;
}
void x86_set(struct cpu *c, unsigned int r, uint64_t v)
{
    (void)c;
    (void)r;
    (void)v;
}
void x86_reset(struct cpu *c)
{
    (void)c;
}
unsigned int x86_count(struct cpu *c, uint64_t v, uint64_t e)
{
    (void)c;
    (void)v;
    (void)e;
    return 0;
}
