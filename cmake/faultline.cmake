# SPDX-License-Identifier: GPL-2.0-or-later
# One static library for each folder, and one test program for each test file.

add_library(faultline_flags INTERFACE)
target_link_libraries(faultline_flags INTERFACE faultline_warnings)
target_include_directories(faultline_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/hyp/include)
if(FAULTLINE_SANITIZE)
  target_compile_options(faultline_flags INTERFACE -fsanitize=address,undefined
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(faultline_flags INTERFACE -fsanitize=address,undefined)
endif()

# faultline_library(NAME SOURCE... [LINK LIB...])
function(faultline_library name)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  add_library(${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PUBLIC faultline_flags ${arg_LINK})
endfunction()

# faultline_tests(FOLDER LIB...): each tests/FOLDER/test_*.c becomes the test FOLDER/<name>.
function(faultline_tests folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/test_*.c)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "^test_" "" short ${name})
    set(target test_${folder}_${short})
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE ${ARGN} faultline_flags cmocka)
    target_compile_definitions(${target} PRIVATE SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${folder}/${short} COMMAND ${target})
    set_tests_properties(${folder}/${short} PROPERTIES TIMEOUT 600)
  endforeach()
endfunction()
