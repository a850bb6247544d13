#include "trainer/prediction.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>

#include "data/base/memory.h"
#include "quant/observe_executor.h"
#include "quant/paired_forward.h"
#include "trainer/evaluation.h"
#include "trainer/objective.h"

namespace dualpath::trainer {
namespace {

/// The network with only its first `layers` correctable stages.
modules::Network shortened(const modules::Network& network, std::size_t layers) {
  modules::Network result;
  result.head = network.head;
  for (const modules::Stage& stage : network.stages) {
    if (stage.correctable && layers == 0) continue;
    if (stage.correctable) --layers;
    result.stages.push_back(stage);
  }
  return result;
}

double layer_count(const modules::Network& network) {
  return static_cast<double>(
      std::count_if(network.stages.begin(), network.stages.end(),
                    [](const modules::Stage& stage) { return stage.correctable; }));
}

/// Any positive scales will do: neither time nor memory depends on them.
quant::ActivationScales unit_scales(const quant::Plan& plan) {
  modules::NamedTensors scales;
  for (const quant::TensorGroup& group : plan.groups) scales[group.name] = torch::ones({1});
  return quant::ActivationScales(scales);
}

/// One window of at most kTokens tokens, as a batch and as windows.
constexpr std::int64_t kTokens = 64;

data::Windows probe_window(const data::Windows& windows) {
  const auto first = windows[0];
  const auto length = std::min<std::size_t>(first.size(), kTokens);
  return {{first.begin(), first.begin() + static_cast<std::ptrdiff_t>(length)},
          static_cast<std::int64_t>(length),
          "probe"};
}

/// A cost that a network has anyway, and what each layer adds.
struct Cost {
  double rest = 0.0, layer = 0.0;
  double of(double layers) const { return rest + layers * layer; }
};

/// Runs `work` on a network of two layers and on one of one: the second is what a layer adds
/// (nothing is trained before the first, so its backward is not like the others'). The first run
/// loads weights and is not counted.
class Probe {
 public:
  explicit Probe(const modules::Network& network)
      : one_(shortened(network, 1)), two_(shortened(network, 2)) {}

  template <class Work>
  Cost seconds(const Work& work) const {
    work(two_);
    const double one = time(one_, work);
    return cost(one, time(two_, work));
  }

  /// Bytes that live while the result of `work` does.
  template <class Work>
  Cost bytes(const Work& work) const {
    work(two_);
    const double one = held(one_, work);
    return cost(one, held(two_, work));
  }

 private:
  static Cost cost(double one, double two) {
    const double layer = std::max(0.0, two - one);
    return {std::max(0.0, one - layer), layer};
  }

  template <class Work>
  static double time(const modules::Network& network, const Work& work) {
    constexpr int kRepeats = 3;  // the fastest: what disturbs a run only ever slows it
    double fastest = std::numeric_limits<double>::infinity();
    for (int i = 0; i < kRepeats; ++i) {
      const auto start = std::chrono::steady_clock::now();
      work(network);
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      fastest = std::min(fastest, taken.count());
    }
    return fastest;
  }

  template <class Work>
  static double held(const modules::Network& network, const Work& work) {
    const std::int64_t before = allocated_bytes();
    const auto result = work(network);
    return static_cast<double>(allocated_bytes() - before);
  }

