// Serves timings to the scripts beside it. For each line "BATCH TOKENS" of stdin the bench runs
// once and answers with a line of JSON: its seconds by name and "peak_bytes", the most memory
// meanwhile: on the CPU resident, on a GPU what tensors hold there.

#include <fmt/format.h>
#include <torch/utils.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/process/memory.h"
#include "tools/bench/bench.h"
#include "trainer/experiment/device.h"
#include "trainer/predict/device_memory.h"
#include "trainer/recipe/recipe.h"

namespace {

using namespace dualpath;

constexpr std::int64_t kThreads = 2;  // the recipe's and the peers'

struct Options {
  std::string recipe = "recipes/quickstart.yaml";
  std::vector<std::string> overrides;
  std::size_t layers = 0;  // 0: all
};

trainer::Experiment opened(const Options& options) {
  trainer::Recipe recipe = trainer::load_recipe(options.recipe, options.overrides);
  trainer::choose_device(recipe);
  modules::Model model = modules::open_model(recipe.model.path);
  if (options.layers > 0) {
    model.network = modules::shortened(model.network, options.layers);
    model.structure = modules::structure_of(model.network);
  }
  return trainer::open_experiment(std::move(recipe), std::move(model));
}

void serve(bench::Bench& bench, at::Device device = at::kCPU) {
  std::int64_t windows = 0, tokens = 0;
  while (std::cin >> windows >> tokens) {
    if (!restart_peak_resident())
      throw Error("/proc/self/clear_refs cannot be written: a step's peak memory is not to be had");
    trainer::restart_peak_device_bytes(device);
    nlohmann::json answer = bench.run(windows, tokens);
    answer["peak_bytes"] = trainer::peak_device_bytes(device).value_or(peak_resident_bytes());
    fmt::print("{}\n", answer.dump());
    std::fflush(stdout);
  }
}

int run(int argc, char** argv) {
  CLI::App app("Times DualPath at shapes read from stdin, a line \"BATCH TOKENS\" each.");
  app.require_subcommand(1);
  app.footer(
      "Example:\n  echo 4 128 | build/dualpath_bench step --set train.learning_rate.weights=1e-5");
  Options options;
  const auto add = [&](const char* name, const char* about) {
    CLI::App* command = app.add_subcommand(name, about);
    command->add_option("--recipe", options.recipe, "what is run")->capture_default_str();
    command->add_option("--set", options.overrides, "overrides a key of the recipe: KEY=VALUE");
    command->add_option("--layers", options.layers, "only the first layers of the model; 0: all");
    return command;
  };
  const CLI::App* step = add("step", "one optimizer step of paired training");
  const CLI::App* forward = add("forward", "both paths forward, the head left out");
  const CLI::App* token = add("token", "one token behind a cache by both paths, the head left out");
  app.add_subcommand("decode", "one token through four layers of a 9B model's shape");
  const CLI::App* vit = app.add_subcommand("vit", "one paired step of ViT-B/16: BATCH PIXELS");
  const CLI::App* conformer =
      app.add_subcommand("conformer", "one paired step of a 17-layer Conformer: BATCH FRAMES");
  const CLI::App* whisper =
      app.add_subcommand("whisper", "one paired step of Whisper tiny's encoder: BATCH FRAMES");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  if (step->parsed() || forward->parsed() || token->parsed()) {
    trainer::Experiment experiment = opened(options);
    const at::Device device = experiment.recipe.model.device;
    serve(*(step->parsed()      ? bench::step_bench(std::move(experiment))
            : forward->parsed() ? bench::forward_bench(std::move(experiment))
                                : bench::token_bench(std::move(experiment))),
          device);
  } else {
    trainer::use_threads(kThreads);
    serve(*(vit->parsed()         ? bench::vit_bench()
            : conformer->parsed() ? bench::conformer_bench()
            : whisper->parsed()   ? bench::whisper_bench()
                                  : bench::decode_bench()));
  }
  return kDone;
}

}  // namespace

int main(int argc, char** argv) {
  torch::manual_seed(0);
  keep_freed_memory();
  try {
    return run(argc, argv);
  } catch (const dualpath::Error& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return error.exit_code();
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return kFailure;
  }
}
