#include "trainer/evaluate/row.h"

#include "quant/transform/transform.h"

namespace dualpath::trainer {

TransformedRows transformed_rows(const quant::Plan& plan) {
  const std::string prefix = quant::row_prefix(plan);
  if (prefix.empty()) return {kQuantized, kCorrected};
  return {prefix, prefix + "_" + kCorrected};
}

}  // namespace dualpath::trainer
