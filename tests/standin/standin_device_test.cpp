#include "tests/support/standin_device.h"

#include <torch/torch.h>

#include "tests/support/catch.h"

using namespace dualpath::testing;
using Catch::Contains;
using torch::Tensor;

namespace {

Tensor on_standin(const Tensor& tensor) { return tensor.to(standin_device()); }

Tensor numbers(at::IntArrayRef shape) {
  const auto generator = at::make_generator<at::CPUGeneratorImpl>(/*seed=*/3);
  return torch::empty(shape).normal_(0.0, 1.0, generator);
}

}  // namespace

TEST_CASE("the stand-in device has the CPU's bits, forward and backward", "[standin]") {
  const auto loss = [](const Tensor& x, const Tensor& w) {
    const Tensor y = at::linear(x, w).transpose(1, 2).softmax(-1);
    return (y.reshape({2, -1}).sum(1) * at::layer_norm(x, {8}).mean()).square().sum();
  };
  const Tensor x = numbers({2, 5, 8}), w = numbers({6, 8}).requires_grad_();
  const Tensor w_there = on_standin(w.detach()).requires_grad_();
  const Tensor here = loss(x, w), there = loss(on_standin(x), w_there);
  CHECK(there.device() == standin_device());
  CHECK(there.cpu().equal(here));
  here.backward();
  there.backward();
  CHECK(w_there.grad().device() == standin_device());
  CHECK(w_there.grad().cpu().equal(w.grad()));
}

TEST_CASE("the stand-in device sees views and in-place results in its own memory", "[standin]") {
  const Tensor x = on_standin(torch::zeros({2, 3}));
  x.select(0, 1).add_(2.0);
  x.t().narrow(0, 2, 1).mul_(3.0);
  Tensor out = at::empty({2, 3}, x.options());
  CHECK(at::exp_out(out, x).is_same(out));
  CHECK(x.cpu().equal(torch::tensor({{0.0f, 0.0f, 0.0f}, {2.0f, 2.0f, 6.0f}})));
  CHECK(out.cpu().equal(x.cpu().exp()));
}

TEST_CASE("an operator that is given tensors of the stand-in device and of the CPU is refused",
          "[standin]") {
  const Tensor host = numbers({4, 4}), x = on_standin(host);
  CHECK_THROWS_WITH(at::mm(x, host), Contains("aten::mm"));
  CHECK_THROWS_WITH(at::cat({x, host}), Contains("aten::cat"));
  CHECK_THROWS_WITH(at::where(host > 0, x, x), Contains("aten::where"));
  CHECK_THROWS_WITH(x.index({torch::tensor({0, 1})}), Contains("aten::index"));
  CHECK_THROWS_WITH(x.index_select(0, torch::tensor({1})), Contains("aten::index_select"));
  CHECK_THROWS(x + host);
  CHECK_THROWS(host.add_(x));
  CHECK_NOTHROW(x + torch::tensor(2.0f));  // as CUDA takes it: a scalar of the host's
  CHECK_NOTHROW(at::where(x > 0, x, torch::tensor(0.0f)));
}

TEST_CASE("what the host reads from the stand-in device is counted by operator", "[standin]") {
  const Tensor x = on_standin(numbers({4}));
  take_read_backs();
  (x * 2.0 + 1.0).sum();
  x.to(at::kDouble).clone();
  on_standin(torch::ones({3}));
  CHECK(take_read_backs().empty());
  x.sum().item<float>();
  x.cpu();
  x.gt(0.0).nonzero();
  CHECK(take_read_backs() ==
        std::vector<std::string>{"aten::_local_scalar_dense", "aten::_copy_from", "aten::nonzero"});
  CHECK(take_read_backs().empty());
}
