#include "trainer/predict/device_memory.h"

#include <ATen/DeviceAccelerator.h>

namespace dualpath::trainer {
namespace {

c10::CachingAllocator::Stat allocated_on(at::Device device) {
  constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return at::accelerator::getDeviceStats(device.index()).allocated_bytes[kAll];
}

}  // namespace

std::optional<std::int64_t> peak_device_bytes(at::Device device) {
  if (!device.is_cuda()) return std::nullopt;
  return allocated_on(device).peak;
}

std::optional<std::int64_t> restart_peak_device_bytes(at::Device device) {
  if (!device.is_cuda()) return std::nullopt;
  at::accelerator::resetPeakStats(device.index());
  return allocated_on(device).current;
}

}  // namespace dualpath::trainer
