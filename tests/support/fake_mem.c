/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sparse memory: an open-addressing hash of frames. */
#include "tests/support/fake_mem.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_SHIFT 12
#define FRAME_WORDS (FAKE_FRAME_SIZE / 8)

static void *must_calloc(size_t count, size_t size)
{
    void *p = calloc(count, size);

    if (!p)
        abort();
    return p;
}

void fake_mem_init(struct fake_mem *mem)
{
    mem->capacity = 64;
    mem->count = 0;
    mem->bucket = must_calloc(mem->capacity, sizeof *mem->bucket);
    mem->recent = NULL;
    mem->recent_number = 0;
}

void fake_mem_free(struct fake_mem *mem)
{
    for (size_t i = 0; i < mem->capacity; i++)
        free(mem->bucket[i].words);
    free(mem->bucket);
    mem->bucket = NULL;
    mem->recent = NULL;
}

static struct fake_frame *bucket_of(const struct fake_mem *mem, uint64_t number)
{
    size_t i = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (mem->capacity - 1);

    while (mem->bucket[i].words && mem->bucket[i].number != number)
        i = (i + 1) & (mem->capacity - 1);
    return &mem->bucket[i];
}

static void grow(struct fake_mem *mem)
{
    struct fake_frame *old = mem->bucket;
    const size_t capacity = mem->capacity;

    mem->capacity *= 2;
    mem->bucket = must_calloc(mem->capacity, sizeof *mem->bucket);
    for (size_t i = 0; i < capacity; i++) {
        if (old[i].words)
            *bucket_of(mem, old[i].number) = old[i];
    }
    free(old);
}

/* The frame's words, or NULL when it does not exist and need not be made. */
static uint64_t *words_of(struct fake_mem *mem, uint64_t pa, bool make)
{
    const uint64_t number = pa >> FRAME_SHIFT;
    struct fake_frame *frame;

    if (mem->recent && mem->recent_number == number)
        return mem->recent;
    frame = bucket_of(mem, number);
    if (!frame->words) {
        if (!make)
            return NULL;
        if (2 * (mem->count + 1) > mem->capacity) {
            grow(mem);
            frame = bucket_of(mem, number);
        }
        frame->number = number;
        frame->words = must_calloc(FRAME_WORDS, 8);
        mem->count++;
    }
    mem->recent = frame->words;
    mem->recent_number = number;
    return frame->words;
}

static size_t word_index(uint64_t pa)
{
    return (size_t)(pa & (FAKE_FRAME_SIZE - 1)) / 8;
}

uint64_t fake_mem_load(struct fake_mem *mem, uint64_t pa)
{
    const uint64_t *words = words_of(mem, pa, false);

    return words ? words[word_index(pa)] : 0;
}

void fake_mem_store(struct fake_mem *mem, uint64_t pa, uint64_t word)
{
    uint64_t *words = words_of(mem, pa, word != 0);

    if (words)
        words[word_index(pa)] = word;
}

void fake_mem_set(struct fake_mem *mem, uint64_t pa, uint8_t byte, uint64_t size)
{
    while (size > 0) {
        const uint64_t room = FAKE_FRAME_SIZE - (pa & (FAKE_FRAME_SIZE - 1));
        const uint64_t part = size < room ? size : room;
        uint64_t *words = words_of(mem, pa, byte != 0);

        if (words)
            memset(&words[word_index(pa)], byte, (size_t)part);
        pa += part;
        size -= part;
    }
}

void fake_mem_copy(struct fake_mem *copy, const struct fake_mem *mem)
{
    *copy = *mem;
    copy->recent = NULL;
    copy->bucket = must_calloc(mem->capacity, sizeof *copy->bucket);
    for (size_t i = 0; i < mem->capacity; i++) {
        if (!mem->bucket[i].words)
            continue;
        copy->bucket[i].number = mem->bucket[i].number;
        copy->bucket[i].words = must_calloc(FRAME_WORDS, 8);
        memcpy(copy->bucket[i].words, mem->bucket[i].words, FAKE_FRAME_SIZE);
    }
}

static bool frame_is_zero(const uint64_t *words)
{
    for (size_t i = 0; i < FRAME_WORDS; i++) {
        if (words[i] != 0)
            return false;
    }
    return true;
}

/* Each frame of `a` is in `b`, or all zero. */
static bool contained(const struct fake_mem *a, const struct fake_mem *b)
{
    for (size_t i = 0; i < a->capacity; i++) {
        const uint64_t *words = a->bucket[i].words, *other;

        if (!words)
            continue;
        other = bucket_of(b, a->bucket[i].number)->words;
        if (other ? memcmp(words, other, FAKE_FRAME_SIZE) != 0 : !frame_is_zero(words))
            return false;
    }
    return true;
}

bool fake_mem_equal(const struct fake_mem *a, const struct fake_mem *b)
{
    return contained(a, b) && contained(b, a);
}

bool fake_mem_is_zero(struct fake_mem *mem, uint64_t pa, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += 8) {
        if (fake_mem_load(mem, pa + at) != 0)
            return false;
    }
    return true;
}
