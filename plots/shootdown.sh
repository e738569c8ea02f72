#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shootdown.sh FAULTLINE TRACE: shootdown cycles by number of CPUs, without a hypervisor, for
# plots/shootdown.gp. Columns: CPUs, direct-map-unmap, direct-map-batch.
set -euo pipefail
for cpus in 2 4 8 16 32 64 96; do
    "$1" compare "$2" -S direct-map-unmap,direct-map-batch -s s2.enable=0 -s cpu.count=$cpus -f tsv 2>/dev/null |
        awk -F'\t' -v cpus=$cpus 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "cycles.shootdown") c = i; next}
            {line = line "\t" $c} END {print cpus line}'
done
