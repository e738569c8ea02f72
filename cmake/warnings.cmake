# SPDX-License-Identifier: GPL-2.0-or-later
# Every warning is an error, under gcc and clang alike.
add_library(faultline_warnings INTERFACE)
target_compile_options(faultline_warnings INTERFACE
  -Werror -Wall -Wextra -Wpedantic
  -Wshadow                # a shadowed name reads as another variable
  -Wconversion            # an address that loses bits is a bug
  -Wno-sign-conversion    # ... but int to size_t is not
  -Wstrict-prototypes -Wmissing-prototypes
  -Wundef -Wvla -Wcast-qual -Wwrite-strings
  -Wimplicit-fallthrough -Wswitch-enum
  -Wpointer-arith -Wformat=2)
