#include "modules/layers/qkv.h"

#include <ATen/ATen.h>

namespace dualpath::modules {

std::vector<at::Tensor> split_qkv(const std::vector<at::Tensor>& made, const AttentionRef& ref) {
  if (made.size() == 3) return made;
  const std::int64_t q = ref.num_heads * ref.head_dim, kv = ref.num_key_value_heads * ref.head_dim;
  return made.front().split_with_sizes({q, kv, kv}, -1);
}

}  // namespace dualpath::modules
