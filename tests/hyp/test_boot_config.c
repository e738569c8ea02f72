/* SPDX-License-Identifier: MIT */
/* What hyp_init accepts, where the layout puts things, and boot on other granules and memory maps.
 */
#include "hyp/hyp_priv.h"
#include "tests/support/cmocka_all.h"
#include "tests/support/hyp_rig.h"

#include <stdlib.h>
#include <string.h>

#define HALF    (UINT64_C(1) << 47)
#define QUARTER (UINT64_C(1) << 46)

/* ---- what is refused ---- */

static struct hyp untouched;

/* hyp_init refuses rig->config and leaves the struct alone. */
static void expect_malformed(struct hyp_rig *rig)
{
    memset(&rig->hyp, 0x5c, sizeof(rig->hyp));
    memset(&untouched, 0x5c, sizeof(untouched));
    assert_int_equal(hyp_init(&rig->hyp, &rig->config), HYP_EINVAL);
    assert_memory_equal(&rig->hyp, &untouched, sizeof(untouched));
}

/* One malformed field at a time, on a configuration that is otherwise good. */
#define EXPECT_MALFORMED(field, value)                                                             \
    do {                                                                                           \
        struct hyp_rig rig_;                                                                       \
        hyp_rig_init(&rig_);                                                                       \
        rig_.field = (value);                                                                      \
        expect_malformed(&rig_);                                                                   \
        hyp_rig_free(&rig_);                                                                       \
    } while (0)

static void malformed_configurations_are_refused(void **state)
{
    (void)state;
    EXPECT_MALFORMED(config.port, NULL);
    EXPECT_MALFORMED(config.vmemmap, NULL);
    EXPECT_MALFORMED(config.page_shift, 13);
    EXPECT_MALFORMED(config.features.pa_range, 7);
    EXPECT_MALFORMED(config.cpu_count, 0);
    EXPECT_MALFORMED(config.cpu_count, HYP_CPUS_MAX + 1);
    EXPECT_MALFORMED(config.vm_count, HYP_VMS_MAX + 1);
    EXPECT_MALFORMED(config.vms, NULL);
    EXPECT_MALFORMED(config.va_bits, 49);
    EXPECT_MALFORMED(config.va_bits, 31);
    EXPECT_MALFORMED(config.regions, NULL);
    EXPECT_MALFORMED(config.region_count, 0);
    EXPECT_MALFORMED(config.region_count, HYP_REGIONS_MAX + 1);
    EXPECT_MALFORMED(config.vmemmap_first, (HRIG_RAM0 >> 12) + 1);
    EXPECT_MALFORMED(config.pool.v, HRIG_RAM0 + 0x800);
    EXPECT_MALFORMED(config.pool.v, HRIG_RAM0 - 0x1000);
    EXPECT_MALFORMED(config.pool.v, HRIG_NOMAP);
    EXPECT_MALFORMED(config.pool_pages, 0);
    EXPECT_MALFORMED(config.pool_pages, (HRIG_RAM0_SIZE >> 12) + 1);
    EXPECT_MALFORMED(config.section_count, 1);
    EXPECT_MALFORMED(config.host_policy.force_page, (enum hyp_force_page)9);
    EXPECT_MALFORMED(config.pool_policy.reuse, (enum hyp_reuse)9);
    EXPECT_MALFORMED(config.pool_policy.max_order, HYP_MAX_ORDER + 1);
    EXPECT_MALFORMED(config.host_policy.rebuild, (enum hyp_rebuild)9);
    EXPECT_MALFORMED(regions[1].base.v, HRIG_RAM0 + HRIG_RAM0_SIZE - 0x1000);
    EXPECT_MALFORMED(regions[1].base.v, HRIG_RAM0 - 0x10000000);
    EXPECT_MALFORMED(regions[1].base.v, HRIG_RAM1 + 1);
    EXPECT_MALFORMED(regions[1].size, 0);
    EXPECT_MALFORMED(regions[1].size, 0x1001);
    EXPECT_MALFORMED(regions[2].size, UINT64_C(1) << 40);
    EXPECT_MALFORMED(regions[2].base.v, UINT64_C(1) << 40);
}

