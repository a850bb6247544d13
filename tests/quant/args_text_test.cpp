#include "quant/args_text.h"

#include "tests/quant/hand_made.h"
#include "tests/support/catch.h"

using namespace dualpath;
using namespace dualpath::quant;
using namespace dualpath::testing;

namespace {

QuantArgs with_bits(QuantArgs args, int num_bits) {
  args.num_bits = num_bits;
  return args;
}

}  // namespace

TEST_CASE("a scheme is spelled with every field, as fingerprints have it", "[quant][args]") {
  CHECK(spelled(kWeightInt8, ArgsRole::kWeights) == "8 channel true false minmax");
  CHECK(spelled(weights_of(4, Strategy::kGroup, 32, false), ArgsRole::kWeights) ==
        "4 group 32 false false minmax");
  CHECK(spelled(kInputInt8, ArgsRole::kInputs) == "8 tensor true false minmax");
  CHECK(spelled(kTokenInt8, ArgsRole::kInputs) == "8 token true true minmax");
  CHECK(spelled(kHeadInt8, ArgsRole::kOperands) == "8 attn_head true false minmax");
}

TEST_CASE("for people a scheme says what is not usual", "[quant][args]") {
  CHECK(summary(kWeightInt8, ArgsRole::kWeights) == "int8 channel");
  CHECK(summary(weights_of(4, Strategy::kGroup, 32, false), ArgsRole::kWeights) ==
        "int4 group 32 asym");
  CHECK(summary(kTokenInt8, ArgsRole::kInputs) == "int8 token dynamic");
  QuantArgs averaged = kInputInt8;
  averaged.observer = ObserverKind::kMovingAverage;
  CHECK(summary(averaged, ArgsRole::kInputs) == "int8 tensor moving_average");
  CHECK(summary(kHeadInt8, ArgsRole::kOperands) == "int8 attn_head minmax");
}

TEST_CASE("what does not run is named with what does", "[quant][args]") {
  CHECK_FALSE(mistake_in(kWeightInt8, ArgsRole::kWeights));
  CHECK_FALSE(mistake_in(kTokenInt8, ArgsRole::kInputs));
  CHECK_FALSE(mistake_in(kHeadInt8, ArgsRole::kOperands));
  // A recipe offers 3, 4, 6 and 8 bits and a few sizes of groups; all from 2 to 8 and any size run.
  CHECK_FALSE(mistake_in(weights_of(5, Strategy::kGroup, 48, false), ArgsRole::kWeights));
  CHECK(mistake_in(with_bits(kWeightInt8, 9), ArgsRole::kWeights) ==
        "num_bits: expected 2 to 8, got 9");
  CHECK_FALSE(mistake_in(with_bits(kInputInt8, 4), ArgsRole::kInputs));
  CHECK(mistake_in(with_bits(kInputInt8, 3), ArgsRole::kInputs) ==
        "num_bits: expected 4 to 8, got 3");
  CHECK(mistake_in(with_bits(kHeadInt8, 4), ArgsRole::kOperands) == "num_bits: expected 8, got 4");
  CHECK(mistake_in(kInputInt8, ArgsRole::kWeights) ==
        "strategy: expected channel or group, got tensor");
  CHECK(mistake_in(weights_of(8, Strategy::kChannel, 0, false), ArgsRole::kWeights) ==
        "expected symmetric: true with num_bits: 8, got false");
  QuantArgs dynamic = kWeightInt8;
  dynamic.dynamic = true;
  CHECK(mistake_in(dynamic, ArgsRole::kWeights) ==
        "dynamic: expected false, since weights are quantized once, got true");
  CHECK(mistake_in({.strategy = Strategy::kToken}, ArgsRole::kInputs) ==
        "expected dynamic: true with strategy: token, got false");
}
