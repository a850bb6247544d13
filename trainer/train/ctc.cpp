#include "trainer/train/ctc.h"

#include <torch/torch.h>

#include <cmath>

#include "data/base/generator.h"
#include "data/base/utf8.h"

namespace dualpath::trainer {
namespace {

using torch::Tensor;

Tensor long_tensor(const std::vector<std::int64_t>& values) {
  return torch::tensor(values, torch::kLong);
}

/// The text of the likeliest classes of consecutive frames.
std::string collapsed(std::span<const std::int64_t> classes) {
  std::string bytes;
  std::int64_t before = kCtcBlank;
  for (const std::int64_t next : classes) {
    if (next != before && next != kCtcBlank) bytes += static_cast<char>(next);
    before = next;
  }
  return data::replace_invalid_utf8(bytes);
}

}  // namespace

Tensor CtcHead::log_probabilities(const Tensor& hidden) const {
  const Tensor logits = torch::linear(hidden.to(torch::kFloat), weight, bias);
  return logits.log_softmax(-1).transpose(0, 1);
}

CtcHead make_ctc_head(std::int64_t width, std::uint64_t seed, at::Device device) {
  Generator generator = Generator::derived(seed, "ctc");
  const double bound = 1.0 / std::sqrt(static_cast<double>(width));
  const Tensor weight = torch::empty({kCtcClasses, width});
  auto* values = weight.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < weight.numel(); ++i)
    values[i] = static_cast<float>(bound * (2.0 * generator.uniform() - 1.0));
  return {weight.to(device).requires_grad_(), torch::zeros({kCtcClasses}, device).requires_grad_()};
}

bool is_trained_by_ctc(std::string_view text, std::int64_t frames) {
  return !text.empty() && fewest_frames(text) <= frames;
}

Tensor ctc_sum(const Tensor& log_probabilities, std::span<const std::int64_t> frames,
               std::span<const std::string> texts) {
  std::vector<std::int64_t> clips, frames_of, bytes_of, bytes;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!is_trained_by_ctc(texts[i], frames[i])) continue;
    clips.push_back(static_cast<std::int64_t>(i));
    frames_of.push_back(frames[i]);
    bytes_of.push_back(static_cast<std::int64_t>(texts[i].size()));
    for (const char byte : texts[i]) bytes.push_back(static_cast<unsigned char>(byte));
  }
  const at::Device device = log_probabilities.device();
  if (clips.empty()) return torch::zeros({}, device);
  const Tensor chosen = log_probabilities.index_select(1, long_tensor(clips).to(device));
  return at::ctc_loss(chosen, long_tensor(bytes).to(device), frames_of, bytes_of, kCtcBlank,
                      at::Reduction::Sum);
}

std::vector<std::string> greedy_texts(const Tensor& log_probabilities,
                                      std::span<const std::int64_t> frames) {
  const Tensor classes = log_probabilities.argmax(-1).t().contiguous().cpu();  // [B, T]
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto* row = classes[static_cast<std::int64_t>(i)].const_data_ptr<std::int64_t>();
    texts.push_back(collapsed({row, static_cast<std::size_t>(frames[i])}));
  }
  return texts;
}

}  // namespace dualpath::trainer