static void sections_must_be_ram_outside_the_pool(void **state)
{
    static const struct hyp_section bad[] = {
        {HYP_SECTION_DATA, {HRIG_RAM0}, 0x1000},
        {HYP_SECTION_DATA, {HRIG_RAM0 + HRIG_RAM0_SIZE - 0x1000}, 0x2000},
        {HYP_SECTION_DATA, {HRIG_NOMAP}, 0x1000},
        {HYP_SECTION_DATA, {0x42000000}, 0},
        {HYP_SECTION_DATA, {0x42000000}, 0x800},
        {HYP_SECTION_DATA, {0x42000800}, 0x1000},
    };
    struct hyp_rig rig;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        hyp_rig_init(&rig);
        rig.config.sections = &bad[i];
        rig.config.section_count = 1;
        expect_malformed(&rig);
        hyp_rig_free(&rig);
    }
}

static void the_configuration_cannot_be_changed_afterwards(void **state)
{
    struct hyp_rig rig;

    (void)state;
    hyp_rig_init(&rig);
    assert_int_equal(hyp_init(&rig.hyp, &rig.config), HYP_OK);
    rig.config.features.fwb = false;
    rig.config.features.pa_range = 5;
    rig.regions[0].size = 0x1000;
    rig.config.host_policy.max_block_level = 0;
    assert_int_equal(hyp_boot(&rig.hyp), HYP_OK);
    assert_true(rig.hyp.features.fwb);
    assert_int_equal(rig.hyp.pa_bits, 40);
    assert_int_equal(rig.hyp.host.regions[0].size, HRIG_RAM0_SIZE);
    assert_int_equal(rig.hyp.host.pgt.max_block_level, 2);
    hyp_rig_free(&rig);
}

static unsigned int pa_bits_with(unsigned int page_shift, unsigned int pa_range, bool lpa2)
{
    static const struct hyp_region ram = {{UINT64_C(0x80000000)}, UINT64_C(64) << 20, false};
    struct hyp_rig rig;
    unsigned int bits;

    hyp_rig_init(&rig);
    rig.config.page_shift = page_shift;
    rig.config.features.pa_range = pa_range;
    rig.config.features.lpa2 = lpa2;
    rig.config.regions = &ram;
    rig.config.region_count = 1;
    rig.config.pool = ram.base;
    rig.config.pool_pages = 16; /* hyp_init does not look at how many */
    rig.config.vmemmap_first = 0;
    assert_int_equal(hyp_init(&rig.hyp, &rig.config), HYP_OK);
    bits = rig.hyp.pa_bits;
    hyp_rig_free(&rig);
    return bits;
}

static void addresses_of_52_bits_need_a_descriptor_that_can_say_them(void **state)
{
    (void)state;
    assert_int_equal(pa_bits_with(12, 0, false), 32);
    assert_int_equal(pa_bits_with(12, 5, false), 48);
    assert_int_equal(pa_bits_with(12, 6, false), 48);
    assert_int_equal(pa_bits_with(14, 6, false), 48);
    assert_int_equal(pa_bits_with(12, 6, true), 52);
    assert_int_equal(pa_bits_with(16, 6, false), 52);
}

static void regions_and_sections_may_touch_what_bounds_them(void **state)
{
    static const struct hyp_section last = {
        HYP_SECTION_DATA, {HRIG_RAM0 + HRIG_RAM0_SIZE - 0x1000}, 0x1000};
    static struct hyp_region many[HYP_REGIONS_MAX];
    struct hyp_rig rig;
    unsigned int i;

    (void)state;
    hyp_rig_init(&rig);
    rig.regions[1].base.v = HRIG_RAM0 + HRIG_RAM0_SIZE;     /* no gap */
    rig.regions[2].size = (UINT64_C(1) << 40) - HRIG_NOMAP; /* to the last address */
    rig.config.sections = &last;
    rig.config.section_count = 1;
    assert_int_equal(hyp_init(&rig.hyp, &rig.config), HYP_OK);
    for (i = 0; i < HYP_REGIONS_MAX; i++)
        many[i] = (struct hyp_region){{HRIG_RAM0 + i * HRIG_RAM0_SIZE}, HRIG_RAM0_SIZE, false};
    rig.config.regions = many;
    rig.config.region_count = HYP_REGIONS_MAX;
    assert_int_equal(hyp_init(&rig.hyp, &rig.config), HYP_OK);
    hyp_rig_free(&rig);
}

/* ---- layout ---- */

static struct hyp_layout layout_with_idmap(uint64_t idmap, enum hyp_err expected)
{
    struct hyp_region ram = {{UINT64_C(0x80000000)}, UINT64_C(1) << 40, false};
    struct hyp_section section = {HYP_SECTION_IDMAP, {idmap}, 0x1000};
    struct hyp_config config = {.page_shift = 12,
                                .regions = &ram,
                                .region_count = 1,
                                .sections = &section,
                                .section_count = 1};
    struct hyp_layout layout = {0};

