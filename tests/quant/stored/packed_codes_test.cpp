#include "quant/stored/packed_codes.h"

#include "quant/stored/stored_weight.h"
#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/model.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;
using torch::Tensor;

namespace {

PlannedLinear linear_of(const QuantArgs& weights, std::optional<QuantArgs> inputs = kInputInt8) {
  return {{"a", 96, 5, true}, "stage", "a.input", weights, inputs};
}

/// A store with the tensors of the weight's export.
std::shared_ptr<MemoryStore> exported(const GridWeight& weight, const PlannedLinear& linear) {
  modules::NamedTensors tensors{{"a.bias", torch::arange(5, at::kFloat)}};
  for (const auto& [name, tensor] : stored_tensors(weight, linear)) tensors["a" + name] = tensor;
  return std::make_shared<MemoryStore>(tensors);
}

}  // namespace

TEST_CASE("eight codes of 4 bits are the digits of a word, the first the lowest",
          "[quant][packed]") {
  const Tensor codes = torch::tensor({{-8, -7, -6, -5, -4, -3, -2, -1, 7}}, at::kChar);
  const Tensor packed = pack_codes(codes, 4);
  CHECK(packed.equal(torch::tensor({{0x76543210, 0xf}}, at::kInt)));
  CHECK(unpack_codes(packed, 4, 9).equal(codes));
}

TEST_CASE("codes are packed as compressed-tensors packs them", "[quant][packed]") {
  const int num_bits = GENERATE(3, 4, 6, 8);
  modules::NamedTensors expected = expected_tensors("packed_codes.safetensors");
  const auto of = [&](const char* name) { return expected.at(name + std::to_string(num_bits)); };
  const Tensor codes = of("codes."), packed = of("packed.");
  CHECK(pack_codes(codes, num_bits).equal(packed));
  CHECK(unpack_codes(packed, num_bits, codes.size(1)).equal(codes));
  CHECK(pack_codes(codes.t(), num_bits).equal(of("columns.").t()));
  CHECK(words_of(codes.size(1), num_bits) == packed.size(1));
}

TEST_CASE("a weight read from an export is the one that was written", "[quant][packed]") {
  const int num_bits = GENERATE(3, 4, 6, 8);
  const bool symmetric = GENERATE(true, false), grouped = GENERATE(true, false);
  if (!symmetric && num_bits > kMostAsymmetricBits) return;
  const std::optional<QuantArgs> inputs = GENERATE(std::optional(kInputInt8), std::nullopt);
  const QuantArgs args = weights_of(num_bits, grouped ? Strategy::kGroup : Strategy::kChannel,
                                    grouped ? 32 : 0, symmetric);
  const PlannedLinear linear = linear_of(args, inputs);
  torch::manual_seed(31);
  const GridWeight weight = quantize_weight(torch::randn({5, 96}) + 0.3, "a.weight", args);
  const auto store = exported(weight, linear);
  const GridWeight read = grid_weight(*store, linear);
  CHECK(read.codes.equal(weight.codes));
  CHECK(read.scale.equal(weight.scale));
  CHECK(bias_of(*store, linear.ref).equal(torch::arange(5, at::kFloat)));
  CHECK(read.args == args);
  CHECK(read.zero_point.defined() == !symmetric);
  if (!symmetric) CHECK(read.zero_point.equal(weight.zero_point));
}

TEST_CASE("a stored weight of another shape than planned is named", "[quant][packed]") {
  const QuantArgs args = weights_of(4, Strategy::kGroup, 32, true);
  const GridWeight weight = quantize_weight(torch::randn({5, 96}), "a.weight", args);
  const auto store = exported(weight, linear_of(args));
  CHECK(error_message([&] {
          grid_weight(*store, linear_of(weights_of(3, Strategy::kGroup, 32, true)));
        }) == "a.weight_packed: expected Int [5, 9], got Int [5, 12]");
  CHECK(error_message([&] {
          grid_weight(*store, linear_of(weights_of(4, Strategy::kChannel, 0, true)));
        }) == "a.weight_scale: expected Float [5, 1], got Float [5, 3]");
}
