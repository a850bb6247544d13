#include "modules/table_linear.h"

#include <torch/autograd.h>

#include "modules/held.h"

namespace dualpath::modules {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct TableLinear : torch::autograd::Function<TableLinear> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x,
                        const std::shared_ptr<PackedTable>& table) {
    ctx->saved_data["table"] = held(table);
    return table->forward().multiply(x);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    auto& table = held_in<PackedTable>(ctx->saved_data["table"]);
    return {table.backward().multiply(grads.front()), Tensor()};
  }
};

}  // namespace

const RightOperand& PackedTable::forward() {
  if (!forward_) forward_ = RightOperand::packed(table_);
  return *forward_;
}

const RightOperand& PackedTable::backward() {
  if (!backward_) backward_ = RightOperand::packed(table_.t());
  return *backward_;
}

Tensor table_linear(const Tensor& x, const std::shared_ptr<PackedTable>& table) {
  return TableLinear::apply(x, table);
}

}  // namespace dualpath::modules
