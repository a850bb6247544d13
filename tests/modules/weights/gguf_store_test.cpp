#include "modules/weights/gguf_store.h"

#include "data/base/error.h"
#include "tests/data/formats/gguf_bytes.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data::testing;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

constexpr std::uint32_t kU32 = 4, kTypeF32 = 0;

/// A file of one float32 tensor [rows], or [rows, 1] if it is no bias.
class OneTensor {
 public:
  OneTensor(const std::string& name, const std::vector<float>& rows) {
    std::string data;
    for (const float row : rows) data += raw(row);
    std::vector<std::uint64_t> shape{1, rows.size()};
    if (name.ends_with(".bias")) shape.erase(shape.begin());
    const auto heads = [](const char* key, std::uint32_t count) {
      return pair(key, kU32, raw<std::uint32_t>(count));
    };
    write_plain(path(), padded(header(1, 2) + heads("llama.attention.head_count", 2) +
                               heads("llama.attention.head_count_kv", 1) +
                               tensor(name, shape, kTypeF32, 0)) +
                            padded(data));
  }
  std::filesystem::path path() const { return directory_ / "model.gguf"; }
  /// The error of opening it, without the path.
  std::string mistake() const {
    const std::string message = error_message([&] { GgufStore store(path()); });
    REQUIRE_THAT(message, Catch::StartsWith(path().string() + ": "));
    return message.substr(path().string().size() + 2);
  }

 private:
  TemporaryDirectory directory_;
};

std::vector<float> rows_of(const OneTensor& file, const std::string& name) {
  const at::Tensor values = GgufStore(file.path()).get(name);
  REQUIRE(values.is_contiguous());
  const float* first = values.const_data_ptr<float>();
  return {first, first + values.numel()};
}

}  // namespace

TEST_CASE("the rows of q and k return from pairs to halves, head by head", "[modules][gguf]") {
  const std::vector<float> stored{0, 1, 2, 3, 4, 5, 6, 7};
  // q has two heads of four rows, k one of eight.
  CHECK(rows_of({"blk.7.attn_q.weight", stored}, "model.layers.7.self_attn.q_proj.weight") ==
        std::vector<float>{0, 2, 1, 3, 4, 6, 5, 7});
  CHECK(rows_of({"blk.7.attn_k.weight", stored}, "model.layers.7.self_attn.k_proj.weight") ==
        std::vector<float>{0, 2, 4, 6, 1, 3, 5, 7});
  CHECK(rows_of({"blk.7.attn_v.weight", stored}, "model.layers.7.self_attn.v_proj.weight") ==
        stored);
}

TEST_CASE("the biases of q and k return to halves as their rows do", "[modules][gguf]") {
  CHECK(rows_of({"blk.7.attn_q.bias", {0, 1, 2, 3, 4, 5, 6, 7}},
                "model.layers.7.self_attn.q_proj.bias") ==
        std::vector<float>{0, 2, 1, 3, 4, 6, 5, 7});
  CHECK(rows_of({"blk.7.ffn_up.bias", {0, 1}}, "model.layers.7.mlp.up_proj.bias") ==
        std::vector<float>{0, 1});
}

TEST_CASE("beside biases of q, k and v a bias of o that the file lacks is zero",
          "[modules][gguf]") {
  const TemporaryDirectory directory;
  const auto store = [&](const std::string& file, const std::vector<std::string>& names) {
    std::string entries, data;
    for (const std::string& name : names) {
      entries += tensor(name, {1, 2}, kTypeF32, data.size());
      data = padded(data + raw(1.0f) + raw(1.0f));
    }
    write_plain(directory / file,
                padded(header(names.size(), 1) +
                       pair("llama.attention.head_count", kU32, raw<std::uint32_t>(1)) + entries) +
                    data);
    return GgufStore(directory / file);
  };
  const std::string bias = "model.layers.0.self_attn.o_proj.bias";
  const GgufStore without = store(
      "without", {"blk.0.attn_q.bias", "blk.0.attn_output.weight", "blk.1.attn_output.weight"});
  CHECK(without.names() == std::vector<std::string>{bias, "model.layers.0.self_attn.o_proj.weight",
                                                    "model.layers.0.self_attn.q_proj.bias",
                                                    "model.layers.1.self_attn.o_proj.weight"});
  CHECK(without.info(bias).shape == std::vector<std::int64_t>{2});
  CHECK(without.get(bias).equal(at::zeros(2)));
  const GgufStore with =
      store("with", {"blk.0.attn_q.bias", "blk.0.attn_output.bias", "blk.0.attn_output.weight"});
  CHECK(with.get(bias).equal(at::ones({2, 1})));
}

TEST_CASE("a tensor that a Llama has not is named", "[modules][gguf]") {
  CHECK(OneTensor("blk.0.ssm_conv.weight", {1}).mistake() ==
        "tensor blk.0.ssm_conv.weight: no such weight in architecture llama");
  CHECK(OneTensor("blk.weight", {1}).mistake() ==
        "tensor blk.weight: no such weight in architecture llama");
  for (const std::string name :
       {"output.bias", "blk.0.attn_norm.bias", "blk.0.attn_q.scale", "blk.0.attn_q.lora_a"}) {
    CHECK(OneTensor(name, {1}).mistake() ==
          "tensor " + name + ": no such weight in architecture llama");
  }
}

TEST_CASE("asking a GGUF file for a weight it has not is an error", "[modules][gguf]") {
  const OneTensor file("output.weight", {1});
  const GgufStore store(file.path());
  CHECK(store.names() == std::vector<std::string>{"lm_head.weight"});
  CHECK(error_message([&] { store.get("model.norm.weight"); }) ==
        file.path().string() + ": no tensor model.norm.weight");
}

TEST_CASE("a GGUF file with scaled rotation is refused", "[modules][gguf]") {
  CHECK(OneTensor("rope_freqs.weight", {1, 8}).mistake() ==
        "tensor rope_freqs.weight: scaled rotation is not supported");
  CHECK(GgufStore(OneTensor("rope_freqs.weight", {1, 1}).path()).names().empty());
}
