#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace dualpath::modules {

/// Counts, on a device, what must not be there: values that are not finite, tokens that a picture
/// does not fill. Reading a count makes the host wait for the device, so many are read together.
/// count_on_device() uses the newest object of its thread; run(stage, …) makes one for each stage.
/// Inside another object it makes the counters there: a training step reads those of all its stages
/// at once. Kernels of the CPU return their counts and need none.
class DeviceCounts {
 public:
  /// Throws the Error of a count that is not 0.
  using Refuse = std::function<void(std::int64_t count)>;

  DeviceCounts() : outer_(newest_) { newest_ = this; }
  ~DeviceCounts() { newest_ = outer_; }
  DeviceCounts(const DeviceCounts&) = delete;
  DeviceCounts& operator=(const DeviceCounts&) = delete;

  /// The newest of this thread; null if there is none.
  static DeviceCounts* newest() { return newest_; }

  /// A counter at zero: int32 [1] on `device`. All counters lie on one device.
  at::Tensor counter(at::Device device, Refuse refuse);

  /// All counters of this object, int32 [at least as many], in the order in which they were made.
  /// Undefined if there is none.
  at::Tensor counts() const;
  /// Takes counts() after the host has read them, and forgets the counters. For the first count
  /// that is not 0 calls its Refuse.
  void check(const at::Tensor& read);
  /// Reads the counters by one copy and checks them. Inside another object there are none.
  void check();

 private:
  static thread_local DeviceCounts* newest_;
  DeviceCounts* outer_;
  std::vector<Refuse> refusals_;    // a counter each
  std::vector<at::Tensor> blocks_;  // the counters, in the order of refusals_
};

/// Calls count(counter), which adds a number of faults to an int32 [1] on `device`. A number other
/// than 0 is refused: at the end of the running stage or step, or at once outside of one.
void count_on_device(at::Device device, const std::function<void(const at::Tensor&)>& count,
                     DeviceCounts::Refuse refuse);

/// Counts values that are not finite. If there are any, an Error names `what`.
void count_on_device(const std::string& what, const at::Tensor& values,
                     const std::function<void(const at::Tensor&)>& count);

}  // namespace dualpath::modules
