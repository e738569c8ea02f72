/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/traces/support/tracedat.h"

#include "tests/traces/support/files.h"

enum { PAGE = 4096, HEAD = 16, ALLOC = 501, PRINT = 5 };
#define LOST (UINT64_C(1) << 31) /* of a page's commit */

#define COMMON                                                                                     \
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"                         \
    "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"                         \
    "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"                 \
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"

static const char page_format[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
                                  "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
                                  "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
                                  "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";
static const char event_format[] = "# compressed entry header\n\ttype_len    :    5 bits\n"
                                   "\ttime_delta  :   27 bits\n\tarray       :   32 bits\n\n"
                                   "\tpadding     : type == 29\n\ttime_extend : type == 30\n"
                                   "\ttime_stamp : type == 31\n\tdata max type_len  == 28\n";
static const char print_format[] = "name: print\nID: 5\nformat:\n" COMMON
                                   "\tfield:unsigned long ip;\toffset:8;\tsize:8;\tsigned:0;\n"
                                   "\tfield:char buf[];\toffset:16;\tsize:0;\tsigned:0;\n\n"
                                   "print fmt: \"%s\", REC->buf\n";
static const char alloc_format[] =
    "name: mm_page_alloc\nID: 501\nformat:\n" COMMON
    "\tfield:unsigned long pfn;\toffset:8;\tsize:8;\tsigned:0;\n"
    "\tfield:unsigned int order;\toffset:16;\tsize:4;\tsigned:0;\n"
    "\tfield:int migratetype;\toffset:20;\tsize:4;\tsigned:1;\n\n"
    "print fmt: \"pfn=0x%lx order=%d migratetype=%d gfp_flags=GFP_KERNEL\", REC->pfn, REC->order, "
    "REC->migratetype\n";

static void put_text(struct trace_bytes *to, const char *text, unsigned int size_bytes)
{
    trace_put_fixed(to, strlen(text), size_bytes);
    trace_put(to, text, strlen(text));
}

void tracedat_begin(struct tracedat *dat)
{
    static const char magic[] = "\x17\x08\x44tracing6";
    struct trace_bytes *file = &dat->file;

    *dat = (struct tracedat){0};
    trace_put(file, magic, sizeof(magic)); /* with its end */
    trace_put_fixed(file, 0, 1);           /* little endian */
    trace_put_fixed(file, 8, 1);           /* bytes of a long */
    trace_put_fixed(file, PAGE, 4);
    trace_put(file, "header_page", 12);
    put_text(file, page_format, 8);
    trace_put(file, "header_event", 13);
    put_text(file, event_format, 8);
    trace_put_fixed(file, 1, 4); /* formats of ftrace's own */
    put_text(file, print_format, 8);
    trace_put_fixed(file, 1, 4); /* systems */
    trace_put(file, "kmem", 5);
    trace_put_fixed(file, 1, 4);
    put_text(file, alloc_format, 8);
    trace_put_fixed(file, 0, 4); /* symbols */
    trace_put_fixed(file, 0, 4); /* formats of trace_printk */
    put_text(file, "1 a\n2 zp-vmm\n", 8);
    trace_put_fixed(file, 1, 4); /* CPUs */
    trace_put(file, "options  ", 10);
    trace_put_fixed(file, 0, 2);
    trace_put(file, "flyrecord", 10);
}

/* Entry header and common fields. */
static void begin_event(struct tracedat *dat, uint64_t ns, unsigned int bytes, unsigned int id,
                        uint32_t pid)
{
    const uint64_t delta = dat->page.size ? ns - dat->last : 0;

    if (!dat->page.size)
        trace_put_fixed(&dat->page, ns, 8), trace_put_fixed(&dat->page, 0, 8);
    dat->last = ns;
    trace_put_fixed(&dat->page, bytes / 4 | delta << 5, 4);
    trace_put_fixed(&dat->page, id, 2);
    trace_put_fixed(&dat->page, 0, 2);
    trace_put_fixed(&dat->page, pid, 4);
}

void tracedat_alloc(struct tracedat *dat, uint64_t ns, uint32_t pid, uint64_t pfn, uint32_t order)
{
    begin_event(dat, ns, 24, ALLOC, pid);
    trace_put_fixed(&dat->page, pfn, 8);
    trace_put_fixed(&dat->page, order, 4);
    trace_put_fixed(&dat->page, 0, 4);
}

void tracedat_marker(struct tracedat *dat, uint64_t ns, uint32_t pid, const char *text)
{
    const size_t length = strlen(text) + 1;

    begin_event(dat, ns, (unsigned int)(16 + (length + 3) / 4 * 4), PRINT, pid);
    trace_put_fixed(&dat->page, 0, 8);
    trace_put(&dat->page, text, length);
    trace_put_fixed(&dat->page, 0, (unsigned int)((4 - length % 4) % 4));
}

void tracedat_save(struct tracedat *dat, const char *path)
{
    const uint64_t at = (dat->file.size + 16 + PAGE - 1) / PAGE * PAGE;
    const uint64_t commit = dat->page.size - HEAD;
    static const uint8_t zeros[PAGE];

    for (unsigned int i = 0; i < 8; i++)
        dat->page.at[8 + i] = (uint8_t)((commit | (dat->lost ? LOST : 0)) >> (8 * i));
    trace_put_fixed(&dat->file, at, 8);
    trace_put_fixed(&dat->file, PAGE, 8);
    trace_put(&dat->file, zeros, (size_t)(at - dat->file.size));
    trace_put(&dat->file, dat->page.at, dat->page.size);
    trace_put(&dat->file, zeros, PAGE - dat->page.size);
    file_write(path, dat->file.at, dat->file.size);
    trace_bytes_free(&dat->file);
    trace_bytes_free(&dat->page);
}
