/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text files of a recording, parsed; shared by the importers.
 */
#ifndef TRACES_RECORDING_H
#define TRACES_RECORDING_H

#include "traces/input.h"

/* Events that the recorder and the kernel's ftrace text both have; numbers are the recorder's. */
enum rec_event {
    REC_NONE,
    REC_ALLOC,
    REC_FREE,
    REC_FREE_BATCHED,
    REC_DONATE,
    REC_RECLAIM,
    REC_FIXUP,
    REC_FAULT,
    REC_PAGE_FAULT,
    REC_FLUSH,
    REC_TLB_FLUSH,
    REC_MARKER,
    REC_CLEAR,
    /* In the text only: memory that a task takes for the hypervisor. */
    REC_GIVE_SIZE,
    REC_GIVE_AT,
    /* Of perf alone: an access that was sampled. */
    REC_SAMPLE,
    REC_UNKNOWN, /* an event that is well-formed but not one of these */
};

enum rec_caller { REC_CALLER_OTHER, REC_CALLER_CREATE_VM };

/* One line of ftrace text. */
struct rec_line {
    uint64_t value;   /* frame, struct page, address or size, as the event has it */
    uint64_t pc, aux; /* FAULT: aux esr; FIXUP on x86-64: aux address; FLUSH: aux end; SAMPLE: aux
                         1 a store */
    uint64_t number;  /* line in the file, from 1 */
    uint64_t time;    /* microseconds of the trace clock */
    uint32_t task;
    uint8_t event, cpu, order, migratetype;
    uint8_t class;  /* ALLOC: enum trace_alloc_class */
    uint8_t caller; /* GIVE_AT: enum rec_caller */
    bool vmm;       /* the task is zp-vmm */
    bool ordinary;  /* ALLOC: of a page for a guest whose memory stays in the direct map */
    char *text;     /* MARKER, owned by the text */
};

struct rec_text {
    struct rec_line *line;
    size_t count, room;
    size_t sync;       /* index of the line "zp sync"; count when there is none */
    uint64_t function; /* length of pkvm_create_hyp_vm, from the caller's +0x../0x..; or 0 */
};

enum rec_dialect {
    REC_RECORDING, /* a trace file: each line is a comment or an event */
    REC_CONSOLE,   /* console lines may stand around and between the events */
    REC_PERF,      /* perf script */
    REC_TRACE_DAT, /* trace.dat of trace-cmd */
};

/*
 * Parses one line: 1 an event, 0 a comment or (console) no event, -1 with what is wrong in *wrong.
 * marker receives the text of a marker in place.
 */
int rec_parse_line(char *text, enum rec_dialect dialect, struct rec_line *line, const char **marker,
                   const char **wrong);
/* A line of perf script as one of ftrace; false when it is none, or too long. */
bool rec_perf_line(char *text, char *line, size_t size);
/* The events of a trace.dat as lines of ftrace, in a file that is gone when closed. NULL with the
 * error set. */
FILE *rec_decode_trace_dat(const char *path, struct trace_error *error);
/* All lines up to and with "zp end". 0, or -1 with the error set and nothing held. */
int rec_read_text(struct rec_text *text, const char *path, enum rec_dialect dialect,
                  struct trace_error *error);
void rec_free_text(struct rec_text *text);

/* facts.txt and extable.txt: fills the header (facts is the whole text) and *page_origin (0 when
 * there is none). On failure nothing is held. */
int rec_read_facts(struct trace_header *header, uint64_t *page_origin, const char *dir,
                   struct trace_error *error);
/* Start of a function of symbols.txt.xz; 0 when it is not listed. */
int rec_find_symbol(const char *dir, const char *name, uint64_t *address,
                    struct trace_error *error);
/* True when pc belongs to a load of load_unaligned_zeropad() (types as the kernel numbers them:
 * arm64 4, x86-64 20). */
bool rec_is_zeropad(const struct trace_header *header, uint64_t pc);
bool rec_in_ram(const struct trace_header *header, uint64_t pa);
/* Pages of RAM up to the highest address. */
uint64_t rec_frames(const struct trace_header *header);

#endif
