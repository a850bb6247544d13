#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "data/samples/batch.h"

namespace dualpath::data {

/// Makes batches before they are asked for, in threads of its own, and gives them in order. At most
/// kReadAhead wait. What a batch holds depends on its number alone, so a run that begins at any
/// number sees what an unbroken one sees.
class ReadAhead {
 public:
  static constexpr std::int64_t kReadAhead = 4;

  /// make: called from several threads at once, for each number from `first` to before `end`.
  ReadAhead(std::function<Batch(std::int64_t)> make, std::int64_t first, std::int64_t end);
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// The next batch; waits until it is made, and throws what its making threw. At most end - first
  /// calls.
  Batch next();
  /// Seconds that next() has waited in all, but for the first batch, ahead of which nothing is
  /// made.
  double waited_seconds() const { return waited_; }

 private:
  struct Made {
    std::optional<Batch> batch = {};
    std::exception_ptr failure = {};
  };

  void run();
  Made made(std::int64_t number) const noexcept;

  const std::function<Batch(std::int64_t)> make_;
  const std::int64_t first_, end_;
  std::int64_t begun_;  ///< the next number to be made
  std::int64_t given_;  ///< the next number to be given
  bool is_stopped_ = false;
  double waited_ = 0;
  std::map<std::int64_t, Made> made_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
};

}  // namespace dualpath::data
