#include "trainer/train/alignment_loss.h"

#include <torch/torch.h>

#include <cmath>

#include "tests/support/catch.h"
#include "trainer/train/ctc.h"

using namespace dualpath;
using namespace dualpath::trainer;
using torch::Tensor;

namespace {

/// Tokens 4, 7 and 9 of a table, whose rows are axes of different lengths; 9 is the placeholder.
AnswerTokens axes() {
  const Tensor table = torch::zeros({10, 3});
  table[4][0] = 2.0;
  table[7][1] = 0.5;
  table[9][2] = 1.0;
  return {{4, 7, 9}, table};
}

/// log-probabilities of classes whose cosines are these.
double log_p(std::vector<double> cosines, std::size_t wanted) {
  double sum = 0.0;
  for (const double cosine : cosines) sum += std::exp(20.0 * cosine);
  return 20.0 * cosines[wanted] - std::log(sum);
}

}  // namespace

TEST_CASE("a state says the tokens whose rows point where it points", "[trainer][alignment]") {
  const AnswerTokens tokens = axes();
  const std::int64_t answer[] = {7, 5, 4};
  CHECK(tokens.classes_of(answer) == std::vector<std::int64_t>{1, 0});  // 5 is no answer's token
  CHECK(tokens.class_of(9) == 2);
  const Tensor said = tokens.log_probabilities(torch::tensor({{3.f, 4.f, 0.f}}));
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(said[0][static_cast<std::int64_t>(i)].item<double>() ==
          Approx(log_p({0.6, 0.8, 0.0}, i)).epsilon(1e-5));
}

TEST_CASE("a clip's states say the answer in order, with the placeholder as the blank",
          "[trainer][alignment]") {
  const Tensor states = torch::tensor({{4.f, 0.f, 3.f}, {0.f, 0.f, 2.f}}, torch::requires_grad());
  const std::int64_t answer[] = {0};
  const Tensor loss = spoken_loss(axes(), states, answer, /*blank=*/2);
  const std::vector<double> first{0.8, 0.0, 0.6}, second{0.0, 0.0, 1.0};
  const auto p = [](const std::vector<double>& cosines, std::size_t wanted) {
    return std::exp(log_p(cosines, wanted));
  };
  const double likelihood =
      p(first, 0) * p(second, 0) + p(first, 0) * p(second, 2) + p(first, 2) * p(second, 0);
  CHECK(loss.item<double>() == Approx(-std::log(likelihood)).epsilon(1e-5));
  loss.backward();
  CHECK(states.grad().abs().sum().item<double>() > 0.0);
}

TEST_CASE("the mean of a picture's states says all tokens of the answer", "[trainer][alignment]") {
  const Tensor states = torch::tensor({{6.f, 0.f, 0.f}, {0.f, 8.f, 0.f}});
  const std::int64_t answer[] = {0, 1};
  const std::vector<double> mean{0.6, 0.8, 0.0};
  CHECK(shown_loss(axes(), states, answer).item<double>() ==
        Approx(-log_p(mean, 0) - log_p(mean, 1)).epsilon(1e-5));
}

TEST_CASE("two equal tokens in a row need a blank between them", "[trainer][alignment]") {
  const std::int64_t answer[] = {3, 3, 1, 3};
  CHECK(fewest_frames(std::span(answer)) == 5);
  CHECK(fewest_frames(std::span<const std::int64_t>()) == 0);
}
