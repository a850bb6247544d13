# The one helper behind every target of ours.
#
#   dualpath_rooms(<room> <sub-room>...)
#     The folders of a room, in the order in which they may include one another; Checks.cmake holds the code to it.
#   dualpath_library(<name> [TORCH_FREE] SOURCES file... [KERNELS file...] [PUBLIC target...] [PRIVATE target...])
#     The library dualpath::<name>. KERNELS (*.cpp, and *.cu where CUDA is built) become the torch-free library
#     dualpath::<name>_kernels, which <name> links.
#   dualpath_executable(<name> SOURCES file... LINKS target...)
#     The program <name>, at the top of the build folder.
#   dualpath_test(<name> [TORCH_FREE] SOURCES file... LINKS target... [PARTS tag...])
#     A Catch2 program and the ctest test <name>, run from the project's root; labelled torch_free if it is. Test cases of
#     a tag in PARTS are a ctest test of their own, <name>_<tag>, which may run beside the others.
#
# A TORCH_FREE target sees no torch header, so including one does not compile; Checks.cmake looks at what it links.

function(dualpath_rooms room)
  set_property(GLOBAL APPEND PROPERTY DUALPATH_ROOMS ${room})
  set_property(GLOBAL PROPERTY DUALPATH_ROOMS_OF_${room} ${ARGN})
endfunction()

# Whether CUDA is built, as modules/ops/on_device.h includes it. A header and no definition: so that files without kernels
# to call are compiled by the same commands in both builds, and ccache serves both.
set(has_cuda_folder "${PROJECT_BINARY_DIR}/generated")
if(DUALPATH_CUDA)
  set(has_cuda true)
else()
  set(has_cuda false)
endif()
file(CONFIGURE OUTPUT "${has_cuda_folder}/has_cuda.h"
  CONTENT "#pragma once\n\nnamespace dualpath {\ninline constexpr bool kHasCuda = @has_cuda@;\n}\n" @ONLY)

# Include path and torch (with its precompiled header), or none of it.
function(dualpath_configure target torch_free)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}")
  if(torch_free)
    set_property(GLOBAL APPEND PROPERTY DUALPATH_TORCH_FREE ${target})
  else()
    target_link_libraries(${target} PUBLIC dualpath::torch)
    target_precompile_headers(${target} REUSE_FROM dualpath_torch_pch)
  endif()
  # Every file pays some seconds for the templates of torch, JSON or Catch2: eight files in one translation unit pay once.
  # cmake -DDUALPATH_UNITY=OFF compiles each alone, which suits who changes few of them.
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${DUALPATH_UNITY} UNITY_BUILD_BATCH_SIZE 8)
endfunction()

function(dualpath_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH_FREE" "" "SOURCES;KERNELS;PUBLIC;PRIVATE")
  add_library(dualpath_${name} STATIC ${arg_SOURCES})
  add_library(dualpath::${name} ALIAS dualpath_${name})
  dualpath_configure(dualpath_${name} "${arg_TORCH_FREE}")
  target_link_libraries(dualpath_${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  if(arg_KERNELS)
    dualpath_kernels(${name} ${arg_KERNELS})
    target_include_directories(dualpath_${name} PRIVATE "${has_cuda_folder}")
    target_link_libraries(dualpath_${name} PUBLIC dualpath::${name}_kernels)
  endif()
endfunction()

function(dualpath_kernels name)
  set(sources ${ARGN})
  if(NOT DUALPATH_CUDA)
    list(FILTER sources EXCLUDE REGEX "\\.cu$")
  endif()
  dualpath_library(${name}_kernels TORCH_FREE SOURCES ${sources})
  # Highway compiles a kernel's file once for each kind of vectors, by macros that a file has for itself.
  set_target_properties(dualpath_${name}_kernels PROPERTIES UNITY_BUILD OFF)
  if(DUALPATH_CUDA)
    target_link_libraries(dualpath_${name}_kernels PUBLIC torch_cudart)
  endif()
endfunction()

function(dualpath_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS")
  add_executable(${name} ${arg_SOURCES})
  dualpath_configure(${name} FALSE)
  target_link_libraries(${name} PRIVATE ${arg_LINKS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")
endfunction()

function(dualpath_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH_FREE" "" "SOURCES;LINKS;PARTS")
  set(target ${name}_test)
  add_executable(${target} ${arg_SOURCES})
  dualpath_configure(${target} "${arg_TORCH_FREE}")
  target_link_libraries(${target} PRIVATE Catch2::Catch2WithMain ${arg_LINKS})
  if(arg_TORCH_FREE)
    # Little of a test's time is its own code's: optimizing that takes longer than it saves.
    target_compile_options(${target} PRIVATE $<IF:$<CONFIG:Debug>,-O0,-O1>)
    add_dependencies(torch_free_tests ${target})
  endif()
  list(TRANSFORM arg_PARTS REPLACE "(.+)" "~[\\1]" OUTPUT_VARIABLE others)
  list(JOIN others "" others)
  dualpath_add_test(${name} "${arg_TORCH_FREE}" ${target} ${others})
  foreach(part ${arg_PARTS})
    dualpath_add_test(${name}_${part} "${arg_TORCH_FREE}" ${target} "[${part}]")
  endforeach()
  list(TRANSFORM arg_SOURCES PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  set_property(GLOBAL APPEND PROPERTY DUALPATH_TEST_FILES ${arg_SOURCES})
endfunction()

function(dualpath_add_test name torch_free target)
  add_test(NAME ${name} COMMAND ${target} ${ARGN} --durations yes --min-duration 1
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  # Two tests run at a time: threads that spin while they wait would take the other's cores.
  set_tests_properties(${name} PROPERTIES ENVIRONMENT GOMP_SPINCOUNT=3000)
  if(torch_free)
    set_tests_properties(${name} PROPERTIES LABELS torch_free)
  endif()
endfunction()
