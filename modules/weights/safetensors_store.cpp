#include "modules/weights/safetensors_store.h"

#include "modules/weights/tensor_view.h"

namespace dualpath::modules {

WeightInfo SafetensorsStore::info(const std::string& name) const {
  const data::TensorView& view = files_.tensor(name);
  return {scalar_type_of(view.dtype), view.shape, /*decoded=*/false};
}

at::Tensor SafetensorsStore::get(const std::string& name) const {
  const data::SafetensorsReader& reader = files_.reader_of(name);
  return wrap(reader.tensor(name), reader.file());
}

std::optional<std::string> SafetensorsStore::file_with(const std::string& name) const {
  if (files_.readers().size() == 1 || !contains(name)) return std::nullopt;
  return files_.reader_of(name).file()->path().string();
}

}  // namespace dualpath::modules
