#include "trainer/evaluate/row.h"

#include <iterator>
#include <string_view>

#include "quant/transform/transform.h"

namespace dualpath::trainer {

static_assert(std::size(quant::kTransforms) == 1 &&
                  quant::kTransforms[0].name == std::string_view(kSmoothed),
              "kRows must list the rows of every transform");

TransformedRows transformed_rows(const quant::Plan& plan) {
  const std::string prefix = quant::row_prefix(plan);
  if (prefix.empty()) return {kQuantized, kCorrected};
  return {prefix, prefix + "_" + kCorrected};
}

}  // namespace dualpath::trainer
