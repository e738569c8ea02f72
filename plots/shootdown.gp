# SPDX-License-Identifier: GPL-2.0-or-later
# Question: how does the cost of taking pages out of the direct map grow with the number of CPUs, when
# each page is flushed by itself and when a batch shares one flush?
# Data:     plots/shootdown.sh FAULTLINE TRACE >out/shootdown.tsv
#           gnuplot -e "data='out/shootdown.tsv'; picture='out/shootdown.png'" plots/shootdown.gp
# Shape:    a line through the number of CPUs for pages, nearly flat for batches; XPFO on 4 and 96 CPUs
#           reports the same (2.6 and 26 times the system time by pages, 1.3 batched).
set terminal pngcairo size 900,540 font 'sans,11'
set output picture
set title "Shootdown cycles of 3,934 donated pages, amd64-a" font ",13"
set xlabel "CPUs"
set ylabel "cycles (millions)"
set key left top noenhanced
set grid lc rgb "#cccccc"
set yrange [0:*]
plot data using 1:($2 / 1e6) with linespoints lw 2 pt 7 lc rgb "#d55e00" title "direct-map-unmap: a flush for each page", \
     data using 1:($3 / 1e6) with linespoints lw 2 pt 5 lc rgb "#0072b2" title "direct-map-batch: a flush for 32 pages"
