#include "data/samples/read_ahead.h"

#include <chrono>
#include <utility>

namespace dualpath::data {
namespace {

constexpr int kThreads = 2;

}  // namespace

ReadAhead::ReadAhead(std::function<Batch(std::int64_t)> make, std::int64_t first, std::int64_t end)
    : make_(std::move(make)), first_(first), end_(end), begun_(first), given_(first) {
  for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { run(); });
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Batch ReadAhead::next() {
  const auto begin = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  TORCH_CHECK(given_ < end_, "there are no more batches");
  changed_.wait(lock, [&] { return made_.contains(given_); });
  if (given_ > first_)
    waited_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  Made made = std::move(made_.extract(given_++).mapped());
  changed_.notify_all();
  if (made.failure) std::rethrow_exception(made.failure);
  return std::move(*made.batch);
}

void ReadAhead::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock,
                  [&] { return is_stopped_ || begun_ >= end_ || begun_ < given_ + kReadAhead; });
    if (is_stopped_ || begun_ >= end_) return;
    const std::int64_t number = begun_++;
    lock.unlock();
    Made batch = made(number);
    lock.lock();
    made_.emplace(number, std::move(batch));
    changed_.notify_all();
  }
}

ReadAhead::Made ReadAhead::made(std::int64_t number) const noexcept {
  try {
    return {.batch = make_(number)};
  } catch (...) {
    return {.failure = std::current_exception()};
  }
}

}  // namespace dualpath::data
