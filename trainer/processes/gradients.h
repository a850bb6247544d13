#pragma once

#include <torch/csrc/autograd/function.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "modules/weights/tensor_view.h"
#include "trainer/processes/processes.h"

namespace dualpath::trainer {

/// Says where a parameter's gradients are summed: everywhere, or at the parameter's owner.
enum class SummedAt { kAll, kOwner };

/// Sums gradients over the processes, while the backward pass that makes them still runs. Large
/// gradients travel in place, small ones in buckets, all in the order in which the first process's
/// first step made them. That step's own, and those that it did not have, are sent when all
/// processes have said which they have. A step is follow_backward(), the pass, send_rest(),
/// finish(); the first is optional. Alone, each of them does nothing.
class GradientSums {
 public:
  /// processes must outlive the sums. Parameters are dense.
  GradientSums(Processes& processes, const modules::NamedTensors& parameters, SummedAt at);
  ~GradientSums();
  GradientSums(const GradientSums&) = delete;
  GradientSums& operator=(const GradientSums&) = delete;

  /// Says that the backward pass that comes makes each gradient whole, so that it may be sent then.
  void follow_backward();
  /// Sends what has not been sent; no backward pass comes after it.
  void send_rest();
  /// The number of messages that this step has sent so far.
  std::size_t sent() const { return next_; }
  /// Waits for the sums. A parameter that has a gradient on one process then has one on all, laid
  /// out as itself; but if gradients are summed at owners, at its owner alone.
  void finish();

  /// Parameters that had a gradient on any process in the last finished step, ascending.
  const std::vector<std::string>& summed() const { return summed_; }
  /// Each parameter's owner, neighbours by name, with about equally many elements each; empty if
  /// gradients are summed everywhere.
  const std::map<std::string, int>& owners() const { return owners_; }

 private:
  struct Parameter {
    std::string name;
    at::Tensor tensor;
    std::shared_ptr<torch::autograd::Node> accumulator;
    std::uintptr_t hook = 0;
    std::size_t bucket = 0;
    bool has_come = false;
  };
  /// Parameters of one owner whose gradients travel together.
  struct Bucket {
    int owner = 0;
    std::vector<std::size_t> parameters = {};
    std::size_t missing = 0;  ///< gradients that have not come yet
    at::Tensor sent = {};     ///< the gradients, flat; one's own memory if it is alone
  };

  bool is_divided() const { return !owners_.empty(); }
  void divide();
  void add_buckets(const std::vector<std::size_t>& order);
  void come(std::size_t index);
  void send(Bucket& bucket);
  void take_out(const Bucket& bucket);
  bool has_gradient(std::size_t index) const;  ///< on any process
  void agree_on_order();

  Processes& processes_;
  std::vector<Parameter> parameters_;  // ascending by name
  std::map<std::string, int> owners_;
  std::vector<Bucket> buckets_;
  std::size_t next_ = 0;               // the bucket that is sent next
  std::size_t expected_ = 0;           // so many are sent without asking; none in the first step
  std::vector<std::size_t> arrivals_;  // of this step
  bool follows_ = false;
  at::Tensor has_gradient_;  // int32 a parameter
  std::vector<std::string> summed_;
};

}  // namespace dualpath::trainer
