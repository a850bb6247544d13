#include "modules/layers/heads.h"

namespace dualpath::modules {

using at::Tensor;

Tensor split_heads(Executor& executor, const Tensor& x, std::int64_t heads) {
  return executor.arrange(Unflatten{-1, {heads, x.size(-1) / heads}}, x);
}

Tensor swap_heads(Executor& executor, const Tensor& x) {
  return executor.arrange(Permute{{0, 2, 1, 3}}, x);
}

Tensor merge_heads(Executor& executor, const Tensor& x) {
  return executor.arrange(Flatten{2}, swap_heads(executor, x));
}

}  // namespace dualpath::modules
