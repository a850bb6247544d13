#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "data/formats/element.h"

namespace dualpath::bench {

// Arrays with a copy on host and device each, random values to fill them with, and a clock.

inline void check(cudaError_t status) {
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

/// An array uploaded once. Then the CPU's kernel writes host, and the GPU's writes device().
template <class T>
class Both {
 public:
  explicit Both(std::vector<T> values) : host(std::move(values)) {
    check(cudaMalloc(&device_, std::max<std::size_t>(1, bytes())));
    check(cudaMemcpy(device_, host.data(), bytes(), cudaMemcpyHostToDevice));
  }
  explicit Both(std::size_t n) : Both(std::vector<T>(n)) {}
  ~Both() { cudaFree(device_); }
  Both(const Both&) = delete;
  Both& operator=(const Both&) = delete;

  T* device() const { return static_cast<T*>(device_); }
  std::size_t bytes() const { return host.size() * sizeof(T); }
  std::vector<T> fetched() const {
    std::vector<T> values(host.size());
    check(cudaMemcpy(values.data(), device_, bytes(), cudaMemcpyDeviceToHost));
    return values;
  }

  std::vector<T> host;

 private:
  void* device_ = nullptr;
};

using Floats = Both<float>;
/// Elements of a type known at run time.
using Elements = Both<std::byte>;

inline std::size_t size_of(data::Element element) {
  return element == data::Element::kFloat32 ? sizeof(float) : sizeof(std::uint16_t);
}

inline std::vector<std::byte> rounded(data::Element element, const std::vector<float>& values) {
  std::vector<std::byte> result(values.size() * size_of(element));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::byte* at = result.data() + i * size_of(element);
    const std::uint16_t half = element == data::Element::kBFloat16
                                   ? data::float_to_bfloat16(values[i])
                                   : data::float_to_float16(values[i]);
    if (element == data::Element::kFloat32) {
      std::memcpy(at, &values[i], sizeof(float));
    } else {
      std::memcpy(at, &half, sizeof(half));
    }
  }
  return result;
}

inline std::vector<float> widened(data::Element element, const std::vector<std::byte>& stored) {
  std::vector<float> values(stored.size() / size_of(element));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::byte* at = stored.data() + i * size_of(element);
    std::uint16_t half = 0;
    std::memcpy(&half, at, sizeof(half));
    if (element == data::Element::kFloat32) {
      std::memcpy(&values[i], at, sizeof(float));
    } else {
      values[i] = element == data::Element::kBFloat16 ? data::bfloat16_to_float(half)
                                                      : data::float16_to_float(half);
    }
  }
  return values;
}

/// Normal deviates, the same in every run; every 97th is `outliers` times as large, every 89th 0.
inline std::vector<float> random_values(std::size_t n, float size, float outliers = 30.0f) {
  static std::mt19937 generator(1);
  std::normal_distribution<float> normal(0.0f, size);
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i)
    values[i] = i % 89 == 0 ? 0.0f : normal(generator) * (i % 97 == 0 ? outliers : 1.0f);
  return values;
}

/// 0 if all bits are equal, else the largest difference by the largest value.
inline double error_of(const std::vector<float>& values, const std::vector<float>& expected) {
  if (std::memcmp(values.data(), expected.data(), values.size() * sizeof(float)) == 0) return 0.0;
  double difference = 0.0, largest = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double apart = std::abs(static_cast<double>(values[i]) - expected[i]);
    if (std::isnan(apart)) return std::nan("");
    difference = std::max(difference, apart);
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return largest > 0.0 ? difference / largest : difference;
}

inline double error_of(data::Element element, const Elements& both) {
  return error_of(widened(element, both.fetched()), widened(element, both.host));
}
inline double error_of(const Floats& both) { return error_of(both.fetched(), both.host); }
inline double error_of(const Both<std::int8_t>& both) {
  return both.fetched() == both.host ? 0.0 : 1.0;
}

/// The time of one launch: the median of some runs of many launches, after one run that does not
/// count.
inline double seconds_of(const std::function<void()>& launch) {
  constexpr int kRuns = 9, kLaunches = 20;
  cudaEvent_t begin = nullptr, end = nullptr;
  check(cudaEventCreate(&begin));
  check(cudaEventCreate(&end));
  std::vector<float> milliseconds;
  for (int run = 0; run <= kRuns; ++run) {
    check(cudaEventRecord(begin));
    for (int i = 0; i < kLaunches; ++i) launch();
    check(cudaEventRecord(end));
    check(cudaEventSynchronize(end));
    float elapsed = 0.0f;
    check(cudaEventElapsedTime(&elapsed, begin, end));
    if (run > 0) milliseconds.push_back(elapsed / kLaunches);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  std::nth_element(milliseconds.begin(), milliseconds.begin() + kRuns / 2, milliseconds.end());
  return milliseconds[kRuns / 2] * 1e-3;
}

}  // namespace dualpath::bench
