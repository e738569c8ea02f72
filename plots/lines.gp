# SPDX-License-Identifier: GPL-2.0-or-later
# Question: how does a figure of many runs follow one parameter, a line for each strategy (or for each
# value of another column)?
# Data:     faultline plot RESULTS.db puts one block for each line ($line0, ...: position, value; its
#           title in the first row), `lines`, the labels, `logarithmic`, `all_zero` and, where positions are
#           no numbers, tics in front of this text.
# Shape:    depends on the sweep; docs/SWEEPS.md shows two.
set title title_text noenhanced font ",14"
set xlabel x_text noenhanced
set ylabel y_text noenhanced
set key outside right top noenhanced
set grid lc rgb "#cccccc"
set offsets graph 0.02, graph 0.02, 0, 0
set yrange [*<0:0<*]
if (all_zero) set yrange [0:1]
if (logarithmic) set logscale x 2
colours = "#0072b2 #d55e00 #009e73 #cc79a7 #e69f00 #56b4e9 #7f3c8d #999999 #8c564b #444444 #bcbd22 #f0e442"
plot for [i = 0:lines - 1] sprintf("$line%d", i) using 1:2 with linespoints lw 2 pt 7 \
     lc rgb word(colours, i % words(colours) + 1) title columnheader(2)
