#include "modules/kernels/correction.h"

#include <cmath>
#include <vector>

#include "modules/kernels/lane_sum.h"

namespace dualpath::modules {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;

#define DP_LAMBDA __attribute__((always_inline))

/// What the forward has of one row, and the backward needs again.
struct Row {
  explicit Row(const CorrectionWeights& w)
      : input(static_cast<std::size_t>(w.hidden)), active(static_cast<std::size_t>(w.width)) {}
  float rms = 1.0f;
  std::vector<float> input;   // x / rms
  std::vector<float> active;  // relu(down input + down_bias)
};

DP_INLINE float dot(const float* a, const float* b, std::int64_t n) {
  return lane_sum(n, [&](std::int64_t i) DP_LAMBDA { return a[i] * b[i]; });
}

/// Writes x / r to input, returns r.
template <class Type>
DP_INLINE float normalize_row(const CorrectionWeights& w, const typename Type::Stored* x,
                              float* input) {
  for (std::int64_t i = 0; i < w.hidden; ++i) input[i] = Type::load(x[i]);
  if (!w.normalized) return 1.0f;
  const float rms =
      std::sqrt(dot(input, input, w.hidden) / static_cast<float>(w.hidden) + kCorrectionEps);
  for (std::int64_t i = 0; i < w.hidden; ++i) input[i] /= rms;
  return rms;
}

DP_INLINE void add_units(const CorrectionWeights& w, const float* input, std::int64_t begin,
                         std::int64_t end, float* active) {
  for (std::int64_t k = begin; k < end; ++k) {
    const float value = dot(w.down + k * w.hidden, input, w.hidden) + w.down_bias[k];
    active[k] = value > 0.0f ? value : 0.0f;
  }
}

template <class Type>
DP_INLINE void start_row(const CorrectionWeights& w, const typename Type::Stored* x, Row& row) {
  row.rms = normalize_row<Type>(w, x, row.input.data());
  add_units(w, row.input.data(), 0, w.width, row.active.data());
}

/// y += factor * x.
DP_INLINE void add_scaled(float factor, const float* x, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

/// The elements begin .. end of one row; head: room for as many.
template <class Type>
DP_INLINE void finish_row(const CorrectionWeights& w, const typename Type::Stored* x,
                          const float* active, float rms, std::int64_t begin, std::int64_t end,
                          float* head, typename Type::Stored* y) {
  const float alpha = *w.alpha;
  const std::int64_t size = end - begin;
  for (std::int64_t i = 0; i < size; ++i) head[i] = w.up_bias[begin + i];
  for (std::int64_t k = 0; k < w.width; ++k)
    add_scaled(active[k], w.up + k * w.hidden + begin, size, head);
  for (std::int64_t i = begin; i < end; ++i)
    y[i] = Type::store(Type::load(x[i]) + rms * (alpha * head[i - begin] + w.beta[i]));
}

template <class Type>
DP_INLINE void forward_rows(const CorrectionWeights& w, const void* x_in, std::int64_t rows,
                            void* y_out) {
  const auto* x = static_cast<const typename Type::Stored*>(x_in);
  auto* y = static_cast<typename Type::Stored*>(y_out);
  Row row(w);
  std::vector<float> head(static_cast<std::size_t>(w.hidden));
  for (std::int64_t r = 0; r < rows; ++r, x += w.hidden, y += w.hidden) {
    start_row<Type>(w, x, row);
    finish_row<Type>(w, x, row.active.data(), row.rms, 0, w.hidden, head.data(), y);
  }
}

template <class Type>
DP_INLINE float units(const CorrectionWeights& w, const void* x, std::int64_t begin,
                      std::int64_t end, float* active) {
  std::vector<float> input(static_cast<std::size_t>(w.hidden));
  const float rms =
      normalize_row<Type>(w, static_cast<const typename Type::Stored*>(x), input.data());
  add_units(w, input.data(), begin, end, active);
  return rms;
}

template <class Type>
DP_INLINE void columns(const CorrectionWeights& w, const void* x, const float* active, float rms,
                       std::int64_t begin, std::int64_t end, void* y) {
  std::vector<float> head(static_cast<std::size_t>(end - begin));
  finish_row<Type>(w, static_cast<const typename Type::Stored*>(x), active, rms, begin, end,
                   head.data(), static_cast<typename Type::Stored*>(y));
}

/// Gradients of the parameters from one row. of_head: of alpha * z + beta, [hidden]. Leaves in
/// of_active the gradient of each unit before its ReLU; returns the row's part of alpha's.
DP_INLINE float add_gradients(const CorrectionWeights& w, const Row& row, const float* of_head,
                              const CorrectionGradients& gradients, float* of_active) {
  const float alpha = *w.alpha;
  float of_alpha = dot(of_head, w.up_bias, w.hidden);
  for (std::int64_t k = 0; k < w.width; ++k) {
    const float active = row.active[static_cast<std::size_t>(k)];
    const float along_up = dot(of_head, w.up + k * w.hidden, w.hidden);
    of_alpha += active * along_up;
    of_active[k] = active > 0.0f ? alpha * along_up : 0.0f;
    gradients.down_bias[k] += of_active[k];
    add_scaled(of_active[k], row.input.data(), w.hidden, gradients.down + k * w.hidden);
    add_scaled(alpha * active, of_head, w.hidden, gradients.up + k * w.hidden);
  }
  add_scaled(alpha, of_head, w.hidden, gradients.up_bias);
  add_scaled(1.0f, of_head, w.hidden, gradients.beta);
  *gradients.alpha += of_alpha;
  return of_alpha;
}

template <class Type>
DP_INLINE void backward_rows(const CorrectionWeights& w, const void* x_in, const void* grad_in,
                             std::int64_t rows, void* grad_x_out,
                             const CorrectionGradients& gradients) {
  const auto* x = static_cast<const typename Type::Stored*>(x_in);
  const auto* grad = static_cast<const typename Type::Stored*>(grad_in);
  auto* grad_x = static_cast<typename Type::Stored*>(grad_x_out);
  Row row(w);
  std::vector<float> of_head_row(static_cast<std::size_t>(w.hidden)), of_input_row(of_head_row),
      of_active_row(static_cast<std::size_t>(w.width));
  float *of_head = of_head_row.data(), *of_input = of_input_row.data(),
        *of_active = of_active_row.data();
  for (std::int64_t r = 0; r < rows; ++r, x += w.hidden, grad += w.hidden, grad_x += w.hidden) {
    start_row<Type>(w, x, row);
    for (std::int64_t i = 0; i < w.hidden; ++i) of_head[i] = row.rms * Type::load(grad[i]);
    const float of_alpha = add_gradients(w, row, of_head, gradients, of_active);
    for (std::int64_t i = 0; i < w.hidden; ++i) of_input[i] = 0.0f;
    for (std::int64_t k = 0; k < w.width; ++k)
      add_scaled(of_active[k], w.down + k * w.hidden, w.hidden, of_input);
    // rms(x) stands before the head's result and under its input.
    float along_x = 0.0f;
    if (w.normalized) {
      const float of_rms = *w.alpha * of_alpha + dot(of_head, w.beta, w.hidden) -
                           dot(of_input, row.input.data(), w.hidden);
      along_x = of_rms / row.rms / static_cast<float>(w.hidden);
    }
    for (std::int64_t i = 0; i < w.hidden; ++i) {
      grad_x[i] = Type::store(Type::load(grad[i]) + of_input[i] / row.rms +
                              along_x * row.input[static_cast<std::size_t>(i)]);
    }
  }
}

#define DP_CORRECTION_KERNELS(Type)                                                          \
  DP_VECTOR_CLONES void forward_##Type(const CorrectionWeights& w, const void* x,            \
                                       std::int64_t rows, void* y) {                         \
    forward_rows<Type>(w, x, rows, y);                                                       \
  }                                                                                          \
  DP_VECTOR_CLONES float units_##Type(const CorrectionWeights& w, const void* x,             \
                                      std::int64_t begin, std::int64_t end, float* active) { \
    return units<Type>(w, x, begin, end, active);                                            \
  }                                                                                          \
  DP_VECTOR_CLONES void columns_##Type(const CorrectionWeights& w, const void* x,            \
                                       const float* active, float rms, std::int64_t begin,   \
                                       std::int64_t end, void* y) {                          \
    columns<Type>(w, x, active, rms, begin, end, y);                                         \
  }                                                                                          \
  DP_VECTOR_CLONES void backward_##Type(const CorrectionWeights& w, const void* x,           \
                                        const void* grad, std::int64_t rows, void* grad_x,   \
                                        const CorrectionGradients& gradients) {              \
    backward_rows<Type>(w, x, grad, rows, grad_x, gradients);                                \
  }

