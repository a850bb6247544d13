# Language, warnings, optimization and linker: what holds for every target. They share one precompiled header, so their
# flags must be the same.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

# GCC's are the warnings that count; clang builds only the fuzzers.
# restrict: GCC 12 sees overlaps in std::string where there are none (GCC bug 105651).
add_compile_options("$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wall;-Wextra;-Wpedantic;-Wshadow;-Wconversion;-Werror;-Wno-restrict>")

# The arithmetic is the same on every machine: no contraction into fused multiply-adds, and no -march=native
# (kernels choose their instructions at run time). The other two change no result, and let loops become vectors.
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off;-fno-math-errno;-fno-trapping-math>")

# Debug exists for the sanitizers: some optimization keeps its tests usable, and their reports need lines, no more.
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
if(DUALPATH_SANITIZE)
  # vptr looks into type information that torch's libraries hide; instrumented code misleads maybe-uninitialized.
  set(sanitize -fsanitize=${DUALPATH_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all)
  add_compile_options(${sanitize} -fno-omit-frame-pointer $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized>)
  add_link_options(${sanitize})
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  # Without separate-code mold 1.10 may begin what becomes read-only after relocation (RELRO) on a page that is not mapped:
  # where the code ends within a page's last 16 bytes and a thread-local variable follows, the program does not start.
  add_link_options(-fuse-ld=mold -Wl,-z,separate-code)
endif()

# ccache looks through the precompiled header (hence the flag), and finds its results again in another clone.
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
      ${CCACHE_PROGRAM})
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()

if(DUALPATH_CUDA)
  # The oldest and the newest generation. All others run the oldest's PTX, which the driver compiles when it first meets
  # it; the preset cuda-release compiles for each.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 75 120)
  endif()
  set(CMAKE_CUDA_RUNTIME_LIBRARY None)  # torch brings its own; there must be only one
  enable_language(CUDA)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # CMake 3.25 does not know it
  # The first four give the same bits as on the host.
  set(cuda_flags --fmad=false -prec-div=true -prec-sqrt=true -ftz=false -Xcompiler=-Wall,-Wextra -Werror=all-warnings)
  add_compile_options("$<$<COMPILE_LANGUAGE:CUDA>:${cuda_flags}>")
endif()
