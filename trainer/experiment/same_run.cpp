#include "trainer/experiment/same_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/files/checksum.h"
#include "trainer/experiment/binding_keys.h"
#include "trainer/experiment/teacher.h"

namespace dualpath::trainer {
namespace {

using nlohmann::json;

constexpr const char* kRecipe = "recipe";

std::string hash_of(const data::Samples* samples) {
  Sha256 hash;
  if (samples) samples->update(hash);
  return hash.hex();
}

/// Lists what must be equal, in the order of refusing.
json identity_of(const Recipe& recipe, const Texts& texts, const modules::Model& model) {
  json identity =
      json::array({json::array({"program", sha256_file("/proc/self/exe")}),
                   json::array({kRecipe, common_lines(recipe)}),
                   json::array({"model", model_fingerprint(model)}),
                   json::array({"tokenizer", tokenizer_fingerprint(model)}),
                   json::array({"teacher", teacher_fingerprint(recipe)}),
                   json::array({"text", hash_of(texts.train.get())}),
                   json::array({"text for selection", hash_of(texts.selection.get())}),
                   json::array({"text for the test", hash_of(texts.test.get())}),
                   json::array({"text out of domain", hash_of(texts.out_of_domain.get())})});
  for (const NamedSamples& set : texts.sets)
    identity.push_back(json::array({"set " + set.name, hash_of(set.samples.get())}));
  return identity;
}

void refuse_difference(const json& first, const json& other, std::size_t rank) {
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::string what = first[i][0];
    if (first[i][1] == other[i][1]) continue;
    if (what != kRecipe) throw Error("process {} has another {} than process 0", rank, what);
    throw Error("process {} has another recipe than process 0: {}", rank,
                first_difference(first[i][1], other[i][1]));
  }
}

}  // namespace

void require_same_run(Processes& processes, const Recipe& recipe, const Texts& texts,
                      const modules::Model& model) {
  if (processes.size() == 1) return;
  const auto all = processes.gather("start", identity_of(recipe, texts, model).dump());
  const json first = json::parse(all.front());
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    refuse_difference(first, json::parse(all[rank]), rank);
}

}  // namespace dualpath::trainer
