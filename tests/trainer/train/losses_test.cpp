#include "trainer/train/losses.h"

#include <torch/torch.h>

#include "modules/execute/float_executor.h"
#include "tests/support/catch.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/train/head_chunks.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using torch::Tensor;

namespace {

constexpr std::int64_t kHidden = 6, kWords = 40;

/// A head of kWords words over rows of kHidden. Computes losses in chunks and over the whole matrix
/// at once.
class HeadOfTwoPaths {
 public:
  explicit HeadOfTwoPaths(std::int64_t rows) {
    torch::manual_seed(3);
    reference_rows_ = torch::randn({rows, kHidden});
    rows_ = reference_rows_ + torch::randn({rows, kHidden});
    targets_ = torch::randint(kWords, {rows}, torch::kLong);
    table_ = torch::randn({kWords, kHidden});
    trained_ = table_.clone().requires_grad_();
  }

  /// in_chunks and at_once give {kl, ce, d/d rows, d/d table} for total = kl * KL + ce * CE.
  std::vector<Tensor> in_chunks(double kl, double ce, bool with_reference = true) {
    const auto executor_over = [](const Tensor& table) {
      return modules::FloatExecutor(
          std::make_shared<MemoryStore>(modules::NamedTensors{{"head.weight", table}}), at::kFloat);
    };
    modules::FloatExecutor reference = executor_over(table_), quantized = executor_over(trained_);
    const modules::Head head{{"head", kHidden, kWords}};
    const HeadGradient result = head_losses(
        head, {with_reference ? &reference : nullptr, reference_rows_, &quantized, rows_, targets_},
        kl, ce);
    return {result.losses.kl.to(torch::kFloat), result.losses.ce.to(torch::kFloat),
            result.rows_gradient, trained_.grad()};
  }

  std::vector<Tensor> at_once(double kl, double ce) const {
    const Tensor rows = rows_.to(torch::kDouble).requires_grad_();
    const Tensor table = table_.to(torch::kDouble).requires_grad_();
    const Tensor log_p =
        reference_rows_.to(torch::kDouble).matmul(table.detach().t()).log_softmax(-1);
    const Tensor log_q = rows.matmul(table.t()).log_softmax(-1);
    const Tensor kl_sum = (log_p.exp() * (log_p - log_q)).sum();
    const Tensor ce_sum = torch::nll_loss(log_q, targets_, {}, at::Reduction::Sum);
    (kl * kl_sum + ce * ce_sum).backward();
    return {kl_sum.detach(), ce_sum.detach(), rows.grad(), table.grad()};
  }

 private:
  Tensor reference_rows_, rows_, targets_, table_, trained_;
};

}  // namespace

TEST_CASE("losses and gradients in chunks are those of the whole [tokens, vocabulary] matrix",
          "[trainer][losses]") {
  const std::int64_t rows =
      GENERATE(std::int64_t{1}, kChunkRows - 1, kChunkRows, kChunkRows + 1, std::int64_t{600});
  const auto [kl, ce] = GENERATE(table<double, double>({{0.25, 0.0}, {0.0, 0.5}, {0.25, 0.5}}));
  HeadOfTwoPaths head(rows);
  const std::vector<Tensor> chunked = head.in_chunks(kl, ce), whole = head.at_once(kl, ce);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    INFO("of kl, ce, rows' gradient and table's gradient: " << i);
    CHECK(relative_difference(chunked[i], whole[i]) <= 1e-5);
  }
}

TEST_CASE("without a reference only cross-entropy counts", "[trainer][losses]") {
  HeadOfTwoPaths head(kChunkRows + 40);
  const std::vector<Tensor> chunked = head.in_chunks(1.0, 0.5, /*with_reference=*/false);
  const std::vector<Tensor> whole = head.at_once(0.0, 0.5);
  CHECK(chunked[0].item<double>() == 0.0);
  CHECK(relative_difference(chunked[2], whole[2]) <= 1e-5);
}
