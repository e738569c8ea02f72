/* SPDX-License-Identifier: MIT */
/* What touching a page of the host raises where its CPUs have #VE: entries as the CPU reads them.
 */
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#include <hyp/bits.h>

#define PA (HRIG_PFN << 12)

static void start(struct hyp_rig *rig, bool ve)
{
    hyp_rig_init(rig);
    rig->config.arch = HYP_ARCH_X86;
    rig->config.ept_ve = ve;
    assert_int_equal(hyp_rig_boot(rig), HYP_OK);
}

/* What the CPU reads last for an address, and its level. */
static uint64_t read_by_cpu(struct hyp_rig *rig, uint64_t ipa, unsigned int *level)
{
    uint64_t table = rig->hyp.host.pgt.root.v, entry;

    for (*level = rig->hyp.host.pgt.top_level;; --*level) {
        entry = fake_mem_load(&rig->fake.mem, table + (ipa >> (12 + 9 * *level) & 511) * 8);
        if (!(entry & 7) || *level == 0 || (entry & 0x80))
            return entry;
        table = entry & HYP_MASK(51, 12);
    }
}

/* Entries between [from, to) by which touching a page raises #VE. */
static uint64_t convertible(struct hyp_rig *rig, uint64_t from, uint64_t to)
{
    uint64_t count = 0;

    while (from < to) {
        unsigned int level;

        count += !(read_by_cpu(rig, from, &level) >> 63);
        from = (from | ((UINT64_C(1) << (12 + 9 * level)) - 1)) + 1;
    }
    return count;
}

static void only_pages_that_are_not_the_hosts_raise_ve(void **state)
{
    const uint64_t end = HRIG_RAM1 + HRIG_RAM1_SIZE;
    struct hyp_rig rig;
    unsigned int level;
    uint64_t own;

    (void)state;
    start(&rig, true);
    own = convertible(&rig, 0, end); /* the hypervisor's own memory */
    assert_int_equal(own, rig.config.pool_pages);
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, HRIG_PFN + 8, 3), HYP_OK);
    assert_int_equal(convertible(&rig, 0, end), own + 3);
    assert_int_equal(read_by_cpu(&rig, PA, &level), UINT64_C(1) << 63); /* no note's neighbour */
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa(PA)), HYP_HOST_MAPPED);
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, HRIG_PFN + 8, 3), HYP_OK);
    assert_int_equal(convertible(&rig, 0, end), own);
    assert_true(fake_table_counts_true(&rig.hyp.host.pgt));
    hyp_rig_free(&rig);

    start(&rig, false); /* without #VE nothing is said for it, and every miss exits */
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, HRIG_PFN + 8, 3), HYP_OK);
    assert_int_equal(read_by_cpu(&rig, (HRIG_PFN + 8) << 12, &level) >> 63, 1);
    assert_int_equal(read_by_cpu(&rig, PA, &level), 0);
    hyp_rig_free(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_pages_that_are_not_the_hosts_raise_ve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
