#include "modules/config/cmal_config.h"

#include "modules/config/config_keys.h"
#include "modules/config/encoder_config.h"

namespace dualpath::modules {

CmalConfig CmalConfig::from_json(const data::JsonObject& config, std::int64_t width) {
  constexpr data::IntegerRange kQueries{.low = 0, .high = 1 << 12};
  require_known_keys(config, {"merge_size", "intermediate_size", "layer_norm_eps", "num_queries",
                              "num_attention_heads"});
  CmalConfig c;
  c.merge_size = config.integer_or("merge_size", c.merge_size, kEncoderCount);
  c.intermediate_size = config.integer_or("intermediate_size", width, kEncoderSize);
  c.layer_norm_eps = config.number_or("layer_norm_eps", c.layer_norm_eps, data::kPositiveNumber);
  c.num_queries = config.integer_or("num_queries", c.num_queries, kQueries);
  c.num_attention_heads =
      config.integer_or("num_attention_heads", c.num_attention_heads, kEncoderCount);
  if (c.num_queries > 0) check_heads(config, width, c.num_attention_heads);
  return c;
}

}  // namespace dualpath::modules
