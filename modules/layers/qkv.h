#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "modules/network/executor.h"

namespace dualpath::modules {

/// q, k and v, [..., heads * head_dim] each. Returns three results unchanged; splits one linear's
/// result, which has theirs one behind another.
std::vector<at::Tensor> split_qkv(Executor& executor, const std::vector<at::Tensor>& made,
                                  const AttentionRef& ref);

}  // namespace dualpath::modules
