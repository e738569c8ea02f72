# SPDX-License-Identifier: GPL-2.0-or-later
# cmake -DVERSION=V -DSOURCE=DIR -DOUTPUT=FILE -P version.cmake: a header with the version of the
# program and a digest of every source that decides what a replay counts.
file(GLOB_RECURSE sources RELATIVE ${SOURCE} ${SOURCE}/hyp/*.[ch] ${SOURCE}/mmu/*.[ch] ${SOURCE}/mmu/*.def
  ${SOURCE}/traces/*.[ch] ${SOURCE}/cpu/*.[ch] ${SOURCE}/sim/*.[ch] ${SOURCE}/sim/*.def)
list(FILTER sources EXCLUDE REGEX "^(hyp/port|traces/(record|data)|sim/cli)/")
list(SORT sources)
set(digests)
foreach(source ${sources})
  file(SHA256 ${SOURCE}/${source} digest)
  string(APPEND digests "${source} ${digest}\n")
endforeach()
string(SHA256 digest "${digests}")
string(SUBSTRING ${digest} 0 12 digest)
file(WRITE ${OUTPUT} "#define FAULTLINE_VERSION \"${VERSION}\"\n#define FAULTLINE_MODEL \"${digest}\"\n")
