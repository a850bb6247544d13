#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "modules/right_operand.h"

namespace dualpath::modules {

/// A frozen table W [words, width] that is multiplied by a few rows at a time, so that preparing it
/// for each product would cost a good part of the product.
class PackedTable {
 public:
  explicit PackedTable(at::Tensor table) : table_(std::move(table)) {}

  /// rows W^T.
  const RightOperand& forward();
  /// gradients W.
  const RightOperand& backward();

 private:
  at::Tensor table_;
  std::optional<RightOperand> forward_, backward_;  // made when first asked for
};

/// y = x W^T. x: [rows, width]. Result: [rows, words].
at::Tensor table_linear(const at::Tensor& x, const std::shared_ptr<PackedTable>& table);

}  // namespace dualpath::modules
