#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/samples/samples.h"
#include "data/tokenizer/tokenizer.h"
#include "trainer/train/ctc.h"
#include "trainer/train/objective.h"

namespace dualpath::trainer {

/// The texts that CTC trains on: the normalized answer of each row (data/text/answer_text.h).
struct AnswerTexts {
  const data::Tokenizer* tokenizer;
  std::set<std::int64_t> stop_tokens;  ///< no part of an answer

  std::vector<std::string> operator()(const data::Batch& batch) const;
};

/// An audio encoder with its head. network: the encoder's stages alone.
struct CtcModel {
  modules::Network network;
  CtcHead head;
  AnswerTexts texts;
};

/// CTC of an audio encoder. The decoder does not run. Each sample has one clip. The loss is a mean
/// over the bytes of texts. A clip with fewer frames than its text needs, or without a text, adds
/// nothing and is counted.
class CtcObjective : public Objective {
 public:
  /// weight: of the loss in the total. The executor must outlive the objective.
  CtcObjective(CtcModel model, modules::Executor& executor, double weight,
               modules::GradientCheckpointing checkpointing = {})
      : model_(std::move(model)),
        executor_(executor),
        weight_(weight),
        checkpointing_(std::move(checkpointing)) {}

  /// targets: bytes of the texts that are trained on.
  GlobalCount count(const data::Batch& batch) const override;
  UnreadLosses run(const Pass& pass) override;

 private:
  /// The frames that the encoder makes of a clip with so many of its own. Bands: of a frame.
  std::int64_t encoder_frames(std::int64_t own, std::int64_t bands) const;

  CtcModel model_;
  modules::Executor& executor_;
  double weight_;
  modules::GradientCheckpointing checkpointing_;
  mutable std::map<std::int64_t, std::int64_t> frames_;  // the encoder's, by a clip's own
};

/// Errors of greedy decoding over all characters of all clips, and clips that CTC cannot train on.
struct CtcErrors {
  std::int64_t clips = 0, left_out = 0;
  std::int64_t edits = 0, characters = 0;

  double rate() const {
    return characters == 0 ? 0.0 : static_cast<double>(edits) / static_cast<double>(characters);
  }
};

/// Decodes the named samples, each alone, and compares them with their answers.
CtcErrors ctc_errors(const CtcModel& model, modules::Executor& executor,
                     const data::Samples& samples, const std::vector<std::size_t>& chosen,
                     const std::function<void()>& progress);

/// Throws an Error if a sample has another number of clips than one.
void require_one_clip_each(const data::Samples& samples);

}  // namespace dualpath::trainer
