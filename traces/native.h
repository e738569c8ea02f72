/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layout of the native format, as docs/TRACE_FORMAT.md specifies it, and what the writer, the
 * reader and the block decoder share. All integers are little-endian.
 */
#ifndef TRACES_NATIVE_H
#define TRACES_NATIVE_H

#include "traces/bytes.h"

#define NATIVE_MAGIC  "FLTRACE\n"
#define NATIVE_BLOCK  "FLBLOCK\n"
#define NATIVE_INDEX  "FLINDEX\n"
#define NATIVE_FOOTER "FLTRACE."

enum {
    NATIVE_HEADER_SIZE = 40,
    NATIVE_BLOCK_SIZE = 112,
    NATIVE_INDEX_SIZE = 48,
    NATIVE_ENTRY_SIZE = 24,
    NATIVE_FOOTER_SIZE = 16,
    NATIVE_BLOCK_RECORDS = 4 << 20,      /* default */
    NATIVE_BLOCK_RECORDS_MAX = 16 << 20, /* so that a reader's memory is bounded */
    NATIVE_SITES_MAX = 1 << 24,
    NATIVE_CPUS_MAX = 256,
    NATIVE_BODY_MAX = 64 << 20,
    NATIVE_SECTION_MAX = 1 << 30,
};

enum native_section {
    NATIVE_SITES,     /* definitions of the sites that appear first in this block */
    NATIVE_EVENTS,    /* everything but accesses, and CPU changes */
    NATIVE_TEXT,      /* strings of the marks */
    NATIVE_SITE_LOW,  /* per access: bits 0-7 of the site */
    NATIVE_SITE_MID,  /* bits 8-15 */
    NATIVE_SITE_HIGH, /* bits 16-23; empty when all sites of the file so far are below 65536 */
    NATIVE_CLASS,     /* per access: how its address differs from the site's last one */
    NATIVE_PAYLOAD,   /* the differences that do not fit into the class byte */
    NATIVE_SECTION_COUNT,
};

/* Class bytes: a zigzag difference below this is the byte itself; this plus n: n payload bytes. */
#define NATIVE_CLASS_WIDE 240u
#define NATIVE_CLASS_MAX  248u

/* In the events section, instead of a record kind: the CPU of what follows. */
#define NATIVE_OP_CPU 0u

struct native_block {
    uint64_t first; /* position of the first record */
    uint32_t records;
    uint32_t sites_before;
    struct {
        uint32_t raw, packed;
    } section[NATIVE_SECTION_COUNT];
    uint64_t sites_sum, rest_sum;
};

struct native_entry {
    uint64_t offset, first;
    uint32_t records, sites_before;
};

/* native_layout.c: fixed structures to and from bytes. */
void native_put_block(struct trace_bytes *out, const struct native_block *block);
/* Checks magic, sum and bounds; NULL when all is well, else what is wrong. */
const char *native_get_block(const uint8_t from[NATIVE_BLOCK_SIZE], struct native_block *block);
uint64_t native_packed_size(const struct native_block *block);
void native_put_site(struct trace_bytes *out, const struct trace_site *site, uint64_t *last_pc);
/* False when the bytes end early or the attributes are not known. */
bool native_get_site(struct trace_cursor *in, struct trace_site *site, uint64_t *last_pc);

/* header.c: the body of the file header. */
void native_put_header(struct trace_bytes *out, const struct trace_header *header);
/* 0, or -1 with the header freed (in->starved: for want of memory). */
int native_get_header(struct trace_cursor *in, struct trace_header *header);

/* native_decode.c: one block, from sections to records. */
#define NATIVE_BATCH 4096u

struct native_break {
    uint64_t addr;
    uint32_t at; /* record in the block before which the CPU changes, or that the event is */
    uint8_t kind;
    uint8_t cpu;
};

struct native_decoder {
    /* The unpacked sections; `raw` owns them, with room to read beyond the end. */
    uint8_t *raw;
    size_t raw_room;
    const uint8_t *section[NATIVE_SECTION_COUNT];
    size_t section_size[NATIVE_SECTION_COUNT];
    struct trace_event *events;
    size_t event_count, event_room;
    struct native_break *breaks;
    size_t break_count, break_room;
    uint64_t *last; /* by site */
    size_t last_room;
    /* Where decoding stands. */
    uint32_t record, records;
    size_t access, next_break, next_event;
    const uint8_t *payload;
    uint8_t cpu;
    struct trace_rec *batch;
};

/* Places for the raw sections of this block; false without memory. */
bool native_decoder_place(struct native_decoder *decoder, const struct native_block *block);
/* After the sections are filled: checks all of them. NULL, or what is wrong. */
const char *native_decoder_start(struct native_decoder *decoder, const struct native_block *block,
                                 size_t site_count);
/* Decodes up to NATIVE_BATCH records into `batch`; returns how many, 0 at the block's end. */
size_t native_decoder_next(struct native_decoder *decoder);
void native_decoder_free(struct native_decoder *decoder);

#endif
