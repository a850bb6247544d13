#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>

#include "data/formats/dtype.h"
#include "data/formats/safetensors.h"

namespace dualpath::modules {

/// Conversions between our torch-free file formats and tensors.

/// The dtype in torch. It has no unsigned integers wider than a byte: those are an Error.
at::ScalarType scalar_type_of(data::DType dtype);
data::DType dtype_of(at::ScalarType type);

/// The view as a tensor. It keeps the mapping alive, and lets its pages leave memory when it goes.
/// (Copied only if the file does not align it.)
at::Tensor wrap(const data::TensorView& view, std::shared_ptr<const MappedFile> file);
/// A contiguous CPU tensor's memory, valid while the tensor lives.
data::TensorView view_of(const at::Tensor& tensor);

using NamedTensors = std::map<std::string, at::Tensor>;

/// Reads a whole small file of our own and verifies the checksum inside.
NamedTensors read_tensors(const data::SafetensorsReader& reader);
void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                   std::map<std::string, std::string> metadata = {});

}  // namespace dualpath::modules
