#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dualpath::trainer {

/// Connectionist temporal classification (Graves et al. 2006) over the bytes of UTF-8. Class 256 is
/// the blank.
inline constexpr std::int64_t kCtcBlank = 256, kCtcClasses = 257;

/// The linear from an encoder's frames to classes, in float32. Trained with the encoder and kept in
/// checkpoints; an export leaves it out.
struct CtcHead {
  torch::Tensor weight;  ///< [257, H]
  torch::Tensor bias;    ///< [257]

  /// hidden: [B, T, H] in any float dtype. Result: [T, B, 257] float32, as at::ctc_loss takes it.
  torch::Tensor log_probabilities(const torch::Tensor& hidden) const;
};

/// Makes a head for an encoder of this width: uniform in ±1/√H, the bias zero.
CtcHead make_ctc_head(std::int64_t width, std::uint64_t seed, at::Device device);

/// Counts the frames that labels (a text's bytes, tokens' classes) take at least: one each, and a
/// blank between two equal ones.
template <class Labels>
std::int64_t fewest_frames(const Labels& labels) {
  auto frames = static_cast<std::int64_t>(labels.size());
  for (std::size_t i = 1; i < labels.size(); ++i) frames += labels[i] == labels[i - 1];
  return frames;
}
/// Whether CTC can train on a clip of so many frames: its text is not empty, and fits.
bool is_trained_by_ctc(std::string_view text, std::int64_t frames);

/// Sums -log p(text) over the clips that CTC can train on; 0 if there is none. log_probabilities:
/// [T, B, 257]. frames: real ones of each clip. Result: a float32 scalar.
torch::Tensor ctc_sum(const torch::Tensor& log_probabilities, std::span<const std::int64_t> frames,
                      std::span<const std::string> texts);

/// Returns the texts of the likeliest class of each real frame, equal neighbours once, without
/// blanks. Bytes that are no UTF-8 become U+FFFD.
std::vector<std::string> greedy_texts(const torch::Tensor& log_probabilities,
                                      std::span<const std::int64_t> frames);

}  // namespace dualpath::trainer
