#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace dualpath::modules {

/// Counts, on a device, values that are not finite. Reading a count makes the host wait for the
/// device, so all of a stage are read together. count_on_device() uses the newest object of its
/// thread; run(stage, …) makes one for each stage. Kernels of the CPU return their counts and need
/// none.
class NonFiniteCounts {
 public:
  NonFiniteCounts() : outer_(newest_) { newest_ = this; }
  ~NonFiniteCounts() { newest_ = outer_; }
  NonFiniteCounts(const NonFiniteCounts&) = delete;
  NonFiniteCounts& operator=(const NonFiniteCounts&) = delete;

  /// The newest of this thread; null if there is none.
  static NonFiniteCounts* newest() { return newest_; }

  /// A counter for `values`, at zero: int32 [1] on their device. All values lie on one device.
  at::Tensor counter(const std::string& what, const at::Tensor& values);

  /// Reads all counters by one copy and forgets them. If any is not zero, throws the Error of
  /// refuse_not_finite() for the first of these.
  void check();

 private:
  /// A counter's subject, without the values' memory.
  struct Counted {
    std::string what;
    std::int64_t numel;
    at::ScalarType dtype;
  };

  static thread_local NonFiniteCounts* newest_;
  NonFiniteCounts* outer_;
  std::vector<Counted> counted_;
  std::vector<at::Tensor> blocks_;  // the counters, in the order of counted_
};

/// Calls count(counter), which adds the number of `values` that are not finite to an int32 [1] on
/// their device. If there are any, an Error names `what`: at the end of the running stage, or at
/// once outside a stage.
void count_on_device(const std::string& what, const at::Tensor& values,
                     const std::function<void(const at::Tensor&)>& count);

}  // namespace dualpath::modules
