#include "trainer/train/ctc_objective.h"

#include <torch/torch.h>

#include "data/base/error.h"
#include "data/base/utf8.h"
#include "data/text/answer_text.h"
#include "modules/execute/structure.h"
#include "modules/network/batch_state.h"

namespace dualpath::trainer {
namespace {

using modules::Modality;
using torch::Tensor;

/// The frames that an encoder makes of each clip of a batch.
std::vector<std::int64_t> frames_of(const Tensor& mask) {
  const Tensor counts = mask.sum(1).cpu();
  const auto* values = counts.const_data_ptr<std::int64_t>();
  return {values, values + counts.numel()};
}

}  // namespace

std::vector<std::string> AnswerTexts::operator()(const data::Batch& batch) const {
  std::vector<std::string> texts;
  for (const Tensor& row : batch.targets.unbind(0)) {
    std::vector<std::int32_t> ids;
    const auto* targets = row.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < row.size(0); ++i) {
      if (targets[i] != data::kNoTarget && !stop_tokens.contains(targets[i]))
        ids.push_back(static_cast<std::int32_t>(targets[i]));
    }
    texts.push_back(data::normalized_answer(data::replace_invalid_utf8(tokenizer->decode(ids))));
  }
  return texts;
}

std::int64_t CtcObjective::encoder_frames(std::int64_t own, std::int64_t bands) const {
  const auto [place, is_new] = frames_.try_emplace(own);
  if (is_new) {
    modules::Stream clip;
    clip.input = modules::input_without_data({1, own, bands});
    place->second = modules::hidden_states(model_.network, Modality::kAudio, clip);
  }
  return place->second;
}

GlobalCount CtcObjective::count(const data::Batch& batch) const {
  GlobalCount count = Objective::count(batch);
  count.targets = 0;
  const std::vector<std::string> texts = model_.texts(batch);
  const std::vector<std::int64_t> frames = frames_of(batch.audio->mask);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (is_trained_by_ctc(texts[i], encoder_frames(frames[i], batch.audio->values.size(2))))
      count.targets += static_cast<std::int64_t>(texts[i].size());
  }
  return count;
}

UnreadLosses CtcObjective::run(const Pass& pass) {
  modules::State state = modules::make_state(pass.batch, executor_.device());
  checkpointing_.run(model_.network, executor_, state);
  const modules::Stream& stream = state.stream(Modality::kAudio);
  const Tensor sum = ctc_sum(model_.head.log_probabilities(stream.hidden), frames_of(stream.mask),
                             model_.texts(pass.batch));
  return task_backward({.kl = 0.0, .ce = 0.0, .hidden = 0.0, .ctc = weight_}, "ctc", sum, pass);
}

CtcErrors ctc_errors(const CtcModel& model, modules::Executor& executor,
                     const data::Samples& samples, const std::vector<std::size_t>& chosen,
                     const std::function<void()>& progress) {
  const torch::NoGradGuard no_grad;
  CtcErrors errors;
  for (const std::size_t sample : chosen) {
    const data::Batch batch = samples.batch(std::span(&sample, 1));
    modules::State state = modules::make_state(batch, executor.device());
    modules::run(model.network, executor, state);
    const modules::Stream& stream = state.stream(Modality::kAudio);
    const std::vector<std::int64_t> frames = frames_of(stream.mask);
    const std::string text = model.texts(batch).front();
    const std::string heard =
        greedy_texts(model.head.log_probabilities(stream.hidden), frames).front();
    ++errors.clips;
    errors.left_out += !is_trained_by_ctc(text, frames.front());
    errors.edits += data::edit_distance(data::characters_of(heard), data::characters_of(text));
    errors.characters += static_cast<std::int64_t>(data::count_code_points(text));
    progress();
  }
  return errors;
}

void require_one_clip_each(const data::Samples& samples) {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const data::MediaFiles* files = samples.sample(i).files;
    const std::size_t clips = files ? files->audio.size() : 0;
    if (clips != 1)
      throw Error("loss.ctc: expected one clip in each sample, got {} in sample {}", clips, i + 1);
  }
}

}  // namespace dualpath::trainer
