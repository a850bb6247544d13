#include "data/tokenizer/post_processor.h"

#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/formats/known_keys.h"
#include "data/tokenizer/vocabulary.h"

namespace dualpath::data {
namespace {

/// Reads "single": special tokens, {"Sequence": …} (the text, once), special tokens.
void read_template(const JsonObject& step, PostProcessor& result) {
  refuse_unknown_keys(step, {"type", "single", "pair", "special_tokens"});
  const JsonObject tokens = step.object("special_tokens");
  std::vector<std::int32_t>* side = &result.before;
  std::size_t texts = 0;
  for (const JsonObject& piece : step.objects("single")) {
    refuse_unknown_keys(piece, {"SpecialToken", "Sequence"});
    const auto special = piece.object_if("SpecialToken");
    if (!special) {
      side = &result.after;
      ++texts;
      continue;
    }
    for (const std::int64_t id : tokens.object(special->string("id")).integers("ids", kTokenIds))
      side->push_back(static_cast<std::int32_t>(id));
  }
  if (texts != 1) result.unsupported = fmt::format("TemplateProcessing of {} texts", texts);
}

/// Reads one step. templates: counts the TemplateProcessing steps.
void read_step(const JsonObject& step, PostProcessor& result, int& templates) {
  const std::string type = step.string("type");
  if (type == "Sequence") {
    refuse_unknown_keys(step, {"type", "processors"});
    for (const JsonObject& part : step.objects("processors")) read_step(part, result, templates);
  } else if (type == "TemplateProcessing") {
    read_template(step, result);
    if (++templates == 2) result.unsupported = "a second TemplateProcessing";
  } else if (type != "ByteLevel") {
    result.unsupported = type;
  }
}

}  // namespace

PostProcessor read_post_processor(const JsonObject& tokenizer) {
  PostProcessor result;
  int templates = 0;
  if (const auto step = tokenizer.object_if("post_processor")) read_step(*step, result, templates);
  if (!result.unsupported.empty()) result.before.clear(), result.after.clear();
  return result;
}

}  // namespace dualpath::data