    assert_int_equal(hyp_boot_layout(&config, &layout), expected);
    return layout;
}

static void private_and_descriptors_avoid_the_identity_page(void **state)
{
    static const struct {
        uint64_t idmap, linear, private_base;
    } cases[] = {
        {0x80000000, HALF, QUARTER}, /* lower half, lower quarter */
        {QUARTER + 0x1000, HALF, 0}, /* lower half, upper quarter */
        {HALF, 0, HALF + QUARTER},   /* upper half, lower quarter */
        {HALF + QUARTER + 0x1000, 0, HALF},
    };
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        struct hyp_layout layout = layout_with_idmap(cases[i].idmap, HYP_OK);

        assert_int_equal(UINT64_C(0x80000000) - layout.physvirt_offset, cases[i].linear);
        assert_int_equal(layout.private_base, cases[i].private_base);
        assert_int_equal(layout.vmemmap_base, cases[i].private_base + QUARTER / 2);
        assert_int_equal(layout.private_end, layout.vmemmap_base);
        assert_int_equal(layout.vmemmap_end, cases[i].private_base + QUARTER);
    }
    (void)layout_with_idmap(UINT64_C(1) << 48, HYP_EINVAL);
}

static void ram_must_fit_the_linear_half(void **state)
{
    struct hyp_region ram = {{UINT64_C(0x40000000)}, UINT64_C(1) << 31, false};
    struct hyp_config config = {
        .page_shift = 12, .va_bits = 32, .regions = &ram, .region_count = 1};
    struct hyp_layout layout;

    (void)state;
    assert_int_equal(hyp_boot_layout(&config, &layout), HYP_OK);
    ram.size += 0x1000;
    assert_int_equal(hyp_boot_layout(&config, &layout), HYP_EINVAL);
}

static void private_addresses_grow_upwards_until_the_descriptors(void **state)
{
    struct hyp_rig rig;
    uint64_t va, end;

    (void)state;
    hyp_rig_start(&rig);
    end = rig.hyp.layout.private_end;
    assert_int_equal(hyp_private_alloc(&rig.hyp, 1, &va), HYP_OK);
    assert_int_equal(rig.hyp.private_cursor, va + 0x1000);
    assert_int_equal(hyp_private_alloc(&rig.hyp, 0, &va), HYP_EINVAL);
    assert_int_equal(hyp_private_alloc_at(&rig.hyp, rig.hyp.private_cursor - 0x1000, 0x1000),
                     HYP_EINVAL);
    assert_int_equal(hyp_private_alloc_at(&rig.hyp, rig.hyp.private_cursor + 1, 0x1000),
                     HYP_EINVAL);
    assert_int_equal(hyp_private_alloc_at(&rig.hyp, end - 0x1000, 0x2000), HYP_ENOMEM);
    assert_int_equal(hyp_private_alloc_at(&rig.hyp, end + 0x1000, 0x1000), HYP_ENOMEM);
    assert_int_equal(hyp_private_alloc_at(&rig.hyp, end - 0x1000, 0x1000), HYP_OK);
    assert_int_equal(hyp_private_alloc(&rig.hyp, 1, &va), HYP_ENOMEM);
    assert_int_equal(hyp_private_map(&rig.hyp, hyp_pa(0x800), 0x1000, HYP_PROT_R, &va), HYP_EINVAL);
    hyp_rig_free(&rig);
}

/* ---- other machines ---- */

