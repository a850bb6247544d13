#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "data/base/error.h"
#include "data/formats/gguf.h"
#include "modules/config/decoder_config.h"

namespace dualpath::modules {
namespace {

using data::GgufReader;

constexpr std::string_view kPrefix = "llama.";

/// Keys that from_gguf() reads, and two that it need not: the table's rows are the vocabulary, and
/// plain rotation knows no earlier length.
constexpr std::array<std::string_view, 14> kRead{"vocab_size",
                                                 "context_length",
                                                 "embedding_length",
                                                 "feed_forward_length",
                                                 "block_count",
                                                 "attention.head_count",
                                                 "attention.head_count_kv",
                                                 "attention.key_length",
                                                 "attention.value_length",
                                                 "attention.layer_norm_rms_epsilon",
                                                 "rope.freq_base",
                                                 "rope.dimension_count",
                                                 "rope.scaling.original_context_length",
                                                 "rope.scaling.finetuned"};

/// Keys that with this value say what a Llama does anyway.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kNeutral{{
    {"attention.causal", "true"},
    {"attention.sliding_window", "0"},
    {"expert_count", "0"},
    {"expert_used_count", "0"},
    {"rope.scale_linear", "1"},
    {"rope.scaling.attn_factor", "1"},
    {"rope.scaling.factor", "1"},
    {"rope.scaling.type", R"("none")"},
    {"tensor_data_layout", R"("Meta AI original pth")"},
    {"use_parallel_residual", "false"},
}};

/// Refuses keys of the architecture that are neither read nor neutral.
void require_known_gguf_keys(const GgufReader& gguf) {
  const std::string where = gguf.file()->path().string();
  for (const auto& [key, value] : gguf.metadata()) {
    if (!key.starts_with(kPrefix)) continue;
    const std::string_view name = std::string_view(key).substr(kPrefix.size());
    if (std::find(kRead.begin(), kRead.end(), name) != kRead.end()) continue;
    const auto neutral = std::find_if(kNeutral.begin(), kNeutral.end(),
                                      [&](const auto& entry) { return entry.first == name; });
    const std::string got = describe(value);
    if (neutral == kNeutral.end())
      throw Error("{}: {}: is not supported, got {}", where, printable(key), got);
    if (got != neutral->second)
      throw Error("{}: {}: expected {}, got {}", where, key, neutral->second, got);
  }
}

/// Requires one file that holds a whole model: no adapter, no part of a split model.
void require_model(const GgufReader& gguf) {
  const std::string where = gguf.file()->path().string();
  const auto architecture = gguf.require<std::string>("general.architecture");
  if (architecture != "llama") {
    throw Error("{}: general.architecture: expected \"llama\", got \"{}\"", where,
                printable(architecture));
  }
  const auto type = gguf.get_or<std::string>("general.type", "model");
  if (type != "model")
    throw Error("{}: general.type: expected \"model\", got \"{}\"", where, printable(type));
  const auto files = gguf.get_or<std::int64_t>("split.count", 1);
  if (files > 1) {
    throw Error("{}: split.count: expected one file, got {}; llama-gguf-split --merge joins them",
                where, files);
  }
}

/// Whether these linears have biases: all linears of all layers have, or none has.
bool have_biases(const GgufReader& gguf, std::int64_t layers,
                 const std::vector<std::string>& linears) {
  std::string with, without;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    for (const std::string& linear : linears) {
      const std::string bias = fmt::format("blk.{}.{}.bias", layer, linear);
      (gguf.contains_tensor(bias) ? with : without) = bias;
    }
  }
  if (with.empty() || without.empty()) return !with.empty();
  throw Error("{}: tensor {}: is there, but not {}", gguf.file()->path().string(), with, without);
}

class SizeReader {
 public:
  explicit SizeReader(const GgufReader& gguf) : gguf_(gguf) {}

  std::int64_t size(const char* key, std::int64_t high = std::int64_t{1} << 32) const {
    const auto value = gguf_.require<std::int64_t>(key);
    if (value < 1 || value > high)
      throw Error("{}: {}: expected an integer from 1 to {}, got {}", where(), key, high, value);
    return value;
  }
  std::int64_t count(const char* key) const { return size(key, 1 << 16); }
  std::int64_t count_or(const char* key, std::int64_t fallback) const {
    return gguf_.contains(key) ? count(key) : fallback;
  }
  double positive(const char* key, double value) const {
    if (!(value > 0.0) || !std::isfinite(value))
      throw Error("{}: {}: expected a positive number, got {}", where(), key, value);
    return value;
  }
  void require_same(const char* key, std::int64_t expected) const {
    const auto value = gguf_.get_or<std::int64_t>(key, expected);
    if (value != expected)
      throw Error("{}: {}: expected {}, got {}", where(), key, expected, value);
  }
  std::string where() const { return gguf_.file()->path().string(); }

 private:
  const GgufReader& gguf_;
};

void read_sizes(const GgufReader& gguf, DecoderConfig& c) {
  const SizeReader read(gguf);
  c.hidden_size = read.size("llama.embedding_length");
  c.intermediate_size = read.size("llama.feed_forward_length");
  c.num_hidden_layers = read.count("llama.block_count");
  c.num_attention_heads = read.count("llama.attention.head_count");
  c.num_key_value_heads = read.count_or("llama.attention.head_count_kv", c.num_attention_heads);
  constexpr const char* kHeadDim = "llama.attention.key_length";
  c.head_dim = gguf.contains(kHeadDim) ? read.count(kHeadDim) : c.head_dim_of_width(read.where());
  read.require_same("llama.attention.value_length", c.head_dim);
  c.max_position_embeddings = read.size("llama.context_length");
  constexpr const char* kEps = "llama.attention.layer_norm_rms_epsilon";
  constexpr const char* kTheta = "llama.rope.freq_base";
  c.rms_norm_eps = read.positive(kEps, gguf.require<double>(kEps));
  c.rotation = {.theta = read.positive(kTheta, gguf.get_or<double>(kTheta, 10000.0)),
                .dim = c.head_dim};
  read.require_same("llama.rope.dimension_count", c.head_dim);
}

void read_tensors(const GgufReader& gguf, DecoderConfig& c) {
  const SizeReader read(gguf);
  const data::GgufTensor& table = gguf.tensor("token_embd.weight");
  if (table.shape.size() != 2)
    throw Error("{}: tensor token_embd.weight: expected a matrix", read.where());
  c.vocab_size = table.shape.front();
  c.tie_word_embeddings = !gguf.contains_tensor("output.weight");
  c.qkv_bias = have_biases(gguf, c.num_hidden_layers, {"attn_q", "attn_k", "attn_v"});
  c.output_bias = have_biases(gguf, c.num_hidden_layers, {"attn_output"});
  c.mlp_bias = have_biases(gguf, c.num_hidden_layers, {"ffn_gate", "ffn_up", "ffn_down"});
  if (c.output_bias && !c.qkv_bias) {
    throw Error(
        "{}: has biases of attn_output without those of attn_q, attn_k and attn_v; no config.json "
        "could say so",
        read.where());
  }
  c.output_bias = c.qkv_bias;  // zero if the file has none, see GgufStore
}

}  // namespace

DecoderConfig DecoderConfig::from_gguf(const GgufReader& gguf) {
  require_model(gguf);
  require_known_gguf_keys(gguf);
  DecoderConfig c;
  read_sizes(gguf, c);
  read_tensors(gguf, c);
  c.check(gguf.file()->path().string());
  return c;
}

}  // namespace dualpath::modules
