#include "trainer/train/head_loss.h"

#include <torch/cuda.h>
#include <torch/torch.h>

#include "tests/support/catch.h"
#include "tests/trainer/tiny_experiment.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using torch::Tensor;

namespace {

/// Two paths' logits of some rows, and where they come from.
struct Logits {
  Logits(std::int64_t rows, std::int64_t words, at::ScalarType dtype) {
    torch::manual_seed(8);
    reference = (torch::randn({rows, words}) * 4.0).to(dtype);
    quantized = (reference.to(at::kFloat) + torch::randn({rows, words})).to(dtype);
    targets = torch::randint(words, {rows}, torch::kLong);
  }
  Tensor reference, quantized, targets;
};

Tensor log_softmax(const Tensor& logits) { return logits.to(torch::kDouble).log_softmax(-1); }

/// kl and nll of each row, and the gradient, in double.
std::vector<Tensor> plain(const Logits& logits, LossWeights weights) {
  const Tensor leaf = logits.quantized.to(torch::kDouble).detach().requires_grad_();
  const Tensor log_p = log_softmax(logits.reference), log_q = leaf.log_softmax(-1);
  const Tensor kl = (log_p.exp() * (log_p - log_q)).sum(-1);
  const Tensor nll = -log_q.gather(1, logits.targets.unsqueeze(1)).squeeze(1);
  (double{weights.kl} * kl + double{weights.ce} * nll).sum().backward();
  return {kl.detach(), nll.detach(), leaf.grad()};
}

}  // namespace

TEST_CASE("head losses and their gradient are those of a plain softmax", "[trainer][head_loss]") {
  const std::int64_t words = GENERATE(3, 40, 49152, 151552);
  const Logits logits(/*rows=*/5, words, at::kFloat);
  const LossWeights weights{0.25f, 0.5f};
  const Tensor gradient = torch::empty_like(logits.quantized);
  const RowLosses ours =
      head_loss(logits.reference, logits.quantized, logits.targets, weights, gradient);
  const std::vector<Tensor> expected = plain(logits, weights);
  CHECK(relative_difference(ours.kl, expected[0]) <= 1e-5);
  CHECK(relative_difference(ours.nll, expected[1]) <= 1e-5);
  CHECK(relative_difference(gradient, expected[2]) <= 1e-5);
  const Tensor best = logits.quantized.argmax(-1);
  CHECK(ours.correct.equal((best == logits.targets).to(at::kFloat)));
  CHECK(ours.agreed.equal((best == logits.reference.argmax(-1)).to(at::kFloat)));
}

TEST_CASE("head losses of half precision are those of the same values in float32",
          "[trainer][head_loss]") {
  const auto dtype = GENERATE(at::kBFloat16, at::kHalf);
  const Logits logits(/*rows=*/4, /*words=*/1003, dtype);
  const LossWeights weights{1.0f, 0.5f};
  const Tensor gradient = torch::empty_like(logits.quantized),
               wide_gradient = gradient.to(at::kFloat);
  const RowLosses ours =
      head_loss(logits.reference, logits.quantized, logits.targets, weights, gradient);
  const RowLosses wide = head_loss(logits.reference.to(at::kFloat), logits.quantized.to(at::kFloat),
                                   logits.targets, weights, wide_gradient);
  CHECK(ours.kl.equal(wide.kl));
  CHECK(ours.nll.equal(wide.nll));
  CHECK(gradient.equal(wide_gradient.to(dtype)));
}

TEST_CASE("the gradient may take the logits' own memory", "[trainer][head_loss]") {
  const Logits logits(/*rows=*/4, /*words=*/100, at::kBFloat16);
  const Tensor apart = torch::empty_like(logits.quantized), shared = logits.quantized.clone();
  head_loss(logits.reference, logits.quantized, logits.targets, {1.0f, 1.0f}, apart);
  head_loss(logits.reference, shared, logits.targets, {1.0f, 1.0f}, shared);
  CHECK(shared.equal(apart));
}

TEST_CASE("equal logits have a KL of exactly 0, and of equal words the first counts",
          "[trainer][head_loss]") {
  const Tensor logits = torch::tensor({{1.0f, 3.0f, 3.0f}, {2.0f, 2.0f, 2.0f}});
  const RowLosses losses = head_loss(logits, logits, torch::tensor({1, 1}, torch::kLong));
  CHECK(losses.kl.equal(torch::zeros({2})));
  CHECK(losses.correct.equal(torch::tensor({1.0f, 0.0f})));
  CHECK(losses.agreed.equal(torch::ones({2})));
}

TEST_CASE("a logit that is not a number makes the row's losses so", "[trainer][head_loss]") {
  Logits logits(/*rows=*/2, /*words=*/40, at::kFloat);
  logits.quantized[1][39] = std::numeric_limits<float>::quiet_NaN();
  const RowLosses losses = head_loss(logits.reference, logits.quantized, logits.targets);
  CHECK(losses.nll.isnan().equal(torch::tensor({false, true})));
  CHECK(losses.kl.isnan().equal(torch::tensor({false, true})));
}

TEST_CASE("head losses on CUDA are the CPU's", "[trainer][head_loss][cuda]") {
  if (!torch::cuda::is_available()) {
    WARN("SKIP: no CUDA device");
    return;
  }
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const Logits logits(/*rows=*/5, /*words=*/49152, dtype);
  const LossWeights weights{0.25f, 0.5f};
  const Tensor gradient = torch::empty_like(logits.quantized), there = gradient.cuda();
  const RowLosses ours =
      head_loss(logits.reference, logits.quantized, logits.targets, weights, gradient);
  const RowLosses theirs = head_loss(logits.reference.cuda(), logits.quantized.cuda(),
                                     logits.targets.cuda(), weights, there);
  CHECK(relative_difference(theirs.kl.cpu(), ours.kl) <= 1e-5);
  CHECK(relative_difference(theirs.nll.cpu(), ours.nll) <= 1e-5);
  CHECK(theirs.agreed.cpu().equal(ours.agreed));
  CHECK(relative_difference(there.cpu(), gradient) <= 1e-2);
}
