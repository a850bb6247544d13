#include "modules/ops/bfloat16_products.h"

#include <torch/torch.h>

#include "tests/support/catch.h"

using namespace dualpath::modules;
using at::Tensor;

namespace {

/// Small integers of bfloat16: sums of their products are exact in any order.
Tensor integers(at::IntArrayRef shape) { return torch::randint(-3, 4, shape).to(at::kBFloat16); }

/// Lays a matrix out by columns; its values stay.
Tensor by_columns(const Tensor& x) {
  return x.transpose(-2, -1).contiguous().transpose(-2, -1).detach();
}

Tensor widened(const Tensor& x) { return x.to(at::kFloat); }

}  // namespace

TEST_CASE("bfloat16 matrices multiply to float32 sums, rounded once, on every processor",
          "[modules][products]") {
  speed_up_bfloat16_products();
  speed_up_bfloat16_products();
  const std::int64_t rows = GENERATE(1, 31, 128), inner = GENERATE(1, 40, 300), columns = 67;
  const bool turned = GENERATE(false, true);
  const auto laid = [&](const Tensor& x) { return turned ? by_columns(x) : x; };
  const Tensor x = integers({rows, inner}), y = laid(integers({inner, columns})),
               bias = integers({columns});
  const auto rounded = [](const Tensor& sums) { return sums.to(at::kBFloat16); };
  const Tensor sums = at::mm(widened(x), widened(y));
  CHECK(at::mm(x, y).equal(rounded(sums)));
  CHECK(at::mm(laid(x), y).equal(rounded(sums)));
  CHECK(at::linear(x, y.t(), bias).equal(rounded(sums + widened(bias))));
  CHECK(at::addmm(bias, x, y, 2, 3).equal(rounded(3 * sums + 2 * widened(bias))));
  Tensor total = integers({rows, columns});
  const Tensor before = total.clone();
  total.addmm_(x, y);
  CHECK(total.equal(rounded(sums + widened(before))));

  const Tensor batch = integers({3, rows, inner}), others = laid(integers({3, inner, columns}));
  const Tensor products = rounded(at::bmm(widened(batch), widened(others)));
  CHECK(at::bmm(batch, others).equal(products));
  Tensor out = at::empty({3, rows, columns}, at::kBFloat16);
  at::bmm_out(out, batch, others);
  CHECK(out.equal(products));
  CHECK(at::mm(widened(x), widened(y)).equal(sums));
}

TEST_CASE("products of bfloat16 pass gradients on", "[modules][products]") {
  speed_up_bfloat16_products();
  const Tensor x = integers({48, 20}).requires_grad_(),
               weight = integers({30, 20}).requires_grad_(), of_result = integers({48, 30});
  at::linear(x, weight).backward(of_result);
  CHECK(x.grad().equal(at::mm(widened(of_result), widened(weight.detach())).to(at::kBFloat16)));
  CHECK(weight.grad().equal(at::mm(widened(of_result).t(), widened(x.detach())).to(at::kBFloat16)));
}