DP_CORRECTION_KERNELS(Float32)
DP_CORRECTION_KERNELS(BFloat16)
DP_CORRECTION_KERNELS(Float16)

}  // namespace

void correction_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                    std::int64_t rows, void* y) {
  switch (element) {
    case data::Element::kFloat32:
      return forward_Float32(weights, x, rows, y);
    case data::Element::kBFloat16:
      return forward_BFloat16(weights, x, rows, y);
    case data::Element::kFloat16:
      return forward_Float16(weights, x, rows, y);
  }
}

float correction_units_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                           std::int64_t begin, std::int64_t end, float* active) {
  switch (element) {
    case data::Element::kFloat32:
      return units_Float32(weights, x, begin, end, active);
    case data::Element::kBFloat16:
      return units_BFloat16(weights, x, begin, end, active);
    case data::Element::kFloat16:
      return units_Float16(weights, x, begin, end, active);
  }
  return 1.0f;
}

void correction_columns_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                            const float* active, float r, std::int64_t begin, std::int64_t end,
                            void* y) {
  switch (element) {
    case data::Element::kFloat32:
      return columns_Float32(weights, x, active, r, begin, end, y);
    case data::Element::kBFloat16:
      return columns_BFloat16(weights, x, active, r, begin, end, y);
    case data::Element::kFloat16:
      return columns_Float16(weights, x, active, r, begin, end, y);
  }
}

void correction_backward_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                             const void* grad, std::int64_t rows, void* grad_x,
                             const CorrectionGradients& gradients) {
  switch (element) {
    case data::Element::kFloat32:
      return backward_Float32(weights, x, grad, rows, grad_x, gradients);
    case data::Element::kBFloat16:
      return backward_BFloat16(weights, x, grad, rows, grad_x, gradients);
    case data::Element::kFloat16:
      return backward_Float16(weights, x, grad, rows, grad_x, gradients);
  }
}

}  // namespace dualpath::modules
