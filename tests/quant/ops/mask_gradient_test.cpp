#include "quant/ops/mask_gradient.h"

#include <torch/cuda.h>

#include "quant/ops/quantize.h"
#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::quant;
using torch::Tensor;

TEST_CASE("scaled and masked gradients on the GPU have the CPU's bits", "[quant][kernels][cuda]") {
  if (!torch::cuda::is_available()) {
    WARN("SKIP: no CUDA device");
    return;
  }
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  torch::manual_seed(12);
  const Tensor left = torch::randn({130, 77}).to(dtype), scale = torch::rand(130);
  const Tensor in_range = quantize(left, activation_grid(0.01f), "x", true).in_range;
  for (const Tensor& bits : {Tensor(), in_range}) {
    Tensor on_host = left.clone(), on_device = left.cuda();
    scale_and_mask(on_host, scale, bits);
    scale_and_mask(on_device, scale.cuda(), bits.defined() ? bits.cuda() : bits);
    CHECK(on_device.cpu().equal(on_host));
  }
}

TEST_CASE("a gradient is scaled by its row and passes where its bit is set", "[quant][kernels]") {
  const Tensor grad = torch::tensor({{1.f, 2.f, 3.f}, {4.f, 5.f, 6.f}});
  const Tensor in_range = torch::tensor({0b101101}, at::kByte);
  const Tensor masked_alone = grad.clone(), scaled = grad.clone(), scaled_alone = grad.clone();
  mask_gradient(masked_alone, in_range);
  CHECK(masked_alone.equal(torch::tensor({{1.f, 0.f, 3.f}, {4.f, 0.f, 6.f}})));
  const Tensor scale = torch::tensor({2.f, 0.5f});
  scale_and_mask(scaled, scale, in_range);
  CHECK(scaled.equal(torch::tensor({{2.f, 0.f, 6.f}, {2.f, 0.f, 3.f}})));
  scale_and_mask(scaled_alone, scale, /*in_range=*/{});
  CHECK(scaled_alone.equal(torch::tensor({{2.f, 4.f, 6.f}, {2.f, 2.5f, 3.f}})));
}
