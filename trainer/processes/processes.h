#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "modules/weights/tensor_view.h"
#include "trainer/processes/rendezvous.h"

namespace dualpath::trainer {

/// The processes that share a run. One alone is the normal case: each collective is the identity
/// then. Collectives are called by all processes in the same order; `what` names them in errors. If
/// another process is gone, or nothing comes within the timeout, the collective is an Error that
/// names the process and, if it said one, its reason.
///
/// Tensors go by Gloo if they lie on the CPU, by NCCL if on CUDA.
class Processes {
 public:
  /// This process alone.
  Processes();
  /// Meets the others. A process that has not come within the timeout is an Error naming it; so are
  /// a store that cannot be reached and a port in use.
  Processes(const Rendezvous& meeting, std::chrono::seconds timeout);
  /// Waits, if it holds the store, until the others have no more use for it, some seconds at most.
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  /// Returns the one instance for callers that run alone.
  static Processes& alone();

  int rank() const { return rank_; }
  int size() const { return size_; }
  int local_rank() const { return local_rank_; }
  int local_size() const { return local_size_; }  ///< processes on this machine
  bool is_first() const { return rank_ == 0; }

  /// Seconds spent in collectives so far, waiting for the others included.
  double communication_seconds() const { return communication_seconds_; }

  /// Tells the others that this process ends before its work is done, and why.
  void leave(const std::string& reason) noexcept;

  /// Runs `work` on the first process alone; the others wait for its end, however long it takes.
  template <class Work>
  void on_first(const std::string& what, const Work& work) {
    if (is_first()) work();
    wait_for_first(what);
  }
  /// Replaces each tensor by its sum over all processes. Sums run side by side.
  void sum(const std::string& what, std::vector<at::Tensor> tensors);
  /// Starts to sum a dense tensor everywhere, or at a root alone (elsewhere its values are
  /// undefined afterwards). It may be read when finish() has returned.
  void start_sum(const std::string& what, const at::Tensor& tensor, std::optional<int> root = {});
  /// Waits for all sums that were started.
  void finish(const std::string& what);
  /// Lets go of sums that were started, and of their tensors as soon as they are done.
  void forget_started() noexcept;
  /// Replaces each tensor by its root's.
  void spread(const std::string& what, std::vector<at::Tensor> tensors,
              const std::vector<int>& roots);
  /// Returns the first process's text.
  std::string broadcast(const std::string& what, const std::string& text);
  /// Returns the first process's tensors, on the CPU.
  modules::NamedTensors broadcast(const std::string& what, const modules::NamedTensors& tensors);
  /// Returns every process's text or tensors (on the CPU), in the order of ranks.
  std::vector<std::string> gather(const std::string& what, const std::string& text);
  std::vector<modules::NamedTensors> gather(const std::string& what,
                                            const modules::NamedTensors& tensors);

 private:
  struct Group;  // c10d's store and backends

  void wait_for_first(const std::string& what);
  /// Runs `work`, and counts its time as communication.
  template <class Work>
  void timed(const Work& work);
  /// Runs a collective on each tensor, side by side; start(backend, {tensor}, place) returns its
  /// work.
  template <class Start>
  void run_each(const std::string& what, const std::vector<at::Tensor>& tensors,
                const Start& start);

  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1;
  double communication_seconds_ = 0.0;
  std::unique_ptr<Group> group_;  // null if alone
};

/// This process's share of `count` items: a run of neighbours, so that results put together in the
/// order of ranks are in the items' order.
struct ProcessShare {
  std::size_t begin, end;
};
ProcessShare share_of(const Processes& processes, std::size_t count);

}  // namespace dualpath::trainer
