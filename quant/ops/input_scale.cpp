#include "quant/ops/input_scale.h"

#include "modules/ops/on_device.h"

namespace dualpath::quant {

InputScale InputScale::shared(const torch::Tensor& scale) {
  if (modules::lies_on_host(scale)) return *scale.const_data_ptr<float>();
  InputScale all(scale);
  all.is_shared = true;
  return all;
}

}  // namespace dualpath::quant
