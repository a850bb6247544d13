#include "trainer/experiment/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/cuda.h>

#include <algorithm>

#include "data/base/error.h"
#include "has_cuda.h"
#include "quant/ops/grouped_linear.h"
#include "quant/ops/integer_linear.h"

namespace dualpath::trainer {
namespace {

/// Why torch finds no CUDA device, in one line.
std::string reason() {
  try {
    at::globalContext().lazyInitDevice(at::kCUDA);
  } catch (const c10::Error& error) {
    const std::string text = error.what_without_backtrace();
    return text.substr(0, text.find('\n'));
  }
  return "torch sees none";
}

void check_cuda(at::Device device) {
  if constexpr (!kHasCuda)
    throw Error("device: {} asked for, but this build has no CUDA (cmake --preset cuda)",
                device.str());
  if (!torch::cuda::is_available())
    throw Error("device: {} asked for, but no CUDA device is there: {}", device.str(), reason());
  const auto count = static_cast<int>(torch::cuda::device_count());
  if (device.index() >= count)
    throw Error("device: {} asked for, but {} CUDA devices are there, from cuda:0 on", device.str(),
                count);
}

/// Names what multiplies, by scheme; schemes that the recipe does not use are left out.
std::string products_text(const Recipe& recipe) {
  const at::Device device = recipe.model.device;
  const auto any = [&](const auto& is_one) {
    return std::ranges::any_of(recipe.quantize.config_groups, is_one);
  };
  std::string text = "INT8 by " + quant::integer_kernel(recipe.compute, device);
  if (any([](const quant::ConfigGroup& group) {
        return group.input_activations && group.weights.strategy == quant::Strategy::kGroup;
      }))
    text += ", weights by group by " + quant::grouped_kernel(recipe.compute, device);
  if (any([](const quant::ConfigGroup& group) { return !group.input_activations; }))
    text += ", weights alone by their values";
  if (recipe.quantize.attention_scheme) text += ", attention simulated exactly";
  return text;
}

}  // namespace

void choose_device(Recipe& recipe, int local_rank) {
  at::Device chosen = recipe.device.value_or(at::kCPU);
  if (!recipe.device && kHasCuda && torch::cuda::is_available()) chosen = at::kCUDA;
  if (chosen.is_cuda()) {
    check_cuda(chosen);
    const auto count = static_cast<int>(torch::cuda::device_count());
    if (!chosen.has_index())
      chosen = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(local_rank % count));
  }
  recipe.model.device = chosen;
}

std::string compute_text(const Recipe& recipe) {
  if (!recipe.quantizes()) {
    return fmt::format("device: {}; compute: {}, nothing is quantized; {} threads",
                       recipe.model.device.str(),
                       name_in(modules::kComputeDtypes, recipe.model.dtype), at::get_num_threads());
  }
  return fmt::format("device: {}; compute: {}, {}; {} threads", recipe.model.device.str(),
                     name_in(quant::kComputes, recipe.compute), products_text(recipe),
                     at::get_num_threads());
}

}  // namespace dualpath::trainer
