#include <map>
#include <string>
#include <vector>

#include "tests/standin/small_run.h"
#include "tests/support/catch.h"
#include "tests/support/standin_device.h"

using namespace dualpath::testing;

namespace {

struct Job {
  std::string name, model;
  std::vector<std::string> settings;
  bool is_exported = true;
};

const Job kStatic{
    "static inputs, smoothing searched, scales and norms trained",
    "tiny_llama/outliers",
    {"quantize.config_groups={all: {targets: [Linear], input_activations: {observer: "
     "moving_average}}}",
     "quantize.smoothing={search: true}", "train.learning_rate.activation_scales=1e-3",
     "train.learning_rate.norm_weights=1e-4", "train.gradient_accumulation_steps=2"}};

const std::vector<Job> kJobs{
    kStatic,
    {"inputs by token, all weights trained, the head too",
     "tiny_llama/outliers",
     {"quantize.config_groups={all: {targets: [Linear], input_activations: {strategy: token, "
      "dynamic: true}}}",
      "quantize.ignore=[]", "train.learning_rate.weights=1e-4", "train.control=false"}},
    {"weights of 4 bits by group, asymmetric ones without quantized inputs",
     "tiny_llama/outliers",
     {"quantize.config_groups={down: {targets: ['re:.*down_proj$'], weights: {num_bits: 4, "
      "strategy: group, group_size: 32, symmetric: false}, input_activations: null}, rest: "
      "{targets: [Linear], weights: {num_bits: 4, strategy: group, group_size: 32}, "
      "input_activations: {strategy: token, dynamic: true}}}",
      "train.input_gradients=float"}},
    {"keys, values and products of attentions in integers",
     "tiny_llama/outliers",
     {"quantize.kv_cache_scheme={}", "quantize.attention_scheme={}",
      "train.gradient_checkpointing=true"}},
    {"GLM-4V, whose pictures have rows and columns",
     "glm4v/tiny",
     {"train.gradient_checkpointing=true", "train.control=false"}},
    {"ViT and Conformer before a decoder, a scale a modality",
     "composition/model",
     {"quantize.modality_scales=separate", "export.format=dualpath",
      "quantize.smoothing={search: true}", "train.control=false"}},
    {"DINOv2 and Whisper before a decoder, weights of 4 bits",
     "composition/others",
     {"quantize.config_groups={all: {targets: [Linear], weights: {num_bits: 4}}}",
      "train.gradient_checkpointing=true", "train.control=false"}},
    {"convolutions of the towers in integers",
     "composition/model",
     {"quantize.config_groups={all: {targets: [Linear, Conv2d, 're:.*depthwise_conv$']}}",
      "train.control=false"},
     /*is_exported=*/false}};

/// Fails by name, without printing the bytes.
void check_equal(const std::map<std::string, std::string>& there,
                 const std::map<std::string, std::string>& here) {
  REQUIRE(here.size() == there.size());
  for (const auto& [name, content] : here) {
    INFO(name);
    REQUIRE(there.contains(name));
    CHECK((there.at(name) == content));
  }
}

}  // namespace

TEST_CASE("all commands' work has the CPU's bits on the stand-in device", "[standin][pipeline]") {
  const Job job = GENERATE(from_range(kJobs));
  INFO(job.name);
  const SmallRun there(job.model, job.settings, standin_device()),
      here(job.model, job.settings, at::kCPU);
  for (const SmallRun* run : {&here, &there}) {
    run->calibrate();
    run->train(SmallRun::kFirstSteps);
    run->train(SmallRun::kSteps);  // goes on from the checkpoint
  }
  CHECK(there.evaluate() == here.evaluate());
  check_equal(there.generate(), here.generate());
  if (job.is_exported) {
    there.export_model();
    here.export_model();
    CHECK(there.evaluate_export() == here.evaluate_export());
  }
  check_equal(there.files(), here.files());
}

TEST_CASE("a run goes on with the same bits on another device", "[standin][pipeline]") {
  const SmallRun here(kStatic.model, kStatic.settings, at::kCPU),
      there(kStatic.model, kStatic.settings, standin_device());
  here.train(SmallRun::kFirstSteps);
  there.continue_from(here);
  here.train(SmallRun::kSteps);
  there.train(SmallRun::kSteps);
  check_equal(there.files(), here.files());
}