/* Boots on `count` regions of `size` bytes, `step` apart; donates and gives back in the last. */
static void boot_on(unsigned int page_shift, struct hyp_features features, uint64_t base,
                    unsigned int count, uint64_t size, uint64_t step)
{
    static struct hyp_rig rig;
    static struct hyp_region regions[HYP_REGIONS_MAX];
    struct hyp_violation violation;
    struct hyp_carve carve;
    hyp_pfn_t pfn;
    unsigned int i;

    hyp_rig_init(&rig);
    free(rig.descriptors);
    for (i = 0; i < count; i++)
        regions[i] = (struct hyp_region){{base + i * step}, size, false};
    rig.config.page_shift = page_shift;
    rig.config.features = features;
    rig.config.regions = regions;
    rig.config.region_count = count;
    rig.config.vmemmap_first = base >> page_shift;
    rig.descriptor_count = ((count - 1) * step + size) >> page_shift;
    rig.descriptors = calloc(rig.descriptor_count, sizeof(*rig.descriptors));
    assert_non_null(rig.descriptors);
    rig.config.vmemmap = rig.descriptors;
    rig.config.pool = hyp_pa(base);
    hyp_boot_carve(&rig.config, &carve);
    rig.config.pool_pages = hyp_boot_pool_pages(&carve);
    rig.fake.record = 1u << FAKE_ROOT;
    assert_int_equal(hyp_rig_boot(&rig), HYP_OK);
    /* TCR_EL2.TG0: 0, 2, 1 for 4K, 16K, 64K; bit 32 is DS. */
    assert_int_equal(rig.fake.calls[0].value >> 14 & 3, page_shift == 12   ? 0
                                                        : page_shift == 14 ? 2
                                                                           : 1);
    assert_int_equal(rig.fake.calls[0].value >> 32, features.lpa2);
    pfn = (regions[count - 1].base.v + size) >> page_shift;
    assert_int_equal(hyp_host_donate_hyp(&rig.hyp, pfn - 3, 3), HYP_OK);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa((pfn - 4) << page_shift)), HYP_HOST_MAPPED);
    assert_int_equal(hyp_host_touch(&rig.hyp, hyp_ipa((pfn - 1) << page_shift)), HYP_HOST_INJECTED);
    assert_true(hyp_check(&rig.hyp, pfn - 64, 64, &violation));
    assert_true(hyp_check(&rig.hyp, base >> page_shift, 32, &violation));
    assert_int_equal(hyp_hyp_donate_host(&rig.hyp, pfn - 3, 3), HYP_OK);
    assert_true(hyp_check(&rig.hyp, pfn - 64, 64, &violation));
    assert_true(fake_table_counts_true(&rig.hyp.s1));
    hyp_rig_free(&rig);
}

static void boot_works_on_every_granule(void **state)
{
    const struct hyp_features modern = {
        .pa_range = 2, .vmid16 = true, .fwb = true, .range_tlbi = true, .xnx = true};
    const struct hyp_features old = {.pa_range = 2};
    const struct hyp_features wide = {.pa_range = 6, .fwb = true, .lpa2 = true, .hvhe = true};

    (void)state;
    boot_on(12, modern, UINT64_C(0x80000000), 1, UINT64_C(64) << 20, 0);
    boot_on(14, modern, UINT64_C(0x80000000), 1, UINT64_C(64) << 20, 0);
    boot_on(16, modern, UINT64_C(0x80000000), 1, UINT64_C(64) << 20, 0);
    boot_on(12, old, UINT64_C(0x80000000), 1, UINT64_C(64) << 20, 0);
    boot_on(12, wide, UINT64_C(0x80000000), 1, UINT64_C(64) << 20, 0);
    boot_on(14, wide, UINT64_C(0x80000000), 1, UINT64_C(64) << 20, 0);
}

static void boot_works_with_many_odd_regions(void **state)
{
    const struct hyp_features modern = {.pa_range = 2, .fwb = true, .range_tlbi = true};

    (void)state;
    boot_on(12, modern, UINT64_C(0x80001000), 16, (UINT64_C(15) << 20) + 4096, UINT64_C(1) << 24);
    boot_on(12, modern, UINT64_C(0x80001000), 64, (UINT64_C(31) << 20) + 4096, UINT64_C(1) << 25);
    /* Neighbours so close that their descriptors meet in one page of the map. */
    boot_on(12, modern, UINT64_C(0x80000000), 2, (UINT64_C(64) << 20) + 100 * 4096,
            (UINT64_C(64) << 20) + 104 * 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_configurations_are_refused),
        cmocka_unit_test(sections_must_be_ram_outside_the_pool),
        cmocka_unit_test(the_configuration_cannot_be_changed_afterwards),
        cmocka_unit_test(addresses_of_52_bits_need_a_descriptor_that_can_say_them),
        cmocka_unit_test(regions_and_sections_may_touch_what_bounds_them),
        cmocka_unit_test(private_and_descriptors_avoid_the_identity_page),
        cmocka_unit_test(ram_must_fit_the_linear_half),
        cmocka_unit_test(private_addresses_grow_upwards_until_the_descriptors),
        cmocka_unit_test(boot_works_on_every_granule),
        cmocka_unit_test(boot_works_with_many_odd_regions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
