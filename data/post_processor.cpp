#include "data/post_processor.h"

#include <nlohmann/json.hpp>

#include "data/vocabulary.h"

namespace dualpath::data {
namespace {

/// "single": special tokens, {"Sequence": …} (the text), special tokens.
void read_template(const JsonObject& step, PostProcessor& result) {
  const JsonObject tokens = step.object("special_tokens");
  std::vector<std::int32_t>* side = &result.before;
  for (const JsonObject& piece : step.objects("single")) {
    const auto special = piece.object_if("SpecialToken");
    if (!special) {
      side = &result.after;
      continue;
    }
    for (const std::int64_t id : tokens.object(special->string("id")).integers("ids", kTokenIds))
      side->push_back(static_cast<std::int32_t>(id));
  }
}

void read_step(const JsonObject& step, PostProcessor& result) {
  const std::string type = step.string("type");
  if (type == "Sequence") {
    for (const JsonObject& part : step.objects("processors")) read_step(part, result);
  } else if (type == "TemplateProcessing") {
    read_template(step, result);
  } else if (type != "ByteLevel") {
    result.unsupported = type;
  }
}

}  // namespace

PostProcessor read_post_processor(const JsonObject& tokenizer) {
  PostProcessor result;
  if (const auto step = tokenizer.object_if("post_processor")) read_step(*step, result);
  if (!result.unsupported.empty()) result.before.clear(), result.after.clear();
  return result;
}

}  // namespace dualpath::data
