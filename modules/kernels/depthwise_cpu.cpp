#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "modules/kernels/depthwise_cpu.cpp"
#include <hwy/foreach_target.h>
// Highway compiles this file once for each kind of processor and picks at run time; its headers
// come after.
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "modules/kernels/depthwise.h"
#include "modules/kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dualpath::modules::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kTogether = 4;  // moments that share the values read from x

/// The taps of one vector of channels, side by side, with zeros before and behind. So each x that
/// one of the moments sees can be multiplied for all of them.
class Column {
 public:
  explicit Column(const DepthwiseTaps& of)
      : of_(of), values_(static_cast<std::size_t>((of.kernel + 2 * kEdge) * kMostLanes)) {}

  void read(std::int64_t channel) {
    const Floats d;
    for (std::int64_t k = 0; k < of_.kernel; ++k)
      hn::StoreU(load<Float32Row>(d, of_.taps + k * of_.channels, channel, of_.channels), d,
                 values_.data() + (k + kEdge) * lanes());
  }
  /// Tap k, from -kEdge to kernel + kEdge - 1.
  V tap(std::int64_t k) const {
    return hn::LoadU(Floats(), values_.data() + (k + kEdge) * lanes());
  }

 private:
  static constexpr std::int64_t kEdge = kTogether - 1;
  static std::int64_t lanes() { return static_cast<std::int64_t>(hn::Lanes(Floats())); }

  const DepthwiseTaps& of_;
  std::vector<float> values_;
};

/// Convolves one vector of channels at up to kTogether moments from t.
template <class Row>
void convolve(const DepthwiseTaps& of, const Column& column, const typename Row::Stored* x,
              std::int64_t time, std::int64_t channel, std::int64_t t, std::int64_t end,
              typename Row::Stored* y) {
  const Floats d;
  const V bias = of.bias ? load<Float32Row>(d, of.bias, channel, of.channels) : hn::Zero(d);
  V y0 = bias, y1 = bias, y2 = bias, y3 = bias;
  const std::int64_t first = t - of.padding, last = first + of.kernel + kTogether - 1;
  for (std::int64_t s = std::max<std::int64_t>(first, 0); s < std::min(last, time); ++s) {
    const V value = load<Row>(d, x + s * of.channels, channel, of.channels);
    const std::int64_t k = s - first;
    y0 = hn::MulAdd(value, column.tap(k), y0);
    y1 = hn::MulAdd(value, column.tap(k - 1), y1);
    y2 = hn::MulAdd(value, column.tap(k - 2), y2);
    y3 = hn::MulAdd(value, column.tap(k - 3), y3);
  }
  const auto put = [&](V sum, std::int64_t moment) {
    if (moment < end) store<Row>(sum, y + moment * of.channels, channel, of.channels);
  };
  put(y0, t);
  put(y1, t + 1);
  put(y2, t + 2);
  put(y3, t + 3);
}

template <class Row>
void convolve_all(const DepthwiseTaps& of, const void* x_in, std::int64_t time, std::int64_t begin,
                  std::int64_t end, void* y_out) {
  const auto* x = static_cast<const typename Row::Stored*>(x_in);
  auto* y = static_cast<typename Row::Stored*>(y_out);
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(Floats()));
  Column column(of);
  for (std::int64_t channel = 0; channel < of.channels; channel += lanes) {
    column.read(channel);
    for (std::int64_t t = begin; t < end; t += kTogether)
      convolve<Row>(of, column, x, time, channel, t, end, y);
  }
}

void depthwise(data::Element element, const DepthwiseTaps& taps, const void* x, std::int64_t time,
               std::int64_t begin, std::int64_t end, void* y) {
  visit_rows(element, [&](auto row) { convolve_all<decltype(row)>(taps, x, time, begin, end, y); });
}

}  // namespace
}  // namespace dualpath::modules::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dualpath::modules {

HWY_EXPORT(depthwise);

void depthwise_cpu(data::Element element, const DepthwiseTaps& taps, const void* x,
                   std::int64_t time, std::int64_t begin, std::int64_t end, void* y) {
  HWY_DYNAMIC_DISPATCH(depthwise)(element, taps, x, time, begin, end, y);
}

}  // namespace dualpath::modules
#endif
