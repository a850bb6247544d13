#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "modules/kernels/gated_cpu.cpp"
#include <hwy/foreach_target.h>
// Highway compiles this file once for each kind of processor and picks at run time; its headers
// come after.
#include <hwy/highway.h>

#include "modules/kernels/exp-inl.h"
#include "modules/kernels/gated.h"
#include "modules/kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace dualpath::modules::HWY_NAMESPACE {
namespace {

/// Sigmoid; 0 where e^-x would leave float32's normal numbers.
HWY_INLINE V sigmoid(V x) {
  const Floats d;
  const V one = hn::Set(d, 1.0f), least = hn::Set(d, -87.0f);
  const V inverse = hn::Add(one, exp(hn::Neg(hn::Max(x, least))));
  return hn::IfThenZeroElse(hn::Lt(x, least), hn::Div(one, inverse));
}

template <class Row>
void forward(const GatedRows& in, void* y_out) {
  const auto *gate = static_cast<const typename Row::Stored*>(in.gate),
             *up = static_cast<const typename Row::Stored*>(in.up);
  auto* y = static_cast<typename Row::Stored*>(y_out);
  const Floats d;
  for (std::int64_t i = 0; i < in.n; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    const V g = load<Row>(d, gate, i, in.n);
    const V silu = hn::Mul(g, sigmoid(g));
    store<Row>(up ? hn::Mul(silu, load<Row>(d, up, i, in.n)) : silu, y, i, in.n);
  }
}

/// d silu(g) / dg = s (1 + g (1 - s)), s = sigmoid(g).
template <class Row>
void backward(const GatedRows& in, const void* grad_in, void* grad_gate_out, void* grad_up_out) {
  using Stored = typename Row::Stored;
  const auto *gate = static_cast<const Stored*>(in.gate), *up = static_cast<const Stored*>(in.up),
             *grad = static_cast<const Stored*>(grad_in);
  auto *grad_gate = static_cast<Stored*>(grad_gate_out),
       *grad_up = static_cast<Stored*>(grad_up_out);
  const Floats d;
  const V one = hn::Set(d, 1.0f);
  for (std::int64_t i = 0; i < in.n; i += static_cast<std::int64_t>(hn::Lanes(d))) {
    const V g = load<Row>(d, gate, i, in.n), of_y = load<Row>(d, grad, i, in.n);
    const V s = sigmoid(g);
    const V slope = hn::Mul(s, hn::Add(one, hn::Mul(g, hn::Sub(one, s))));
    const V of_silu = up ? hn::Mul(of_y, load<Row>(d, up, i, in.n)) : of_y;
    store<Row>(hn::Mul(of_silu, slope), grad_gate, i, in.n);
    if (up) store<Row>(hn::Mul(of_y, hn::Mul(g, s)), grad_up, i, in.n);
  }
}

void gated_silu(const GatedRows& in, void* y) {
  visit_rows(in.element, [&](auto row) { forward<decltype(row)>(in, y); });
}

void gated_silu_backward(const GatedRows& in, const void* grad, void* grad_gate, void* grad_up) {
  visit_rows(in.element, [&](auto row) { backward<decltype(row)>(in, grad, grad_gate, grad_up); });
}

}  // namespace
}  // namespace dualpath::modules::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dualpath::modules {

HWY_EXPORT(gated_silu);
HWY_EXPORT(gated_silu_backward);

void gated_silu_cpu(const GatedRows& in, void* y) { HWY_DYNAMIC_DISPATCH(gated_silu)(in, y); }

void gated_silu_backward_cpu(const GatedRows& in, const void* grad, void* grad_gate,
                             void* grad_up) {
  HWY_DYNAMIC_DISPATCH(gated_silu_backward)(in, grad, grad_gate, grad_up);
}

}  // namespace dualpath::modules
#endif
