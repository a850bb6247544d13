#include "trainer/predict/weight_memory.h"

#include <c10/core/ScalarType.h>
#include <c10/util/accumulate.h>

#include <algorithm>

#include "modules/correction/corrections.h"
#include "modules/execute/float_executor.h"
#include "modules/ops/bfloat16_products.h"
#include "modules/ops/right_operand.h"
#include "quant/execute/quantized_executor.h"

namespace dualpath::trainer {
namespace {

double elements(const modules::WeightInfo& info) {
  return static_cast<double>(c10::multiply_integers(info.shape));
}

bool has_integer_gradients(const Recipe& recipe, const quant::PlannedLinear& linear) {
  return recipe.train.input_gradients == quant::InputGradients::kInt8 &&
         recipe.train.learning_rate.weights == 0.0 && linear.takes_integer_gradients();
}

}  // namespace

double weight_bytes(const Recipe& recipe, const quant::Plan& plan,
                    const modules::WeightStore& weights, const Counted& counted) {
  const at::ScalarType dtype = recipe.model.dtype;
  const auto element = static_cast<double>(c10::elementSize(dtype));
  double bytes = 0.0;
  for (const std::string& name : weights.names()) {
    if (!counted(name)) continue;
    const modules::WeightInfo info = weights.info(name);
    const bool is_mapped = recipe.model.device.is_cpu() && !info.decoded;
    if (is_mapped && info.dtype == dtype) continue;
    const double left = is_mapped ? static_cast<double>(c10::elementSize(info.dtype)) : 0.0;
    bytes += elements(info) * (element - left);
  }
  for (const quant::PlannedLinear& linear : plan.linears) {
    if (!counted(linear.ref.weight_name())) continue;
    const bool is_shared =
        quant::kind_of(linear, recipe.compute, recipe.model.device) == quant::WeightKind::kCodes;
    const double codes = is_shared ? 1.0 : 2.0;
    const double transposed = has_integer_gradients(recipe, linear) ? 1.0 : element;
    bytes += static_cast<double>(linear.ref.in_features * linear.ref.out_features) *
             (codes + transposed);
  }
  return bytes;
}

double table_bytes(const Recipe& recipe, const modules::Head& head,
                   const modules::WeightStore& weights) {
  const at::ScalarType dtype = recipe.model.dtype;
  if (!modules::is_table(head.ref)) return 0.0;
  if (!modules::can_prepare(dtype, recipe.model.device)) {
    const bool is_widened = dtype == at::kBFloat16 && recipe.model.device.is_cpu();
    const std::int64_t most =
        std::min(modules::kMostWidened, head.ref.in_features * head.ref.out_features);
    return is_widened ? static_cast<double>(most) * sizeof(float) : 0.0;
  }
  const double directions = weights.is_trained(head.ref.weight_name()) ? 1.0 : 2.0;
  return directions * static_cast<double>(head.ref.in_features * head.ref.out_features) *
         static_cast<double>(c10::elementSize(dtype));
}

double trained_bytes(const modules::WeightStore& weights, const Counted& counted) {
  double bytes = 0.0;
  for (const std::string& name : weights.names()) {
    if (counted(name) && weights.is_trained(name))
      bytes += kBytesOfTrained * elements(weights.info(name));
  }
  return bytes;
}

std::int64_t correction_parameters(const Recipe& recipe, const quant::Plan& plan) {
  if (recipe.train.learning_rate.corrections == 0.0) return 0;
  return modules::Corrections(plan.stages, recipe.correction, recipe.seed).parameter_count();
}

}  // namespace dualpath::trainer
