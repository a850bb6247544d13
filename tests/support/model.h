#pragma once

#include <ATen/ATen.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "data/base/error.h"
#include "data/formats/safetensors.h"
#include "modules/model/model.h"
#include "modules/weights/tensor_view.h"
#include "modules/weights/weight_store.h"

namespace dualpath::testing {

inline const std::filesystem::path kReference = "build/reference";
inline const std::filesystem::path kSmolLM2 = "build/assets/smollm2-135m-instruct.gguf";

/// Tensors that tests/reference made: "tiny_llama/tied.safetensors".
inline modules::NamedTensors expected_tensors(const std::string& file) {
  return modules::read_tensors(data::SafetensorsReader(kReference / file));
}

/// A small random model: "tied", "untied_sharded", "bfloat16", ...
inline modules::Model tiny_llama(const std::string& variant) {
  return modules::open_model(kReference / "tiny_llama" / variant);
}

/// A small random model of another family: "glm4", "glm", "qwen2", "qwen3".
inline modules::Model tiny_family(const std::string& family) {
  return modules::open_model(kReference / "tiny_families" / family);
}

/// Lists stages with their widths: "model.layers.0: 64".
inline std::vector<std::string> widths_of(const std::vector<modules::CorrectableStage>& stages) {
  std::vector<std::string> widths;
  for (const auto& [name, width] : stages) widths.push_back(name + ": " + std::to_string(width));
  return widths;
}

/// The logits [B, T, V] of ids and mask [B, T].
inline at::Tensor logits_of(const modules::Network& network, modules::Executor& executor,
                            const at::Tensor& ids, const at::Tensor& mask) {
  modules::State state = modules::make_state(ids, mask);
  modules::run(network, executor, state);
  return network.head.logits(executor, state.hidden);
}

inline at::Tensor logits_of(const modules::Network& network, modules::Executor& executor,
                            const at::Tensor& ids) {
  return logits_of(network, executor, ids, at::ones_like(ids, at::kBool));
}

inline float largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<float>();
}

/// KL(softmax(reference) | softmax(logits)), the mean over positions, in nats.
inline double mean_kl(const at::Tensor& reference, const at::Tensor& logits) {
  const at::Tensor p = reference.to(at::kDouble).log_softmax(-1);
  const at::Tensor q = logits.to(at::kDouble).log_softmax(-1);
  return (p.exp() * (p - q)).sum(-1).mean().item<double>();
}

/// Weights written by hand.
class MemoryStore : public modules::WeightStore {
 public:
  explicit MemoryStore(modules::NamedTensors tensors) : tensors_(std::move(tensors)) {
    for (const auto& [name, tensor] : tensors_) names_.push_back(name);
  }

  const std::vector<std::string>& names() const override { return names_; }
  bool contains(const std::string& name) const override { return tensors_.contains(name); }
  modules::WeightInfo info(const std::string& name) const override {
    return {get(name).scalar_type(), get(name).sizes().vec()};
  }
  at::Tensor get(const std::string& name) const override {
    if (!contains(name)) throw Error("no tensor {}", name);
    return tensors_.at(name);
  }

 private:
  modules::NamedTensors tensors_;
  std::vector<std::string> names_;
};

}  // namespace dualpath::testing
