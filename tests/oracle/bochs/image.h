/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the image. */
#ifndef TESTS_ORACLE_BOCHS_IMAGE_H
#define TESTS_ORACLE_BOCHS_IMAGE_H

#include "case.h"

struct outcome {
    char kind; /* see case.h */
    uint64_t value[3];
};

/* main.c */
void image_main(void);
void console(const char *text);
void stop(void) __attribute__((noreturn));

/* vmx.c: NULL, or what is missing. */
const char *vmx_open(void);
void vmx_case(const struct case_sector *test, struct outcome *outcome);

/* start.S */
int vmx_run(uint64_t regs[2], int launched);
extern const uint8_t guest_load[], guest_store[];

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* Physical memory, as it is; volatile: other eyes look at it too. */
static inline volatile uint64_t *word_at(uint64_t pa)
{
    return (volatile uint64_t *)pa;
}

#endif