  modules::Network one_, two_;
};

/// Bytes of weights that `train` keeps: the reference's in the compute dtype; of the quantized path
/// its codes, what the gradient flows back through, and its own table; and the model file's pages,
/// which count as resident.
double weight_bytes(const Experiment& experiment) {
  const at::ScalarType dtype = experiment.recipe.model.dtype;
  const double element = static_cast<double>(c10::elementSize(dtype));
  const double reference = static_cast<double>(
      quant::total_bytes(quant::planned_bytes({}, *experiment.model.weights, dtype)));
  double quantized = 0.0;
  for (const quant::PlannedLinear& linear : experiment.plan.linears) {
    const double numel = static_cast<double>(linear.ref.in_features * linear.ref.out_features);
    quantized += numel * (1.0 + element);
  }
  double tables = 0.0;
  for (const modules::EmbeddingRef& table : experiment.model.structure.embeddings) {
    tables += static_cast<double>(table.rows * table.width) * element;
  }
  return reference + quantized + tables + static_cast<double>(model_bytes(experiment.model));
}

/// float32 matrices [chunk, vocabulary] alive at once in head_losses, and what the allocator keeps
/// for itself.
double head_bytes(const Experiment& experiment) {
  constexpr double kMatrices = 8.0, kRows = 64.0;
  return kMatrices * kRows * 4.0 * static_cast<double>(experiment.model.config.vocab_size);
}

/// What one batch of the probe costs, in seconds and (saved) bytes.
struct Costs {
  Cost observed, paired, adapted, evaluated, saved;
  double tokens = 0.0;  ///< of the batch
};

Costs measure(const Experiment& experiment, const Texts& texts) {
  const LossOptions& loss = experiment.recipe.loss;
  const data::Windows windows = probe_window(texts.train);
  const data::Batch batch = data::make_batch(windows, std::array<std::size_t, 1>{0});
  const GlobalCount count{batch.counted(), batch.ids.numel()};
  QuantizedPath path(experiment, unit_scales(experiment.plan));
  ControlPath control(experiment);
  quant::ObserveExecutor observe(experiment.model.weights, experiment.recipe.model.dtype,
                                 experiment.plan);
  std::vector<EvaluatedRow> rows{
      {"fp", &control.executor}, {"quantized", &path.executor}, {"corrected", &path.corrected}};
  if (experiment.recipe.train.control) rows.push_back({"control", &control.corrected});
  const Probe probe(experiment.model.network);
  return {
      .observed = probe.seconds([&](const modules::Network& network) {
        const torch::NoGradGuard no_grad;
        modules::State state = modules::make_state(batch.ids);
        modules::run(network, observe, state);
      }),
      .paired = probe.seconds([&](const modules::Network& network) {
        PairedObjective(network, control.executor, path.corrected, loss).accumulate(batch, count);
      }),
      .adapted = probe.seconds([&](const modules::Network& network) {
        ControlObjective(network, control.corrected).accumulate(batch, count);
      }),
      .evaluated = probe.seconds([&](const modules::Network& network) {
        evaluate_rows(network, rows, windows, experiment.recipe.evaluate, [](std::int64_t) {});
      }),
      .saved = probe.bytes([&](const modules::Network& network) {
        return quant::paired_forward(network, batch, control.executor, path.corrected,
                                     loss.distance);
      }),
      .tokens = static_cast<double>(count.tokens)};
}

}  // namespace

Prediction predict(const Experiment& experiment, const Texts& texts) {
  const Recipe& recipe = experiment.recipe;
  const double baseline = static_cast<double>(resident_bytes());
  const Costs costs = measure(experiment, texts);
  const double layers = layer_count(experiment.model.network);
  const double window =
      static_cast<double>(recipe.data.window) / costs.tokens;  // in batches of the probe
  const double batch = window * static_cast<double>(recipe.train.per_device_train_batch_size);
  const double steps = batch * static_cast<double>(recipe.train.max_steps *
                                                   recipe.train.gradient_accumulation_steps);
  std::size_t scored = evaluated_windows(texts.test, recipe.evaluate);
  if (texts.out_of_domain) scored += evaluated_windows(*texts.out_of_domain, recipe.evaluate);

  const auto weights =
      quant::planned_bytes(experiment.plan, *experiment.model.weights, recipe.model.dtype);
  return {.export_bytes = quant::total_bytes(weights),
          .peak_resident_bytes =
              static_cast<std::int64_t>(baseline + weight_bytes(experiment) +
                                        costs.saved.of(layers) * batch + head_bytes(experiment)),
          .calibrate_seconds = costs.observed.of(layers) * window *
                               static_cast<double>(recipe.quantize.calibration.num_samples),
          .train_seconds = costs.paired.of(layers) * steps,
          .control_seconds = recipe.train.control ? costs.adapted.of(layers) * steps : 0.0,
          .evaluate_seconds = costs.evaluated.of(layers) * window * static_cast<double>(scored)};
}

nlohmann::json to_json(const Prediction& prediction) {
  return {{"export_bytes", prediction.export_bytes},
          {"peak_resident_bytes", prediction.peak_resident_bytes},
          {"seconds",
           {{"calibrate", prediction.calibrate_seconds},
            {"train", prediction.train_seconds},
            {"control", prediction.control_seconds},
            {"evaluate", prediction.evaluate_seconds}}}};
}

}  // namespace dualpath::trainer
