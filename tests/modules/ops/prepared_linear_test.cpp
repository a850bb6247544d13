#include "modules/ops/prepared_linear.h"

#include <torch/torch.h>

#include "modules/execute/compute_weights.h"
#include "modules/execute/float_executor.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"

using namespace dualpath::modules;
using namespace dualpath::testing;
using at::Tensor;

namespace {

/// Small integers: sums of their products are exact in any order.
Tensor integers(at::IntArrayRef shape, at::ScalarType dtype) {
  return torch::randint(-3, 4, shape).to(dtype);
}

LinearRef head(std::int64_t in, std::int64_t out) { return {"head", in, out, /*bias=*/false}; }

std::shared_ptr<const WeightStore> store_of(const Tensor& table) {
  return std::make_shared<MemoryStore>(NamedTensors{{"head.weight", table}});
}

}  // namespace

TEST_CASE("a prepared right operand multiplies as the plain one", "[modules][prepared]") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kFloat, at::kHalf);
  const std::int64_t rows = GENERATE(1, 5, 128), in = GENERATE(1, 40, 576), out = 67;
  const Tensor x = integers({rows, in}, dtype), matrix = integers({out, in}, dtype);
  const RightOperand prepared = RightOperand::prepared(matrix), plain = RightOperand::plain(matrix);
  const Tensor product = prepared.multiply(x);
  CHECK(product.equal(plain.multiply(x)));
  CHECK(product.equal(x.matmul(matrix.t())));

  const Tensor start = integers({rows, out}, dtype);
  for (const RightOperand& operand : {prepared, plain}) {
    Tensor sum = start.clone();
    operand.add_product(x, sum);
    CHECK(sum.equal(
        (start.to(at::kFloat) + x.to(at::kFloat).matmul(matrix.to(at::kFloat).t())).to(dtype)));
  }
}

// Trained weights are multiplied plainly, and prepared once they are exported and opened again. The
// plain product may be another library's (MKL's, on Intel's processors). Then the order of its sums
// differs, and with it the last bit of some results.
TEST_CASE("a prepared right operand gives the plain one's values to the last bit",
          "[modules][prepared]") {
  torch::manual_seed(2);
  const Tensor matrix = torch::randn({4608, 576}).to(at::kBFloat16);
  const Tensor x = torch::randn({GENERATE(64, 100, 256), 576}).to(at::kBFloat16);
  const Tensor prepared = RightOperand::prepared(matrix).multiply(x).to(at::kFloat);
  const Tensor plain = at::linear(x, matrix).to(at::kFloat);
  constexpr double kLastBit = 1.0 / 128, kNearZero = 1e-3;
  CHECK(at::allclose(prepared, plain, kLastBit, kNearZero));
  CHECK(prepared.ne(plain).to(at::kFloat).mean().item<double>() < 1e-3);
}

TEST_CASE("a transposed view is prepared like its copy", "[modules][prepared]") {
  const Tensor matrix = integers({96, 40}, at::kBFloat16), x = integers({7, 96}, at::kBFloat16);
  CHECK(RightOperand::prepared(matrix.t()).multiply(x).equal(x.matmul(matrix)));
}

TEST_CASE("a prepared linear adds its bias before it rounds", "[modules][prepared]") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kFloat, at::kHalf);
  const Tensor matrix = integers({67, 40}, dtype), bias = integers({67}, dtype) / 4;
  const auto prepared = std::make_shared<PreparedMatrix>([&] { return matrix; });
  const Tensor x = integers({3, 50, 40}, dtype);
  CHECK(prepared_linear(x, prepared, bias).equal(at::linear(x, matrix, bias)));
  CHECK(prepared_linear(x, prepared).equal(at::linear(x, matrix)));
}

TEST_CASE("a table's linear and its gradient are the plain linear's", "[modules][prepared]") {
  const Tensor table = integers({400, 40}, at::kBFloat16);
  FloatExecutor executor(store_of(table), at::kBFloat16);
  const std::int64_t rows = GENERATE(63, 64, 130);  // few rows, and enough for preparing
  const Tensor x = integers({rows, 40}, at::kBFloat16).requires_grad_();
  const Tensor plain_x = x.detach().clone().requires_grad_();
  const Tensor y = executor.linear(LinearRefs{head(40, 400)}, x).front();
  const Tensor plain = at::linear(plain_x, table);
  CHECK(y.equal(plain));
  const Tensor slope = integers({rows, 400}, at::kBFloat16);
  y.backward(slope);
  plain.backward(slope);
  CHECK(x.grad().equal(plain_x.grad()));
}

TEST_CASE("linears that meet batch after batch are prepared, and give the plain ones' results",
          "[modules][prepared]") {
  const Tensor weight = integers({48, 40}, at::kBFloat16), bias = integers({48}, at::kBFloat16);
  const auto store =
      std::make_shared<MemoryStore>(NamedTensors{{"up.weight", weight}, {"up.bias", bias}});
  FloatExecutor executor(store, at::kBFloat16, Preparation::kLinears);
  const LinearRef up{"up", 40, 48, /*bias=*/true};
  const std::size_t before = weight.use_count();
  const auto is_kept = [&] { return weight.use_count() > before; };
  const auto check = [&](const Tensor& x) {
    CHECK(executor.linear(LinearRefs{up}, x).front().equal(at::linear(x, weight, bias)));
  };
  check(integers({2, 32, 40}, at::kBFloat16));
  CHECK(is_kept() == !can_prepare(at::kBFloat16, at::kCPU));  // the plain weight is dropped
  // Few rows do not pay, and backward would want another layout.
  check(integers({2, 31, 40}, at::kBFloat16));
  CHECK(is_kept());
  const Tensor x = integers({2, 70, 40}, at::kBFloat16).requires_grad_();
  const Tensor y = executor.linear(LinearRefs{up}, x).front();
  y.backward(torch::ones_like(y));
  CHECK(x.grad().equal(torch::ones({140, 48}, at::kBFloat16).matmul(weight).view({2, 70, 40})));
}

TEST_CASE("only a frozen matrix is prepared, once for all that share its weights",
          "[modules][prepared]") {
  const auto store = store_of(integers({400, 40}, at::kBFloat16));
  const auto overlay = std::make_shared<WeightOverlay>(store);
  const auto frozen = std::make_shared<ComputeWeights>(store, at::kBFloat16);
  ComputeWeights over(overlay, frozen);
  CHECK(over.prepared("head.weight") == frozen->prepared("head.weight"));
  CHECK((frozen->prepared("head.weight") != nullptr) == can_prepare(at::kBFloat16, at::kCPU));
  overlay->set("head.weight", torch::zeros({400, 40}).requires_grad_());
  CHECK(over.prepared("head.weight") == nullptr);

  CHECK(is_table(head(40, 320)));
  CHECK_FALSE(is_table(head(40, 319)));
  CHECK_FALSE(is_table({"head", 40, 320, /*bias=*/true}));
}
