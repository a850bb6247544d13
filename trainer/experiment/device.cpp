#include "trainer/experiment/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/cuda.h>

#include <algorithm>

#include "data/base/error.h"
#include "has_cuda.h"
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

bool has_groups(const Recipe& recipe) {
  return std::ranges::any_of(recipe.quantize.config_groups, [](const quant::ConfigGroup& group) {
    return group.weights.strategy == quant::Strategy::kGroup;
  });
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
  const at::Device device = recipe.model.device;
  const bool simulates = !device.is_cpu() && has_groups(recipe);
  return fmt::format(
      "device: {}; compute: {}, INT8 by {}{}; {} threads", device.str(),
      name_in(quant::kComputes, recipe.compute), quant::integer_kernel(recipe.compute, device),
      simulates ? ", weights by group simulated exactly" : "", at::get_num_threads());
}

}  // namespace dualpath::trainer
