#include "modules/layers/qkv.h"

namespace dualpath::modules {

std::vector<at::Tensor> split_qkv(Executor& executor, const std::vector<at::Tensor>& made,
                                  const AttentionRef& ref) {
  if (made.size() == 3) return made;
  const std::int64_t q = ref.num_heads * ref.head_dim, kv = ref.num_key_value_heads * ref.head_dim;
  return executor.split(made.front(), {q, kv, kv});
}

}  // namespace dualpath::modules
