# SPDX-License-Identifier: GPL-2.0-or-later
# Question: what does each strategy cost over the same trace without donations, and does the machine
# survive it?
# Data:     faultline compare TRACE --plot FILE puts $costs (cycles over the baseline by cause, in
#           millions), $panics and $survives (label, position, height, text; one of them a strategy)
#           and the variables in front of this text.
# Shape:    stage-2 strategies are of one height; those that edit the direct map add shootdown and
#           table edits; strategies that do not repair a stray access are marked with their panics.
set title title_text noenhanced font ",14"
set style data histograms
set style histogram rowstacked
set style fill solid 0.9 border -1
set boxwidth 0.75
set grid ytics lc rgb "#cccccc"
set key outside right top noenhanced
set ylabel "cycles over the run without donations (millions)"
set xtics rotate by -35 left noenhanced
stats $panics using 3 nooutput
top = STATS_max
stats $survives using 3 nooutput
top = STATS_max > top ? STATS_max : top
set yrange [0:top > 0 ? 1.08 * top : 1] # room for the words above the highest bar
set xrange [-0.7:bars - 0.3]
set rmargin 26
set bmargin 7
plot for [c = 2:words(colours) + 1] $costs using c:xtic(1) title columnheader(c) lc rgb word(colours, c - 1), \
     $panics using 2:3:4 with labels textcolor rgb "#b00020" font ",10" offset 0,0.8 notitle, \
     $survives using 2:3:4 with labels textcolor rgb "#2e7d32" font ",10" offset 0,0.8 notitle
