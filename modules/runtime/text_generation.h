#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/base/named.h"
#include "data/samples/batch.h"
#include "modules/model/model.h"
#include "modules/network/executor.h"
#include "modules/runtime/sampling.h"

namespace dualpath::modules {

struct GenerationOptions {
  std::int64_t max_tokens = 128;
  SamplingOptions sampling = {};
  std::uint64_t seed = 0;
  std::vector<std::string> stop = {};  ///< the text ends before the first of these; none is empty
};

/// The reason why a text ended.
enum class Finish { kStopToken, kStopString, kMaxTokens, kContext };
inline constexpr Named<Finish> kFinishes[] = {{"stop_token", Finish::kStopToken},
                                              {"stop_string", Finish::kStopString},
                                              {"max_tokens", Finish::kMaxTokens},
                                              {"context", Finish::kContext}};

struct GeneratedText {
  std::string text;                  ///< without the prompt and without the stop string or token
  std::vector<std::int64_t> tokens;  ///< all picked tokens, a stop token too
  Finish finish = Finish::kMaxTokens;
  double first_token_seconds = 0.0;  ///< reading the prompt
  double seconds = 0.0;              ///< the time of the tokens after the first
};

/// Generates text behind the prompt, a single text with its pictures and clips. Each piece of text
/// goes to on_text as soon as it is certain. A prompt that is empty or fills the model's context
/// (max_position_embeddings) is an Error. A signal between two tokens throws Interrupted.
GeneratedText generate_text(const Model& model, Executor& executor, const data::Batch& prompt,
                            const GenerationOptions& options,
                            const std::function<void(std::string_view)>& on_text);

}  // namespace dualpath::modules
