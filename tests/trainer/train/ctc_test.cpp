#include "trainer/train/ctc.h"

#include <torch/torch.h>

#include <cmath>

#include "tests/support/catch.h"

using namespace dualpath::trainer;
using torch::Tensor;

namespace {

/// Log-probabilities of one clip whose frames have these likeliest classes.
Tensor likely(const std::vector<std::int64_t>& classes) {
  const Tensor scores = torch::zeros({static_cast<std::int64_t>(classes.size()), 1, kCtcClasses});
  for (std::size_t i = 0; i < classes.size(); ++i)
    scores[static_cast<std::int64_t>(i)][0][classes[i]] = 9.0;
  return scores.log_softmax(-1);
}

std::string greedy(const std::vector<std::int64_t>& classes, std::int64_t frames) {
  return greedy_texts(likely(classes), std::vector{frames}).front();
}

}  // namespace

TEST_CASE("CTC sums over all ways to spell a text", "[trainer][ctc]") {
  // Two frames spell "a" as a-blank, blank-a and aa. Each class has a probability of 1/257.
  const Tensor even = torch::zeros({2, 1, kCtcClasses}).log_softmax(-1);
  const double expected = -std::log(3.0 / (257.0 * 257.0));
  const std::vector<std::int64_t> frames{2};
  const std::vector<std::string> texts{"a"};
  CHECK(ctc_sum(even, frames, texts).item<float>() == Approx(expected));
}

TEST_CASE("CTC leaves out clips that are too short or have no text", "[trainer][ctc]") {
  torch::manual_seed(1);
  const Tensor all = torch::randn({5, 4, kCtcClasses}).log_softmax(-1).requires_grad_();
  const std::vector<std::int64_t> frames{5, 2, 4, 3};
  const std::vector<std::string> texts{"\xc3\xa9t", "aa", "", "aab"};  // aa takes 3 frames
  CHECK(fewest_frames(std::string_view("aab")) == 4);
  const Tensor sum = ctc_sum(all, frames, texts);
  const Tensor first =
      at::ctc_loss(all.select(1, 0).unsqueeze(1), torch::tensor({0xc3, 0xa9, 't'}),
                   at::IntArrayRef{5}, at::IntArrayRef{3}, kCtcBlank, at::Reduction::Sum);
  CHECK(sum.item<float>() == Approx(first.item<float>()));
  sum.backward();
  CHECK(all.grad().select(1, 0).abs().sum().item<float>() > 0);
  CHECK(all.grad().narrow(1, 1, 3).abs().sum().item<float>() == 0);
}

TEST_CASE("Frames behind a clip change neither its loss nor its text", "[trainer][ctc]") {
  const Tensor clip = likely({'o', kCtcBlank, 'k'}), longer = likely({'o', kCtcBlank, 'k', 'x'});
  const std::vector<std::int64_t> frames{3};
  const std::vector<std::string> texts{"ok"};
  CHECK(ctc_sum(clip, frames, texts).item<float>() == ctc_sum(longer, frames, texts).item<float>());
  CHECK(greedy_texts(longer, frames) == texts);
}

TEST_CASE("Greedy decoding takes equal neighbours once and drops blanks", "[trainer][ctc]") {
  CHECK(greedy({'a', 'a', kCtcBlank, 'a', 'b', kCtcBlank}, 6) == "aab");
  CHECK(greedy({kCtcBlank, kCtcBlank}, 2) == "");
  CHECK(greedy({0xc3, 0xc3, 0xa9}, 3) == "\xc3\xa9");
  CHECK(greedy({0xc3, 'x'}, 2) == "\xef\xbf\xbdx");  // half a character
}

TEST_CASE("A head of a seed is the same again, and another of another seed", "[trainer][ctc]") {
  const CtcHead head = make_ctc_head(8, 3, at::kCPU);
  CHECK(head.weight.equal(make_ctc_head(8, 3, at::kCPU).weight));
  CHECK_FALSE(head.weight.equal(make_ctc_head(8, 4, at::kCPU).weight));
  const Tensor hidden = torch::randn({2, 5, 8}).to(torch::kBFloat16);
  const Tensor expected =
      torch::log_softmax(torch::matmul(hidden.to(torch::kFloat), head.weight.t()), -1);
  CHECK(head.log_probabilities(hidden).allclose(expected.transpose(0, 1), 1e-5, 1e-5));
}
