#include "modules/runtime/text_generation.h"

#include <ATen/ATen.h>

#include <chrono>
#include <set>

#include "data/base/error.h"
#include "data/process/interrupt.h"
#include "data/text/text_stream.h"
#include "modules/model/stop_tokens.h"
#include "modules/network/batch_state.h"
#include "modules/runtime/generation.h"
#include "modules/weights/not_finite.h"

namespace dualpath::modules {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check_prompt(std::size_t tokens, std::int64_t context) {
  if (tokens == 0) throw Error("the prompt has no token to begin with");
  if (std::cmp_greater_equal(tokens, context)) {
    throw Error("the prompt has {} tokens; the model's context is {}, the answer included", tokens,
                context);
  }
}

/// Takes token by token, and tells when the text ends.
class Writer {
 public:
  Writer(const Model& model, std::size_t prompt_tokens, const GenerationOptions& options,
         const std::function<void(std::string_view)>& on_text)
      : model_(model),
        stop_tokens_(stop_tokens(model)),
        max_tokens_(options.max_tokens),
        room_(model.config.max_position_embeddings - static_cast<std::int64_t>(prompt_tokens)),
        stream_(options.stop),
        on_text_(on_text) {}

  bool add(std::int64_t token) {
    throw_if_interrupted();
    if (result_.tokens.empty()) result_.first_token_seconds = seconds_since(start_);
    result_.tokens.push_back(token);
    if (stop_tokens_.contains(token)) return end(Finish::kStopToken);
    write(stream_.add(model_.tokenizer.bytes(static_cast<std::int32_t>(token))));
    if (stream_.stopped()) return end(Finish::kStopString);
    if (std::ssize(result_.tokens) == max_tokens_) return end(Finish::kMaxTokens);
    if (std::ssize(result_.tokens) == room_) return end(Finish::kContext);
    return true;
  }

  GeneratedText take() { return std::move(result_); }

 private:
  bool end(Finish finish) {
    if (finish != Finish::kStopString) write(stream_.finish());
    result_.finish = finish;
    result_.seconds = seconds_since(start_) - result_.first_token_seconds;
    return false;
  }

  void write(const std::string& text) {
    if (text.empty()) return;
    result_.text += text;
    on_text_(text);
  }

  const Model& model_;
  std::set<std::int64_t> stop_tokens_;
  std::int64_t max_tokens_, room_;
  data::TextStream stream_;
  const std::function<void(std::string_view)>& on_text_;
  Clock::time_point start_ = Clock::now();
  GeneratedText result_;
};

}  // namespace

GeneratedText generate_text(const Model& model, Executor& executor, const data::Batch& prompt,
                            const GenerationOptions& options,
                            const std::function<void(std::string_view)>& on_text) {
  const auto tokens = static_cast<std::size_t>(prompt.ids.size(1));
  check_prompt(tokens, model.config.max_position_embeddings);
  Writer writer(model, tokens, options, on_text);
  Sampler sampler(options.sampling, options.seed);
  const PickToken pick = [&](const at::Tensor& logits) {
    require_finite("the model's logits", logits);
    if (options.sampling.is_greedy()) return most_likely(logits);
    const at::Tensor row = logits.to(at::kFloat).contiguous();
    return sampler.draw({row.const_data_ptr<float>(), static_cast<std::size_t>(row.numel())});
  };
  generate(model.network, executor, make_state(prompt, executor.device()), pick,
           [&](std::int64_t token) { return writer.add(token); });
  return writer.take();
}

}  // namespace dualpath::modules
