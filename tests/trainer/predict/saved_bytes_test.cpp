#include "trainer/predict/saved_bytes.h"

#include <torch/torch.h>

#include "tests/support/catch.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/train/gradient_checkpointing.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using torch::Tensor;

namespace {

/// Both paths of a model, frozen but for corrections.
struct Paths {
  explicit Paths(Experiment opened) : experiment(std::move(opened)) {}

  std::int64_t held(std::size_t layers, const data::Batch& batch, bool checkpointed) {
    return bytes_held(modules::shortened(experiment.model.network, layers), batch, control.executor,
                      quantized.corrected, quant::DistanceKind::kRelative,
                      checkpointing_of(quantized.trainables.groups, checkpointed));
  }

  Experiment experiment;
  ControlPath control{experiment};
  QuantizedPath quantized{experiment, quant::unit_calibration(experiment.plan), control.executor};
};

Experiment smollm2() {
  Recipe recipe;
  recipe.model.path = kSmolLM2;
  recipe.num_threads = 1;
  return open_experiment(std::move(recipe));
}

constexpr std::int64_t kTokens = 32;  // tokens of a window

/// A layer of the tiny model as the paths run it: its parts' bytes a token in float32.
struct Layer {
  explicit Layer(const modules::DecoderConfig& c)
      : hidden(4 * c.hidden_size),
        queries(4 * c.num_attention_heads * c.head_dim),
        keys(4 * c.num_key_value_heads * c.head_dim),
        product(4 * c.intermediate_size),
        scores(4 * c.num_attention_heads * kTokens),
        codes(c.num_attention_heads * c.head_dim + c.intermediate_size) {}
  std::int64_t hidden, queries, keys, product;
  std::int64_t scores;  ///< kept, since the window is short
  /// Codes of the inputs of o_proj and down_proj; norms make the others' again.
  std::int64_t codes;
};

constexpr std::int64_t kNorms = 2 * 4, kDistance = 4;  // a float a token

}  // namespace

TEST_CASE("an allocation watch counts what stays of what was allocated while it lives",
          "[trainer][saved_bytes]") {
  Tensor kept, outlives;
  {
    const AllocationWatch watch;
    CHECK(watch.bytes() == 0);
    kept = torch::empty({10});
    { const Tensor freed = torch::empty({1000}); }
    CHECK(watch.bytes() == 40);
    const Tensor view = kept.narrow(0, 0, 5);
    kept = Tensor();
    CHECK(watch.bytes() == 40);  // the view holds it
    outlives = torch::empty({3}, torch::kByte);
    CHECK(watch.bytes() == 43);
  }
  outlives = Tensor();  // may share its address with later blocks, which no watch has seen
  const Tensor unseen = torch::empty({3}, torch::kByte);
  const AllocationWatch later;
  CHECK(later.bytes() == 0);
}

TEST_CASE("a layer keeps what its operations need, and no tensor twice", "[trainer][saved_bytes]") {
  Paths paths(tiny_experiment());
  const data::Batch batch = batch_of(made_windows(2, kTokens), {0, 1});
  paths.held(3, batch, false);  // reads the weights
  const auto of_third_layer = [&](bool checkpointed) {
    const std::int64_t bytes =
        paths.held(3, batch, checkpointed) - paths.held(2, batch, checkpointed);
    return static_cast<double>(bytes) / static_cast<double>(batch.ids.numel());
  };
  const Layer of(paths.experiment.model.config);
  // These floats are kept: the layer's input, the MLP's and the correction's inputs, the distance's
  // difference, the attention's tensors, gate and up.
  const std::int64_t floats = 4 * of.hidden + of.queries + 2 * of.keys + of.scores + 2 * of.product;
  const double kept = of_third_layer(false), checkpointed = of_third_layer(true);
  // The distance's sum is 4 bytes for all tokens.
  CHECK(kept > static_cast<double>(floats + kNorms + kDistance));
  CHECK(kept <= static_cast<double>(floats + kNorms + kDistance + of.codes) + 0.1);
  CHECK(checkpointed == Approx(static_cast<double>(2 * of.hidden + kDistance)).margin(0.1));

  const SavedBytes saved =
      saved_bytes_of_layer(paths.experiment.model, quant::DistanceKind::kRelative, batch,
                           paths.control.executor, paths.quantized);
  CHECK(saved.kept == kept);
  CHECK(saved.checkpointed == checkpointed);
}

TEST_CASE("a frozen quantized linear keeps nothing larger than its input's codes",
          "[trainer][saved_bytes]") {
  Paths paths(tiny_experiment());
  constexpr std::int64_t kTokens = 64;
  for (const quant::TensorGroup& group : paths.experiment.plan.groups) {
    modules::LinearRefs refs;
    for (const quant::PlannedLinear& linear : paths.experiment.plan.linears) {
      if (linear.group == group.name) refs.push_back(linear.ref);
    }
    const std::int64_t width = refs.front().in_features;
    const Tensor x = torch::zeros({1, kTokens, width}).requires_grad_();
    const auto kept_beside_outputs = [&](const auto& run) {
      run();  // prepares the weights
      const AllocationWatch watch;
      const std::vector<Tensor> outputs = run();
      std::int64_t bytes = watch.bytes();
      for (const Tensor& y : outputs) {
        REQUIRE(y.requires_grad());
        bytes -= static_cast<std::int64_t>(y.nbytes());
      }
      return bytes;
    };
    INFO(group.name);
    modules::Executor& executor = paths.quantized.executor;
    CHECK(kept_beside_outputs([&] { return executor.linear(refs, x); }) <= kTokens * width);
    const modules::NormRef norm{"model.norm", paths.experiment.model.config.hidden_size, 1e-6};
    if (norm.width == width) {  // behind a norm: a float a token, since the codes are made again
      CHECK(kept_beside_outputs([&] { return executor.norm_linear(norm, refs, x); }) <=
            kTokens * 4);
    }
  }
}

TEST_CASE("what is saved is the same on one thread and on several: none allocates in a worker",
          "[trainer][saved_bytes]") {
  Paths paths(tiny_experiment());
  const data::Batch batch = batch_of(made_windows(4, 256), {0, 1, 2, 3});
  paths.held(3, batch, false);
  const bool checkpointed = GENERATE(false, true);
  const std::int64_t alone = paths.held(3, batch, checkpointed);
  at::set_num_threads(4);
  const std::int64_t together = paths.held(3, batch, checkpointed);
  at::set_num_threads(1);
  CHECK(together == alone);
}

TEST_CASE("what SmolLM2 saves grows by the same bytes with every layer, 4H with checkpointing",
          "[trainer][saved_bytes]") {
  Paths paths(smollm2());
  const data::Batch batch = batch_of(made_windows(1, 64), {0});
  const auto tokens = static_cast<double>(batch.ids.numel());
  const auto hidden = static_cast<double>(paths.experiment.model.config.hidden_size);
  paths.held(30, batch, false);
  const auto slope = [&](std::size_t from, std::size_t to, bool checkpointed) {
    const std::int64_t more =
        paths.held(to, batch, checkpointed) - paths.held(from, batch, checkpointed);
    return static_cast<double>(more) / static_cast<double>(to - from) / tokens;
  };
  for (const bool checkpointed : {false, true}) {
    const double late = slope(15, 30, checkpointed), early = slope(8, 15, checkpointed);
    INFO(late << " bytes a token and layer");
    CHECK(late == Approx(early).epsilon(0.01));
    if (checkpointed) CHECK(late <= 4 * hidden + 8);  // and a float or two a token
  }
}
