#include "modules/kernels/correction.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "modules/kernels/lane_sum.h"

namespace dualpath::modules {
namespace {

using data::BFloat16;
using data::Float16;
using data::Float32;

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

/// relu(down input + down_bias) for unit k.
DP_INLINE float unit(const CorrectionWeights& w, std::int64_t k, const float* input) {
  const float value = dot(w.down + k * w.hidden, input, w.hidden) + w.down_bias[k];
  return value > 0.0f ? value : 0.0f;
}

/// y += factor * x.
DP_INLINE void add_scaled(float factor, const float* x, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

/// Makes elements begin .. end of one row. head: room for as many.
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
  std::vector<float> input(static_cast<std::size_t>(w.hidden)), head(input),
      active(static_cast<std::size_t>(w.width));
  for (std::int64_t r = 0; r < rows; ++r, x += w.hidden, y += w.hidden) {
    const float rms = normalize_row<Type>(w, x, input.data());
    for (std::int64_t k = 0; k < w.width; ++k)
      active[static_cast<std::size_t>(k)] = unit(w, k, input.data());
    finish_row<Type>(w, x, active.data(), rms, 0, w.hidden, head.data(), y);
  }
}

template <class Type>
DP_INLINE float units(const CorrectionWeights& w, const void* x, std::int64_t begin,
                      std::int64_t end, float* active) {
  std::vector<float> input(static_cast<std::size_t>(w.hidden));
  const float rms =
      normalize_row<Type>(w, static_cast<const typename Type::Stored*>(x), input.data());
  for (std::int64_t k = begin; k < end; ++k) active[k] = unit(w, k, input.data());
  return rms;
}

template <class Type>
DP_INLINE void columns(const CorrectionWeights& w, const void* x, const float* active, float rms,
                       std::int64_t begin, std::int64_t end, void* y) {
  std::vector<float> head(static_cast<std::size_t>(end - begin));
  finish_row<Type>(w, static_cast<const typename Type::Stored*>(x), active, rms, begin, end,
                   head.data(), static_cast<typename Type::Stored*>(y));
}

/// Rows that go through the backward pass together. A parameter's gradient is loaded and stored
/// once for all of them.
constexpr int kTogether = 4;

/// Backward's values of such rows. Arrays of x's width go row by row; units go by unit, then by
/// row.
struct BackwardRows {
  explicit BackwardRows(const CorrectionWeights& w)
      : hidden(w.hidden),
        input(static_cast<std::size_t>(kTogether * w.hidden)),
        of_head(input),
        of_input(input),
        active(static_cast<std::size_t>(kTogether * w.width)),
        of_active(active) {}

  float* input_of(int r) { return input.data() + r * hidden; }
  float* of_head_of(int r) { return of_head.data() + r * hidden; }
  float* of_input_of(int r) { return of_input.data() + r * hidden; }

