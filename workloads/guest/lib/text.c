/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text, arguments, and what a compiler takes for granted. */
#include <stdarg.h>

#include "kernel.h"

void *memcpy(void *to, const void *from, size_t size)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    while (size--)
        *out++ = *in++;
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    uint8_t *out = to;

    while (size--)
        *out++ = (uint8_t)byte;
    return to;
}

size_t strlen(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

struct line {
    char text[256];
    size_t length;
};

static void put(struct line *line, char c)
{
    if (line->length < sizeof(line->text))
        line->text[line->length++] = c;
}

static void put_number(struct line *line, uint64_t number, unsigned int base)
{
    char digits[20];
    unsigned int count = 0;

    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    while (count)
        put(line, digits[--count]);
}

/* One conversion, see kernel.h; any other character stands for itself. */
static void put_arg(struct line *line, const char **format, va_list *args)
{
    bool wide = **format == 'l';

    if (wide)
        ++*format;
    char kind = *(*format)++;
    if (kind == 's') {
        for (const char *text = va_arg(*args, const char *); *text; text++)
            put(line, *text);
    } else if (kind == 'u' || kind == 'x') {
        uint64_t number = wide ? va_arg(*args, unsigned long) : va_arg(*args, unsigned int);
        put_number(line, number, kind == 'u' ? 10 : 16);
    } else {
        put(line, kind);
    }
}

static void put_format(struct line *line, const char *format, va_list *args)
{
    line->length = 0;
    while (*format) {
        char c = *format++;
        if (c == '%')
            put_arg(line, &format, args);
        else
            put(line, c);
    }
}

void fl_print(const char *format, ...)
{
    struct line line;
    va_list args;

    va_start(args, format);
    put_format(&line, format, &args);
    va_end(args);
    fl_call(FL_PRINT, (uint64_t)line.text, line.length, 0);
}

void fl_fail(const char *format, ...)
{
    struct line line;
    va_list args;

    va_start(args, format);
    put_format(&line, format, &args);
    va_end(args);
    fl_call(FL_PRINT, (uint64_t)line.text, line.length, 0);
    fl_exit(1);
}

void fl_panic(const struct regs *regs, uint64_t address, const char *format, ...)
{
    struct line line;
    va_list args;

    va_start(args, format);
    put_format(&line, format, &args);
    va_end(args);
    uint64_t pc = regs ? regs->pc : (uint64_t)__builtin_return_address(0);
    for (;;)
        fl_call6(FL_PANIC, (uint64_t)line.text, line.length, pc, address, 0, 0);
}

/* What follows "name=" in the arguments, or NULL. */
static const char *argument(const char *name)
{
    size_t length = strlen(name);
    const char *word = fl_boot->arguments;

    while (*word) {
        size_t i = 0;
        while (i < length && word[i] == name[i])
            i++;
        if (i == length && word[i] == '=')
            return word + i + 1;
        while (*word && *word != ' ')
            word++;
        while (*word == ' ')
            word++;
    }
    return NULL;
}

static unsigned int digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 99;
}

uint64_t fl_argument(const char *name, uint64_t otherwise)
{
    const char *text = argument(name);

    if (!text)
        return otherwise;
    unsigned int base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
    uint64_t number = 0;
    for (text += base == 16 ? 2 : 0; digit(*text) < base; text++)
        number = number * base + digit(*text);
    if (*text == 'k')
        return number << 10;
    if (*text == 'm')
        return number << 20;
    return *text == 'g' ? number << 30 : number;
}

bool fl_argument_is(const char *name, const char *text)
{
    const char *value = argument(name);

    if (!value)
        return false;
    while (*text && *value == *text) {
        value++;
        text++;
    }
    return !*text && (!*value || *value == ' ');
}

uint64_t fl_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}
