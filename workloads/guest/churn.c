/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Donation and reclaim in a loop: loans through FL_LEND, pages shared with the hypervisor, and
 * whole protected VMs by the calls of the core, whose payload (payload_*.S) shares a page with this
 * kernel and takes it back.
 *
 * Arguments: iterations, pages (of all loans and of each VM), batch (pages of a loan),
 * bug=wild-read (the kernel reads a page that its VM no longer shares, without an exception table
 * entry: it dies, or takes the page from the VM by force, which the VM then dies of).
 */
#include "kernel.h"

#include <hyp/hcall.h>

#define PAGES_MAX 256u
#define IPA_BITS  36u
#define TABLES    8u     /* pages for the tables of a VM */
#define GFN       0x100u /* of a VM's first page, which holds the payload */

enum churn_operation { FILL, SHARE, UNSHARE, SUM };

extern const uint8_t fl_payload[], fl_payload_end[];

static uint64_t pages[PAGES_MAX], page_count;
static uint64_t meta, vcpu_meta, root, table_pages[TABLES];
static bool wild_read;

static struct {
    uint64_t lent, refused, shared, vms, donated, runs, vm_shares, denied, reclaimed, given_back;
} count;

/* Reads a word that may be out of reach. */
static bool read_word(uint64_t pa, uint64_t *word)
{
    uint64_t value, failed = 0;

#if defined(__aarch64__)
    __asm__ volatile("1: ldr %0, [%2]\n"
                     "2:\n"
                     ".pushsection .text.fixup, \"ax\"\n"
                     "3: mov %1, #1\n"
                     "mov %0, xzr\n"
                     "b 2b\n"
                     ".popsection\n" FL_EXTABLE(1b, 3b)
                     : "=&r"(value), "+&r"(failed)
                     : "r"(fl_va(pa))
                     : "memory");
#else
    __asm__ volatile("1: mov (%2), %0\n"
                     "2:\n"
                     ".pushsection .text.fixup, \"ax\"\n"
                     "3: mov $1, %1\n"
                     "xor %0, %0\n"
                     "jmp 2b\n"
                     ".popsection\n" FL_EXTABLE(1b, 3b)
                     : "=&r"(value), "+&r"(failed)
                     : "r"(fl_va(pa))
                     : "memory", "cc");
#endif
    *word = value;
    return failed == 0;
}

/* Whether this kernel survives a look at a page that the core took from it. */
static bool may_look(void)
{
    switch ((enum fl_stray)fl_boot->stray) {
    case FL_STRAY_SEA_FIXUP:
    case FL_STRAY_REFLECT:
    case FL_STRAY_SYNDROME:
    case FL_STRAY_SDEI:
    case FL_STRAY_PF:
    case FL_STRAY_VE:
        return true;
    default:
        return false;
    }
}

static void expect_denied(uint64_t pa)
{
    uint64_t word;

    if (may_look()) {
        fl_check(!read_word(pa, &word));
        count.denied++;
    }
}

static void ok(const char *what, int64_t answer)
{
    if (answer != 0)
        fl_fail("%s: -%lu\n", what, (uint64_t)-answer);
}

/* ---- loans and shares ---- */

static void stamp(uint64_t pa)
{
    uint64_t *words = fl_va(pa);

    words[0] = pa;
    words[511] = ~pa;
    fl_check(words[0] == pa && words[511] == ~pa);
}

/* All pages, so many with each call. */
static void lend_all(uint64_t owner, uint64_t batch)
{
    for (uint64_t i = 0; i < page_count; i += batch) {
        uint64_t run = page_count - i < batch ? page_count - i : batch;
        for (uint64_t j = i; j < i + run; j++)
            stamp(pages[j]);
        if (fl_call(FL_LEND, pages[i], owner, run) != 0) {
            count.refused += run;
            continue;
        }
        count.lent += run;
        ok("FL_RETURN", fl_call(FL_RETURN, pages[i], run, 0));
        for (uint64_t j = i; j < i + run; j++)
            stamp(pages[j]);
    }
}

static void share_all(void)
{
    uint64_t shared = 0;

    while (shared < page_count &&
           fl_call(HYP_HCALL_HOST_SHARE_HYP, pages[shared] >> PAGE_SHIFT, 0, 0) == 0)
        stamp(pages[shared++]);
    count.shared += shared;
    for (uint64_t i = 0; i < shared; i++)
        ok("unshare", fl_call(HYP_HCALL_HOST_UNSHARE_HYP, pages[i] >> PAGE_SHIFT, 0, 0));
}

/* ---- VMs ---- */

static uint64_t ipa_of(uint64_t page)
{
    return (GFN + page) << PAGE_SHIFT;
}

/* A list for VCPU_REFILL: the first word of each page is the address of the next. */
static uint64_t link_tables(void)
{
    uint64_t head = 0;

    for (unsigned int i = 0; i < TABLES; i++) {
        *(uint64_t *)fl_va(table_pages[i]) = head;
        head = table_pages[i];
    }
    return head;
}

static void build(uint64_t handle)
{
    ok("VM_INIT",
       (int64_t)fl_call6(HYP_HCALL_VM_INIT, handle, 1 | IPA_BITS << 8, meta, 1, root, 1).value);
    ok("VCPU_INIT", fl_call(HYP_HCALL_VCPU_INIT, handle, vcpu_meta, 0));
    ok("VCPU_LOAD", fl_call(HYP_HCALL_VCPU_LOAD, handle, 0, 0));
    ok("VCPU_REFILL", fl_call(HYP_HCALL_VCPU_REFILL, link_tables(), TABLES, TABLES));
    memset(fl_va(pages[0]), 0, PAGE_SIZE);
    memcpy(fl_va(pages[0]), fl_payload, (uint64_t)(fl_payload_end - fl_payload));
    for (uint64_t i = 0; i < page_count; i++) {
        ok("HOST_DONATE_GUEST",
           fl_call(HYP_HCALL_HOST_DONATE_GUEST, pages[i] >> PAGE_SHIFT, GFN + i, 0));
        count.donated++;
    }
    expect_denied(pages[page_count - 1]);
}