  std::int64_t hidden;
  std::vector<float> input, of_head, of_input;  // of_head: the gradient of alpha * z + beta
  std::vector<float> active, of_active;         // of_active: the gradient before the ReLU
  float rms[kTogether] = {}, of_alpha[kTogether] = {};
};

/// y += factors[r] * x_r for each row, in their order. x: [Rows, n].
template <int Rows>
DP_INLINE void add_rows(const float* factors, const float* __restrict x, std::int64_t n,
                        float* __restrict y) {
  for (std::int64_t i = 0; i < n; ++i) {
    float sum = y[i];
    for (int r = 0; r < Rows; ++r) sum += factors[r] * x[r * n + i];
    y[i] = sum;
  }
}

template <class Type, int Rows>
DP_INLINE void start_rows(const CorrectionWeights& w, const typename Type::Stored* x,
                          const typename Type::Stored* grad, BackwardRows& rows) {
  for (int r = 0; r < Rows; ++r) {
    float *input = rows.input_of(r), *of_head = rows.of_head_of(r);
    rows.rms[r] = normalize_row<Type>(w, x + r * w.hidden, input);
    for (std::int64_t k = 0; k < w.width; ++k)
      rows.active[static_cast<std::size_t>(k * Rows + r)] = unit(w, k, input);
    const auto* of_y = grad + r * w.hidden;
    for (std::int64_t i = 0; i < w.hidden; ++i) of_head[i] = rows.rms[r] * Type::load(of_y[i]);
    rows.of_alpha[r] = dot(of_head, w.up_bias, w.hidden);
  }
}

/// Adds up the parameters' gradients. Leaves of_active and of_alpha in the rows.
template <int Rows>
DP_INLINE void add_gradients(const CorrectionWeights& w, BackwardRows& rows,
                             const CorrectionGradients& gradients) {
  const float alpha = *w.alpha;
  float alphas[Rows], ones[Rows];
  for (int r = 0; r < Rows; ++r) {
    alphas[r] = alpha;
    ones[r] = 1.0f;
  }
  for (std::int64_t k = 0; k < w.width; ++k) {
    const float* active = rows.active.data() + k * Rows;
    float *of_active = rows.of_active.data() + k * Rows, scaled[Rows];
    for (int r = 0; r < Rows; ++r) {
      const float along_up = dot(rows.of_head_of(r), w.up + k * w.hidden, w.hidden);
      rows.of_alpha[r] += active[r] * along_up;
      of_active[r] = active[r] > 0.0f ? alpha * along_up : 0.0f;
      gradients.down_bias[k] += of_active[r];
      scaled[r] = alpha * active[r];
    }
    add_rows<Rows>(of_active, rows.input.data(), w.hidden, gradients.down + k * w.hidden);
    add_rows<Rows>(scaled, rows.of_head.data(), w.hidden, gradients.up + k * w.hidden);
  }
  add_rows<Rows>(alphas, rows.of_head.data(), w.hidden, gradients.up_bias);
  add_rows<Rows>(ones, rows.of_head.data(), w.hidden, gradients.beta);
  for (int r = 0; r < Rows; ++r) *gradients.alpha += rows.of_alpha[r];
}

template <int Rows>
DP_INLINE void find_of_input(const CorrectionWeights& w, BackwardRows& rows) {
  std::fill_n(rows.of_input.begin(), Rows * w.hidden, 0.0f);
  for (std::int64_t k = 0; k < w.width; ++k) {
    const float* of_active = rows.of_active.data() + k * Rows;
    for (int r = 0; r < Rows; ++r)
      add_scaled(of_active[r], w.down + k * w.hidden, w.hidden, rows.of_input_of(r));
  }
}

template <class Type, int Rows>
DP_INLINE void finish_rows(const CorrectionWeights& w, const typename Type::Stored* grad,
                           BackwardRows& rows, typename Type::Stored* grad_x) {
  for (int r = 0; r < Rows; ++r, grad += w.hidden, grad_x += w.hidden) {
    const float *input = rows.input_of(r), *of_input = rows.of_input_of(r);
    // rms(x) stands before the head's result and under its input.
    float along_x = 0.0f;
    if (w.normalized) {
      const float of_rms = *w.alpha * rows.of_alpha[r] + dot(rows.of_head_of(r), w.beta, w.hidden) -
                           dot(of_input, input, w.hidden);
      along_x = of_rms / rows.rms[r] / static_cast<float>(w.hidden);
    }
    for (std::int64_t i = 0; i < w.hidden; ++i) {
      grad_x[i] = Type::store(Type::load(grad[i]) + of_input[i] / rows.rms[r] + along_x * input[i]);
    }
  }
}

template <class Type, int Rows>
DP_INLINE void backward_together(const CorrectionWeights& w, const typename Type::Stored* x,
                                 const typename Type::Stored* grad, typename Type::Stored* grad_x,
                                 BackwardRows& rows, const CorrectionGradients& gradients) {
  start_rows<Type, Rows>(w, x, grad, rows);
  add_gradients<Rows>(w, rows, gradients);
  find_of_input<Rows>(w, rows);
  finish_rows<Type, Rows>(w, grad, rows, grad_x);
}

template <class Type>
DP_INLINE void backward_rows(const CorrectionWeights& w, const void* x_in, const void* grad_in,
                             std::int64_t count, void* grad_x_out,
                             const CorrectionGradients& gradients) {
  const auto* x = static_cast<const typename Type::Stored*>(x_in);
  const auto* grad = static_cast<const typename Type::Stored*>(grad_in);
  auto* grad_x = static_cast<typename Type::Stored*>(grad_x_out);
  BackwardRows rows(w);
  std::int64_t row = 0;
  for (; row + kTogether <= count; row += kTogether) {
    const std::int64_t from = row * w.hidden;
    backward_together<Type, kTogether>(w, x + from, grad + from, grad_x + from, rows, gradients);
  }
  for (; row < count; ++row) {
    const std::int64_t from = row * w.hidden;
    backward_together<Type, 1>(w, x + from, grad + from, grad_x + from, rows, gradients);
  }
}

#define DP_CORRECTION_KERNELS(Type)                                                   \
  DP_VECTOR_CLONES void forward(Type, const CorrectionWeights& w, const void* x,      \
                                std::int64_t rows, void* y) {                         \
    forward_rows<Type>(w, x, rows, y);                                                \
  }                                                                                   \
  DP_VECTOR_CLONES float units(Type, const CorrectionWeights& w, const void* x,       \
                               std::int64_t begin, std::int64_t end, float* active) { \
    return units<Type>(w, x, begin, end, active);                                     \
  }                                                                                   \
  DP_VECTOR_CLONES void columns(Type, const CorrectionWeights& w, const void* x,      \
                                const float* active, float rms, std::int64_t begin,   \
                                std::int64_t end, void* y) {                          \
    columns<Type>(w, x, active, rms, begin, end, y);                                  \
  }                                                                                   \
  DP_VECTOR_CLONES void backward(Type, const CorrectionWeights& w, const void* x,     \
                                 const void* grad, std::int64_t rows, void* grad_x,   \
                                 const CorrectionGradients& gradients) {              \
    backward_rows<Type>(w, x, grad, rows, grad_x, gradients);                         \
  }

DP_CORRECTION_KERNELS(Float32)
DP_CORRECTION_KERNELS(BFloat16)
DP_CORRECTION_KERNELS(Float16)

}  // namespace

void correction_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                    std::int64_t rows, void* y) {
  data::visit(element, [&](auto type) { forward(type, weights, x, rows, y); });
}

float correction_units_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                           std::int64_t begin, std::int64_t end, float* active) {
  return data::visit(element,
                     [&](auto type) { return units(type, weights, x, begin, end, active); });
}

void correction_columns_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                            const float* active, float r, std::int64_t begin, std::int64_t end,
                            void* y) {
  data::visit(element, [&](auto type) { columns(type, weights, x, active, r, begin, end, y); });
}

void correction_backward_cpu(data::Element element, const CorrectionWeights& weights, const void* x,
                             const void* grad, std::int64_t rows, void* grad_x,
                             const CorrectionGradients& gradients) {
  data::visit(element,
              [&](auto type) { backward(type, weights, x, grad, rows, grad_x, gradients); });
}

}  // namespace dualpath::modules
