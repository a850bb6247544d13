#include "modules/model/tied_head.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "data/process/standard_streams.h"

namespace dualpath::modules {
namespace {

/// Compares the mapped files' values, which ends at the first difference.
bool are_equal(const at::Tensor& a, const at::Tensor& b) {
  if (a.sizes() != b.sizes()) return false;
  return a.scalar_type() == b.scalar_type() ? a.equal(b) : a.to(at::kFloat).equal(b.to(at::kFloat));
}

/// Unties the config. With encoders the decoder's own part counts, too.
void untie(nlohmann::json& config) {
  constexpr const char* kKey = "tie_word_embeddings";
  config[kKey] = false;
  if (config.contains("text_config")) config["text_config"][kKey] = false;
}

}  // namespace

std::shared_ptr<const WeightStore> follow_file(std::shared_ptr<const WeightStore> file,
                                               ModelConfig& config, nlohmann::json& config_json,
                                               const std::string& where) {
  const std::string head = config.names.head + ".weight";
  const std::string table = config.names.body + ".embed_tokens.weight";
  if (!config.tie_word_embeddings || !file->contains(head)) return file;
  if (!file->contains(table)) return std::make_shared<RenamedWeight>(std::move(file), head, table);
  if (are_equal(file->get(head), file->get(table))) return file;
  write_notice(fmt::format(
      "dualpath: {}: tie_word_embeddings is true, but {} and {} differ; both are used, as in "
      "transformers\n",
      where, head, table));
  config.tie_word_embeddings = false;
  untie(config_json);
  return file;
}

}  // namespace dualpath::modules
