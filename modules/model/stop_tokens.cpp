#include "modules/model/stop_tokens.h"

#include "data/base/error.h"

namespace dualpath::modules {
namespace {

using nlohmann::json;

void add(const json& config, const char* file, const Model& model, std::set<std::int64_t>& tokens) {
  const json ids = config.value("eos_token_id", json());
  if (ids.is_null()) return;
  for (const json& id : ids.is_array() ? ids : json::array({ids})) {
    if (!id.is_number_integer()) {
      throw Error("{}: {}: eos_token_id: expected a token's id or a list of them, got {}",
                  model.path.string(), file, id.type_name());
    }
    tokens.insert(id.get<std::int64_t>());
  }
}

}  // namespace

std::set<std::int64_t> stop_tokens(const Model& model) {
  std::set<std::int64_t> tokens;
  if (const auto eos = model.tokenizer.special_tokens().eos) tokens.insert(*eos);
  add(model.config_json, "config.json", model, tokens);
  add(model.generation_config, "generation_config.json", model, tokens);
  return tokens;
}

}  // namespace dualpath::modules
