#include "data/process/threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace dualpath {
namespace {

constexpr unsigned kMostThreads = 8;
constexpr std::chrono::milliseconds kPatience(100);  // between two looks at what has ended

/// Threads that take numbers from one counter. They are joined at the end, whatever happens.
class Workers {
 public:
  Workers(std::size_t count, const std::function<void(std::size_t)>& work) : count_(count) {
    const std::size_t threads = std::min<std::size_t>(
        count, std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads));
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this, &work] { run(work); });
  }
  ~Workers() {
    next_ = count_;
    for (std::thread& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Waits until more calls than `seen` have ended, or a moment. Returns how many have.
  std::size_t wait(std::size_t seen) {
    std::unique_lock lock(mutex_);
    ended_.wait_for(lock, kPatience, [&] { return done_ > seen; });
    return done_;
  }

 private:
  void run(const std::function<void(std::size_t)>& work) {
    for (std::size_t i = next_++; i < count_; i = next_++) {
      work(i);
      const std::lock_guard lock(mutex_);
      ++done_;
      ended_.notify_one();
    }
  }

  const std::size_t count_;
  std::atomic<std::size_t> next_{0};
  std::size_t done_ = 0;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<std::thread> threads_;
};

}  // namespace

void for_each_in_threads(std::size_t count, const std::function<void(std::size_t)>& work,
                         const std::function<void(std::size_t)>& seen) {
  Workers workers(count, work);
  for (std::size_t done = 0; done < count;) {
    const std::size_t now = workers.wait(done);
    seen(now - done);
    done = now;
  }
}

}  // namespace dualpath
