# SPDX-License-Identifier: MIT
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER clang)
set(CMAKE_C_COMPILER_TARGET x86_64-none-elf)
set(CMAKE_ASM_COMPILER clang)
set(CMAKE_ASM_COMPILER_TARGET x86_64-none-elf)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
# As a kernel is built: no red zone, which an interrupt would overwrite, and no vector registers. The
# linear map, where the core is to run, is beyond what 32 bits of an absolute address reach: so
# everything is addressed relative to RIP, and without a table of addresses, as all is linked at once.
set(CMAKE_C_FLAGS_INIT "-ffreestanding -nostdlib -mno-red-zone -mgeneral-regs-only -fpie -fdirect-access-external-data")
# Asserts of the core do not depend on NDEBUG.
set(CMAKE_C_FLAGS_RELEASE "-O2" CACHE STRING "Flags of a release build")
