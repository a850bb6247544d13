#include "modules/weights/gguf_store.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "data/base/error.h"
#include "data/formats/ggml_type.h"

namespace dualpath::modules {
namespace {

/// A module's name in the file and Hugging Face's. Only a layer's linears may have a bias.
struct Module {
  std::string_view theirs, ours;
  bool may_have_bias = false;
};

constexpr std::array<Module, 3> kModelNames{{
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
}};

constexpr std::array<Module, 9> kLayerNames{{
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj", true},
    {"attn_k", "self_attn.k_proj", true},
    {"attn_v", "self_attn.v_proj", true},
    {"attn_output", "self_attn.o_proj", true},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj", true},
    {"ffn_up", "mlp.up_proj", true},
    {"ffn_down", "mlp.down_proj", true},
}};

template <std::size_t N>
std::optional<std::string> lookup(const std::array<Module, N>& modules, std::string_view module,
                                  std::string_view parameter) {
  for (const auto& [theirs, ours, may_have_bias] : modules) {
    if (theirs == module && (parameter == ".weight" || (parameter == ".bias" && may_have_bias)))
      return fmt::format("{}{}", ours, parameter);
  }
  return std::nullopt;
}

/// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight".
std::optional<std::string> hugging_face_name(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view module = name.substr(0, dot), parameter = name.substr(dot);
  if (!module.starts_with("blk.")) return lookup(kModelNames, module, parameter);
  const std::size_t index_end = module.find('.', 4);
  if (index_end == std::string_view::npos) return std::nullopt;
  const auto ours = lookup(kLayerNames, module.substr(index_end + 1), parameter);
  if (!ours) return std::nullopt;
  return fmt::format("model.layers.{}.{}", module.substr(4, index_end - 4), *ours);
}

/// The tensor of scaled rotation's frequency factors in llama.cpp. Plain rotation has none, or all
/// ones.
constexpr std::string_view kRotationFactors = "rope_freqs.weight";

void require_plain_rotation(const data::GgufReader& reader) {
  if (!reader.contains_tensor(kRotationFactors)) return;
  const data::GgufTensor& factors = reader.tensor(kRotationFactors);
  std::vector<float> values(static_cast<std::size_t>(factors.numel));
  data::dequantize(factors.type, factors.bytes, values);
  if (std::any_of(values.begin(), values.end(), [](float factor) { return factor != 1.0f; })) {
    throw Error("{}: tensor {}: scaled rotation is not supported", reader.file()->path().string(),
                kRotationFactors);
  }
}

/// Permutes rows of [heads * dim, ...]: the file's (h, i, side) is Hugging Face's (h, side, i).
at::Tensor undo_permutation(const at::Tensor& weight, std::int64_t heads) {
  if (weight.size(0) % (2 * heads) != 0) {
    throw Error("q or k of {} rows cannot hold {} heads", weight.size(0), heads);
  }
  return weight.unflatten(0, {heads, -1, 2}).transpose(1, 2).flatten(0, 2).contiguous();
}

}  // namespace

GgufStore::GgufStore(const std::filesystem::path& path) : reader_(path) {
  require_plain_rotation(reader_);
  for (const std::string& name : reader_.names()) {
    if (name == kRotationFactors) continue;
    const auto ours = hugging_face_name(name);
    if (!ours) {
      throw Error("{}: tensor {}: no such weight in architecture llama", path.string(),
                  printable(name));
    }
    file_names_[*ours] = name;
  }
  add_zero_biases();
  for (const auto& [ours, theirs] : file_names_) names_.push_back(ours);
  for (const auto& [name, size] : zero_biases_) names_.push_back(name);
  std::sort(names_.begin(), names_.end());
}

void GgufStore::add_zero_biases() {
  constexpr std::string_view kQuery = ".q_proj.bias";
  for (const auto& [ours, theirs] : file_names_) {
    if (!ours.ends_with(kQuery)) continue;
    const std::string output = ours.substr(0, ours.size() - kQuery.size()) + ".o_proj";
    const auto weight = file_names_.find(output + ".weight");
    if (weight == file_names_.end() || file_names_.contains(output + ".bias")) continue;
    zero_biases_[output + ".bias"] = reader_.tensor(weight->second).shape.front();
  }
}

const data::GgufTensor& GgufStore::stored(const std::string& name) const {
  const auto found = file_names_.find(name);
  if (found == file_names_.end())
    throw Error("{}: no tensor {}", reader_.file()->path().string(), name);
  return reader_.tensor(found->second);
}

WeightInfo GgufStore::info(const std::string& name) const {
  const auto zeros = zero_biases_.find(name);
  if (zeros != zero_biases_.end()) return {at::kFloat, {zeros->second}, /*decoded=*/true};
  return {at::kFloat, stored(name).shape, /*decoded=*/true};
}

at::Tensor GgufStore::get(const std::string& name) const {
  const auto zeros = zero_biases_.find(name);
  if (zeros != zero_biases_.end()) return at::zeros(zeros->second, at::kFloat);
  const data::GgufTensor& tensor = stored(name);
  const at::Tensor values = at::empty(tensor.shape, at::kFloat);
  data::dequantize(
      tensor.type, tensor.bytes,
      std::span(values.mutable_data_ptr<float>(), static_cast<std::size_t>(values.numel())));
  const auto heads = reader_.require<std::int64_t>("llama.attention.head_count");
  if (name.find(".q_proj.") != std::string::npos) return undo_permutation(values, heads);
  if (name.find(".k_proj.") == std::string::npos) return values;
  return undo_permutation(values,
                          reader_.get_or<std::int64_t>("llama.attention.head_count_kv", heads));
}

}  // namespace dualpath::modules
