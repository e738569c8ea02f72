# SPDX-License-Identifier: GPL-2.0-or-later
# boot.bin and image.bin, by clang and lld whatever the main build's compiler and flags are.
find_program(IMAGE_CLANG NAMES clang clang-19 clang-16 clang-14 REQUIRED)
find_program(IMAGE_LLD NAMES ld.lld ld.lld-19 ld.lld-16 ld.lld-14 REQUIRED)
set(image_source ${CMAKE_CURRENT_LIST_DIR})
set(image_folder ${CMAKE_CURRENT_BINARY_DIR}/bochs)
file(MAKE_DIRECTORY ${image_folder})
set(image_flags --target=x86_64-none-elf -std=c17 -O2 -ffreestanding -fno-builtin -fno-pic
  -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables
  -Werror -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes)

set(image_objects)
foreach(source boot.S start.S main.c vmx.c)
  set(object ${image_folder}/${source}.o)
  set(target)
  if(source STREQUAL "boot.S")
    set(target --target=i386-none-elf)
  else()
    list(APPEND image_objects ${object})
  endif()
  add_custom_command(OUTPUT ${object}
    COMMAND ${IMAGE_CLANG} ${image_flags} ${target} -MD -MF ${object}.d
      -c ${image_source}/${source} -o ${object}
    DEPENDS ${image_source}/${source} DEPFILE ${object}.d VERBATIM)
endforeach()
add_custom_command(OUTPUT ${image_folder}/boot.bin
  COMMAND ${IMAGE_LLD} -m elf_i386 -Ttext 0x7c00 --entry 0x7c00 --oformat binary
    --defsym image_sectors=64 # IMAGE_SECTORS of case.h
    -o ${image_folder}/boot.bin ${image_folder}/boot.S.o
  DEPENDS ${image_folder}/boot.S.o VERBATIM)
add_custom_command(OUTPUT ${image_folder}/image.bin
  COMMAND ${IMAGE_LLD} -static --fatal-warnings --build-id=none
    -T ${image_source}/image.ld --oformat binary -o ${image_folder}/image.bin ${image_objects}
  DEPENDS ${image_objects} ${image_source}/image.ld VERBATIM)
add_custom_target(oracle_image ALL DEPENDS ${image_folder}/boot.bin ${image_folder}/image.bin)
