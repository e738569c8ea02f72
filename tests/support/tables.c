/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rig: fake port, pool and one table. */
#include "tests/support/tables.h"

#include <stdlib.h>

void rig_init_config(struct table_rig *rig, struct hyp_pgt_config config, uint64_t pages)
{
    const hyp_pfn_t first = (RIG_FIRST_PFN << 12) >> config.page_shift;

    fake_machine_init(&rig->machine, config.page_shift, first, pages + 64, pages);
    config.port = &rig->machine.fake.port;
    config.vmemmap = &rig->machine.vmemmap;
    if (hyp_pgt_init(&rig->pgt, &config, &rig->machine.pool, NULL))
        abort();
    rig_reset(rig);
}

void rig_init(struct table_rig *rig, uint64_t flags, uint64_t pages)
{
    const struct hyp_pgt_config config = {.fmt = &hyp_fmt_arm64_s2,
                                          .page_shift = 12,
                                          .ia_bits = 40,
                                          .flags = flags,
                                          .vmid = 7,
                                          .max_block_level = 2};

    rig_init_config(rig, config, pages);
}

void rig_free(struct table_rig *rig)
{
    fake_machine_free(&rig->machine);
}

void rig_reset(struct table_rig *rig)
{
    fake_port_reset(&rig->machine.fake);
}