/* Lets the VM do one operation on its page; its answer. */
static uint64_t run(enum churn_operation operation, uint64_t page)
{
    struct fl_answer answer =
        fl_call6(FL_VCPU_RUN, ipa_of(0), ipa_of(page) | operation, 0, 0, 0, 0);

    count.runs++;
    if (answer.value != FL_VM_EXITED)
        fl_fail("the VM did not exit: %lu, %lx\n", answer.value, answer.more[0]);
    return answer.more[0];
}

/* What the payload filled a page with; its words. */
static uint64_t word_of(uint64_t page, uint64_t n)
{
    return 3 * (ipa_of(page) + 8 * n);
}

/* The VM shares a page: this kernel reads what the VM wrote, answers in it, and loses it again. */
static void converse(uint64_t page)
{
    uint64_t *words = fl_va(pages[page]);
    uint64_t sum = 0;
    uint64_t word;

    fl_check(run(FILL, page) == 0);
    expect_denied(pages[page]);
    fl_check(run(SHARE, page) == 0);
    count.vm_shares++;
    for (uint64_t n = 0; n < 512; n++) {
        fl_check(words[n] == word_of(page, n));
        words[n] += n;
        sum += words[n];
    }
    fl_check(run(SUM, page) == sum);
    fl_check(run(UNSHARE, page) == 0);
    expect_denied(pages[page]);
    if (wild_read)
        fl_print("wild read: %lx\n", *(volatile uint64_t *)words);
    fl_check(run(SUM, page) == sum);
    if (page % 2 == 0) { /* it dies while it shares */
        fl_check(run(SHARE, page) == 0);
        fl_check(read_word(pages[page], &word) && word == word_of(page, 0));
    }
}

static void tear_down(uint64_t handle)
{
    ok("VCPU_PUT", fl_call(HYP_HCALL_VCPU_PUT, 0, 0, 0));
    ok("VM_START_TEARDOWN", fl_call(HYP_HCALL_VM_START_TEARDOWN, handle, 0, 0));
    for (uint64_t i = 0; i < page_count; i++) {
        ok("VM_RECLAIM_PAGE", fl_call(HYP_HCALL_VM_RECLAIM_PAGE, handle, GFN + i, 0));
        count.reclaimed++;
        /* Wiped, unless it was shared when the VM died. */
        bool kept = i > 0 && i % 2 == 0;
        fl_check(*(uint64_t *)fl_va(pages[i]) == (kept ? word_of(i, 0) : 0));
        stamp(pages[i]);
    }
    struct fl_answer answer = fl_call6(HYP_HCALL_VM_FINALIZE, handle, 0, 0, 0, 0, 0);
    ok("VM_FINALIZE", (int64_t)answer.value);
    uint64_t listed = 0;
    for (uint64_t page = answer.more[0]; listed < answer.more[1]; listed++)
        page = *(uint64_t *)fl_va(page);
    fl_check(listed == TABLES + 1); /* and the root */
    count.given_back += listed;
    stamp(meta);
    stamp(vcpu_meta);
    stamp(root);
}

/* False: there is no hypervisor that keeps VMs. */
static bool one_vm(void)
{
    int64_t handle = fl_call(HYP_HCALL_VM_RESERVE, 0, 0, 0);

    if (handle < 0)
        return false;
    count.vms++;
    build((uint64_t)handle);
    for (uint64_t page = 1; page < page_count; page++)
        converse(page);
    tear_down((uint64_t)handle);
    return true;
}

static void tally(void)
{
    fl_tally("pages lent", count.lent);
    fl_tally("loans refused", count.refused);
    fl_tally("pages shared with hypervisor", count.shared);
    fl_tally("VMs", count.vms);
    fl_tally("pages donated to VMs", count.donated);
    fl_tally("runs of VMs", count.runs);
    fl_tally("pages shared by VMs", count.vm_shares);
    fl_tally("looks denied", count.denied);
    fl_tally("pages reclaimed", count.reclaimed);
    fl_tally("table pages given back", count.given_back);
}

int guest_main(void)
{
    uint64_t iterations = fl_argument("iterations", 8);
    uint64_t batch = fl_argument("batch", 8);

    page_count = fl_argument("pages", 16);
    wild_read = fl_argument_is("bug", "wild-read");
    if (page_count < 2 || page_count > PAGES_MAX || batch < 1)
        fl_fail("pages: 2 to %u, not %lu; batch: at least 1\n", PAGES_MAX, page_count);
    pages[0] = fl_pages(page_count);
    for (uint64_t i = 1; i < page_count; i++)
        pages[i] = pages[0] + i * PAGE_SIZE;
    for (unsigned int i = 0; i < TABLES; i++)
        table_pages[i] = fl_pages(1);
    meta = fl_pages(1);
    vcpu_meta = fl_pages(1);
    root = fl_pages(1);

    fl_mark("loans");
    for (uint64_t i = 0; i < iterations; i++) {
        lend_all(i % 2, 1);
        lend_all(i % 2, batch);
        share_all();
    }
    tally();
    fl_mark("VMs");
    for (uint64_t i = 0; i < iterations && one_vm(); i++)
        tally();
    tally();
    fl_print("%lu pages lent, %lu VMs with %lu pages, %lu shares\n", count.lent, count.vms,
             count.donated, count.vm_shares);
    return 0;
}
