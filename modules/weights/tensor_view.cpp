#include "modules/weights/tensor_view.h"

#include <ATen/ATen.h>

#include <array>
#include <cstring>
#include <utility>

#include "data/base/error.h"
#include "data/formats/safetensors_writer.h"

namespace dualpath::modules {
namespace {

using data::DType;

constexpr std::array<std::pair<DType, at::ScalarType>, 10> kTypes{{
    {DType::kBool, at::kBool},
    {DType::kU8, at::kByte},
    {DType::kI8, at::kChar},
    {DType::kI16, at::kShort},
    {DType::kI32, at::kInt},
    {DType::kI64, at::kLong},
    {DType::kF16, at::kHalf},
    {DType::kBF16, at::kBFloat16},
    {DType::kF32, at::kFloat},
    {DType::kF64, at::kDouble},
}};

}  // namespace

at::ScalarType scalar_type_of(DType dtype) {
  for (const auto& [ours, torchs] : kTypes) {
    if (ours == dtype) return torchs;
  }
  throw Error("tensors of type {} are not supported", data::name_of(dtype));
}

DType dtype_of(at::ScalarType type) {
  for (const auto& [ours, torchs] : kTypes) {
    if (torchs == type) return ours;
  }
  throw Error("tensors of type {} cannot be stored", c10::toString(type));
}

at::Tensor wrap(const data::TensorView& view, std::shared_ptr<const MappedFile> file) {
  const auto options = at::dtype(scalar_type_of(view.dtype));
  if (!view.aligned()) {
    const at::Tensor copy = at::empty(view.shape, options);
    std::memcpy(copy.data_ptr(), view.bytes.data(), view.bytes.size());
    return copy;
  }
  // from_blob wants a mutable pointer; the mapping is read-only, and nobody writes to a store's
  // tensors.
  void* bytes = const_cast<std::byte*>(view.bytes.data());
  const auto give_back = [file = std::move(file), span = view.bytes](void*) {
    file->release(span);
  };
  return at::from_blob(bytes, view.shape, give_back, options);
}

data::TensorView view_of(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.is_contiguous() && tensor.device().is_cpu(), "contiguous CPU tensor expected");
  return {dtype_of(tensor.scalar_type()), tensor.sizes().vec(),
          std::span(static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes())};
}

NamedTensors read_tensors(const data::SafetensorsReader& reader) {
  reader.verify();
  NamedTensors tensors;
  for (const std::string& name : reader.names()) {
    tensors[name] = wrap(reader.tensor(name), reader.file()).clone();
  }
  return tensors;
}

void write_tensors(const std::filesystem::path& path, const NamedTensors& tensors,
                   std::map<std::string, std::string> metadata) {
  NamedTensors contiguous;
  std::vector<std::pair<std::string, data::TensorView>> views;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor& kept = contiguous[name] = tensor.detach().to(at::kCPU).contiguous();
    views.emplace_back(name, view_of(kept));
  }
  data::write_safetensors(path, views, std::move(metadata));
}

}  // namespace dualpath::modules
