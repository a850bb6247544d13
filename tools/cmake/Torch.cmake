# dualpath::torch, imported from the PyTorch wheel in .venv. The wheel's own find_package(Torch) fails without a CUDA
# toolkit, although its CPU libraries need nothing but the libcudart and libcupti that pip installed beside them.

set(DUALPATH_VENV "${PROJECT_SOURCE_DIR}/.venv" CACHE PATH "The Python environment that holds torch")

file(GLOB torch_root "${DUALPATH_VENV}/lib/python3.*/site-packages/torch")
if(NOT EXISTS "${torch_root}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "torch is not in ${DUALPATH_VENV}: run tools/setup.sh")
endif()

# The wheel's include folder also holds other projects' headers (fmt, protobuf, pybind11), which would hide the
# system's. This view of it shows torch only.
set(torch_include "${PROJECT_BINARY_DIR}/torch-include")
file(MAKE_DIRECTORY "${torch_include}")
foreach(folder torch ATen c10 caffe2)
  file(CREATE_LINK "${torch_root}/include/${folder}" "${torch_include}/${folder}" SYMBOLIC)
endforeach()

function(import_torch_library name file)
  add_library(torch_${name} SHARED IMPORTED)
  set_target_properties(torch_${name} PROPERTIES IMPORTED_LOCATION "${file}")
endfunction()

import_torch_library(cpu "${torch_root}/lib/libtorch_cpu.so")
import_torch_library(c10 "${torch_root}/lib/libc10.so")
import_torch_library(gomp "${torch_root}/lib/libgomp.so.1")

add_library(dualpath_torch INTERFACE)
add_library(dualpath::torch ALIAS dualpath_torch)
target_include_directories(dualpath_torch SYSTEM INTERFACE "${torch_include}" "${torch_include}/torch/csrc/api/include")
target_compile_definitions(dualpath_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
# at::parallel_for is a template: where OpenMP is off, it compiles to a plain loop on one thread. The library is torch's
# own copy, so that there is one pool of threads.
target_compile_options(dualpath_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
target_link_libraries(dualpath_torch INTERFACE torch_cpu torch_c10 torch_gomp Threads::Threads)

if(DUALPATH_CUDA)
  import_torch_library(cuda "${torch_root}/lib/libtorch_cuda.so")
  import_torch_library(c10_cuda "${torch_root}/lib/libc10_cuda.so")
  import_torch_library(cudart "${torch_root}/../nvidia/cu13/lib/libcudart.so.13")
  # Nothing names a symbol of libtorch_cuda: it registers its operators when it is loaded.
  target_link_libraries(dualpath_torch INTERFACE -Wl,--no-as-needed torch_cuda torch_c10_cuda torch_cudart)
endif()

# Parsing torch takes 15 s: once for all targets that use it. Not <torch/torch.h>: GCC instantiates its pending templates
# anew in every file, 6 s more for each; a file that needs torch::nn or torch::optim includes it.
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/torch_pch.cpp" CONTENT "// Carries the precompiled header.\n")
add_library(dualpath_torch_pch OBJECT "${PROJECT_BINARY_DIR}/torch_pch.cpp")
target_link_libraries(dualpath_torch_pch PRIVATE dualpath::torch)
target_precompile_headers(dualpath_torch_pch PRIVATE <torch/types.h>)
