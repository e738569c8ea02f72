# SPDX-License-Identifier: GPL-2.0-or-later
# cmake -DVERSION=V -DSOURCE=DIR -DLIST=FILE -DOUTPUT=FILE -P version.cmake: a header with the version
# of the program and a digest of the sources in the list, which decide what a replay counts.
file(READ ${LIST} sources)
set(digests)
foreach(source ${sources})
  file(SHA256 ${source} digest)
  file(RELATIVE_PATH source ${SOURCE} ${source})
  string(APPEND digests "${source} ${digest}\n")
endforeach()
string(SHA256 digest "${digests}")
string(SUBSTRING ${digest} 0 12 digest)
file(WRITE ${OUTPUT} "#define FAULTLINE_VERSION \"${VERSION}\"\n#define FAULTLINE_MODEL \"${digest}\"\n")
