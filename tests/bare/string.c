/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that compilers call by themselves. */
#include <stddef.h>
#include <stdint.h>

void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);

void *memset(void *to, int value, size_t size)
{
    volatile uint8_t *byte = to;

    while (size--)
        *byte++ = (uint8_t)value;
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    volatile uint8_t *byte = to;
    const uint8_t *source = from;

    while (size--)
        *byte++ = *source++;
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    volatile uint8_t *byte = to;
    const uint8_t *source = from;

    if (byte <= source)
        return memcpy(to, from, size);
    while (size--)
        byte[size] = source[size];
    return to;
}
