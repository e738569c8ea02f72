/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace as text that a person can read: position, CPU, kind, arguments. */
#include <errno.h>
#include <inttypes.h>

#include "traces/bytes.h"

static void dump_access(const struct trace_block *block, const struct trace_rec *rec, FILE *out)
{
    const struct trace_site *site = &block->sites[rec->site];

    fprintf(out, "%s%u va=%016" PRIx64 " pc=%016" PRIx64 "%s%s",
            site->fetch   ? "fetch"
            : site->store ? "store"
                          : "load",
            1u << site->size_log2, rec->addr, site->pc, site->zeropad ? " zeropad" : "",
            site->user ? " user" : "");
}

static const char *owner_name(uint32_t owner)
{
    static const char *const names[] = {"host", "hyp", "guest"};

    return (owner & 0xff) <= TRACE_OWNER_GUEST ? names[owner & 0xff] : "unknown";
}

static void dump_hands(const struct trace_rec *rec, const struct trace_event *event, FILE *out)
{
    fprintf(out, "%s pa=%" PRIx64 " pages=%" PRIu64 " owner=%s.%u%s%s",
            trace_kind_name((enum trace_kind)rec->kind), rec->addr, event->a,
            owner_name(event->owner), event->owner >> 8,
            event->b & TRACE_DONATE_UNMAPPED ? " unmapped" : "",
            event->b & TRACE_DONATE_INITIAL ? " initial" : "");
}

static const char *class_name(uint64_t class)
{
    static const char *const names[] = {"other",     "movable", "user",
                                        "unmovable", "secret",  "kernel"};

    return class < sizeof(names) / sizeof(names[0]) ? names[class] : "unknown";
}

static const char *outcome_name(uint64_t outcome)
{
    static const char *const names[] = {"repaired", "panic", "other"};

    return outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "unknown";
}

static const char *mark_name(uint64_t mark)
{
    static const char *const names[] = {"start", "phase", "end", "user"};

    return mark < sizeof(names) / sizeof(names[0]) ? names[mark] : "unknown";
}

static void dump_event(const struct trace_block *block, const struct trace_rec *rec, FILE *out)
{
    const struct trace_event *event = &block->events[rec->site];
    const char *name = trace_kind_name((enum trace_kind)rec->kind);

    switch ((enum trace_kind)rec->kind) {
    case TRACE_PAGE:
        fprintf(out, "page va=%016" PRIx64 " pa=%" PRIx64 "%s%s%s", rec->addr, event->a,
                event->b & TRACE_PAGE_DEVICE ? " device" : "",
                event->b & TRACE_PAGE_CODE ? " code" : "",
                event->b & TRACE_PAGE_READONLY ? " readonly" : "");
        break;
    case TRACE_ALLOC:
        fprintf(out, "alloc pa=%" PRIx64 " order=%" PRIu64 " class=%s migratetype=%" PRIu64,
                rec->addr, event->a, class_name(event->b), event->c);
        break;
    case TRACE_FREE:
        fprintf(out, "free pa=%" PRIx64 " order=%" PRIu64 "%s", rec->addr, event->a,
                event->b & 1 ? " batched" : "");
        break;
    case TRACE_DONATE:
    case TRACE_RECLAIM:
    case TRACE_SHARE:
    case TRACE_UNSHARE:
        dump_hands(rec, event, out);
        break;
    case TRACE_KFAULT:
        fprintf(out, "kfault va=%016" PRIx64 " pc=%016" PRIx64 " esr=%" PRIx64 " %s", rec->addr,
                event->a, event->b, outcome_name(event->c));
        break;
    case TRACE_FLUSH:
        fprintf(out, "flush va=%016" PRIx64 " end=%016" PRIx64, rec->addr, event->a);
        break;
    case TRACE_TLBI:
        fprintf(out, "tlbi code=%" PRIx64, event->a);
        break;
    case TRACE_HYPERCALL:
        fprintf(out, "hypercall pc=%016" PRIx64, rec->addr);
        break;
    case TRACE_CLEAR:
        fprintf(out, "clear pa=%" PRIx64 " pages=%" PRIu64, rec->addr, event->a);
        break;
    case TRACE_MARK:
        fprintf(out, "mark %s \"%s\"", mark_name(event->a), block->text + event->b);
        break;
    case TRACE_PAGE_FLAGS:
        fprintf(out, "page-flags pa=%" PRIx64 " pages=%" PRIu64 " flags=%" PRIx64, rec->addr,
                event->a, event->b);
        break;
    case TRACE_ACCESS:
    case TRACE_SWITCH:
    case TRACE_IRQ:
    case TRACE_VMENTER:
    case TRACE_VMEXIT:
    case TRACE_WORD:
    case TRACE_SYSREG:
    case TRACE_INVALIDATE:
    case TRACE_ARGS:
    case TRACE_CALL:
    case TRACE_KIND_COUNT:
        fprintf(out, "%s addr=%" PRIx64 " a=%" PRIx64 " b=%" PRIx64, name, rec->addr, event->a,
                event->b);
        break;
    }
    if (event->task)
        fprintf(out, " task=%u", event->task);
    if (event->clock)
        fprintf(out, " clock=%" PRIu64, event->clock);
}

int trace_dump(struct trace_source *source, FILE *out, struct trace_error *error)
{
    struct trace_block block;
    int status;

    while ((status = source->next(source, &block, error)) == 1) {
        for (size_t i = 0; i < block.count; i++) {
            const struct trace_rec *rec = &block.rec[i];

            fprintf(out, "%" PRIu64 " cpu%u ", block.first + i, rec->cpu);
            if (rec->kind == TRACE_ACCESS)
                dump_access(&block, rec, out);
            else
                dump_event(&block, rec, out);
            fputc('\n', out);
        }
        if (ferror(out))
            return trace_fail(error, "cannot write the dump: %s", strerror(errno));
    }
    return status;
}
