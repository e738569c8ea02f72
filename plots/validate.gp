# SPDX-License-Identifier: GPL-2.0-or-later
# Question: does the model take as long for each access pattern as the hardware did?
# Data:     faultline validate --data FILE --plot FILE puts one block for each series ($curve0, ...:
#           slots, measured, 90th percentile, model, in cycles), the list `names` and the number
#           `series` in front of this text.
# Shape:    4 cycles to 72 pages, 11 to 512, 22 to 2048 and a little more, then the walks; the bars
#           above the measured points tell how noisy that machine was.
set multiplot layout rows, 3 title title_text noenhanced font ",14"
set logscale xy
set xlabel "slots" offset 0,0.6
set ylabel "cycles per load" offset 1,0
set yrange [3:3000]
set grid xtics ytics lc rgb "#dddddd"
set key top left
set format x "10^{%L}"
do for [i = 0:series - 1] {
    set title word(names, i + 1) noenhanced
    plot sprintf("$curve%d", i) using 1:2:2:3 with yerrorbars pt 7 ps 0.3 lc rgb "#bbbbbb" notitle, \
         sprintf("$curve%d", i) using 1:2 with points pt 7 ps 0.5 lc rgb "#0072b2" title "measured", \
         sprintf("$curve%d", i) using 1:4 with lines lw 2 lc rgb "#d55e00" title "model"
}
unset multiplot
