#include <torch/utils.h>

#include "modules/correction/corrections.h"
#include "modules/execute/structure.h"
#include "modules/language/decoder.h"
#include "quant/execute/quantized_executor.h"
#include "quant/plan/planner.h"
#include "tools/bench/bench.h"
#include "tools/bench/random_weights.h"

namespace dualpath::bench {
namespace {

/// The shape of GLM-4-9B's layers. The vocabulary counts for nothing: the head is not run.
modules::DecoderConfig nine_billion_shape() {
  return {.vocab_size = 16,
          .hidden_size = 4096,
          .intermediate_size = 13696,
          .num_hidden_layers = 4,
          .num_attention_heads = 32,
          .num_key_value_heads = 2,
          .head_dim = 128,
          .max_position_embeddings = 8192,
          .rms_norm_eps = 1e-5,
          .rotation = {.theta = 10000.0, .dim = 128},
          .activation = modules::Activation::kSilu,
          .tie_word_embeddings = false,
          .qkv_bias = true,
          .output_bias = true,
          .mlp_bias = false};
}

/// Times the corrections where they run: behind their layer, whose weights have just gone through
/// the caches.
class TimedCorrections : public modules::ForwardingExecutor {
 public:
  TimedCorrections(modules::Executor& executor, const modules::Corrections& corrections)
      : ForwardingExecutor(executor), corrections_(corrections) {}

  void end(const modules::Stage& stage, modules::State& state) override {
    ForwardingExecutor::end(stage, state);
    taken_ += seconds([&] { state.hidden = corrections_.apply(stage.name, state.hidden); });
  }
  double taken() const { return taken_; }

 private:
  const modules::Corrections& corrections_;
  double taken_ = 0.0;
};

class DecodeBench : public Bench {
 public:
  DecodeBench()
      : network_(modules::make_decoder(nine_billion_shape())),
        structure_(modules::structure_of(network_)),
        plan_(quant::make_plan(structure_, {})),
        scales_(quant::unit_calibration(plan_).scales()),
        executor_(std::make_shared<RandomWeights>(structure_), at::kBFloat16, plan_, scales_),
        corrections_(plan_.stages, {}, /*seed=*/0) {}

  Times run(std::int64_t windows, std::int64_t tokens) override {
    const torch::NoGradGuard no_grad;
    modules::KvCache cache = random_cache(structure_, windows, tokens, torch::kBFloat16);
    TimedCorrections timed(executor_, corrections_);
    const double step = seconds([&] {
      modules::State state = modules::make_state(torch::zeros({windows, 1}, torch::kLong), &cache);
      modules::run(network_, timed, state);
    });
    return {{"step_s", step}, {"correction_s", timed.taken()}};
  }

 private:
  modules::Network network_;
  modules::Structure structure_;
  quant::Plan plan_;
  quant::ActivationScales scales_;
  quant::QuantizedExecutor executor_;
  modules::Corrections corrections_;
};

}  // namespace

std::unique_ptr<Bench> decode_bench() { return std::make_unique<DecodeBench>(); }

}  // namespace dualpath::bench
