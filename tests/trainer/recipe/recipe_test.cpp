#include "trainer/recipe/recipe.h"

#include "data/base/error.h"
#include "data/files/atomic_file.h"
#include "data/files/file.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::trainer;
using Overrides = std::vector<std::string>;

namespace {

const std::string kLeast = "model: {path: m}\ndata: {train: d}\ntrain: {output_dir: o}\n";

/// A recipe in a file of its own.
class RecipeFile {
 public:
  explicit RecipeFile(const std::string& yaml) { write_file(path(), yaml); }
  std::filesystem::path path() const { return directory_ / "r.yaml"; }

 private:
  testing::TemporaryDirectory directory_;
};

Recipe load(const std::string& yaml, const Overrides& overrides = {}) {
  return load_recipe(RecipeFile(yaml).path(), overrides);
}

/// The message, with "r.yaml" for the file's path.
std::string mistakes(const std::string& yaml, const Overrides& overrides = {}) {
  const RecipeFile file(yaml);
  try {
    load_recipe(file.path(), overrides);
    return "";
  } catch (const UsageError& error) {
    std::string message = error.what();
    const std::string directory = file.path().parent_path().string() + "/";
    while (message.find(directory) != message.npos) {
      message.erase(message.find(directory), directory.size());
    }
    return message;
  }
}

/// The message for one more line, the fourth, after the least recipe.
std::string mistake_in(const std::string& line) { return mistakes(kLeast + line); }

}  // namespace

TEST_CASE("the least recipe has the structs' defaults", "[recipe]") {
  Recipe expected;
  expected.model.path = "m";
  expected.data.train = "d";
  expected.train.output_dir = "o";
  CHECK(load(kLeast) == expected);
}

TEST_CASE("every key of a recipe fills its field", "[recipe]") {
  const Recipe recipe = load(R"(
model: {path: a b.gguf, dtype: float16}
data: {train: d, split: {train: 0.5, selection: 0.25, test: 0.25}, out_of_domain: e, window: 64,
       assistant_only_loss: true}
quantize:
  config_groups:
    zebra:
      targets: ["re:.*q_proj", k_proj]
      weights: {num_bits: 8, type: int, strategy: channel, symmetric: true}
      input_activations: {num_bits: 8, type: int, strategy: tensor, symmetric: true,
                          dynamic: false, observer: moving_average}
    antelope: {}
  ignore: []
  kv_cache_scheme: {num_bits: 8, type: int, strategy: attn_head, symmetric: true, dynamic: false,
                    observer: moving_average}
  attention_scheme: {}
  modality_scales: separate
  calibration: {num_samples: 7}
  smoothing: {strength: 0.6}
correction: {reduction: 16, input: raw, beta: scalar, ignore: [model.layers.3]}
loss: {kl: 0.5, ce: 2, hidden: 1e-3, distance: squared, modality: {text: 0.25, image: 3, audio: 4},
       towers: {image: 5, audio: 6}}
train:
  output_dir: o
  max_steps: 11
  strategy: blockwise
  block_size: 22
  per_device_train_batch_size: 12
  gradient_accumulation_steps: 13
  gradient_checkpointing: true
  input_gradients: float
  learning_rate: {corrections: 0.1, activation_scales: 0.2, norm_weights: 0.3, weights: 0.8}
  modules: [model.layers.3, "re:.*norm"]
  feature_cache: {path: f, max_gib: 0.25}
  lr_scheduler_type: linear
  warmup_ratio: 0.4
  weight_decay: 0.6
  max_grad_norm: 0.7
  shard_optimizer: true
  save_steps: 14
  save_total_limit: 15
  logging_steps: 16
  report_to: none
  drop_corrections: true
  control: false
evaluate: {num_tokens: 17, batch_size: 18, bootstrap_samples: 19, num_answers: 20,
           max_answer_tokens: 21, sets: {photos: p, noise_0db: q}}
export: {output_dir: x}
device: cuda:1
compute: simulate
memory_limit: 7.5 GiB
num_threads: 3
seed: 9223372036854775807
)");
  CHECK(recipe.memory_limit == std::int64_t{15} << 29);
  CHECK(recipe.model == modules::ModelOptions{"a b.gguf", at::kHalf});
  CHECK(recipe.data == data::DataOptions{.train = "d",
                                         .selection = {},
                                         .test = {},
                                         .split = {0.5, 0.25, 0.25},
                                         .out_of_domain = "e",
                                         .window = 64,
                                         .assistant_only_loss = true});
  REQUIRE(recipe.quantize.config_groups.size() == 2);
  const quant::ConfigGroup& zebra = recipe.quantize.config_groups[0];
  CHECK(zebra.name == "zebra");
  CHECK(zebra.targets == std::vector<std::string>{"re:.*q_proj", "k_proj"});
  CHECK(zebra.weights == quant::kWeightInt8);
  CHECK(zebra.input_activations->observer == quant::ObserverKind::kMovingAverage);
  CHECK(recipe.quantize.config_groups[1] == quant::ConfigGroup{.name = "antelope"});
  CHECK(recipe.quantize.ignore.empty());
  REQUIRE(recipe.quantize.kv_cache_scheme);
  CHECK(recipe.quantize.kv_cache_scheme->strategy == quant::Strategy::kHead);
  CHECK(recipe.quantize.kv_cache_scheme->observer == quant::ObserverKind::kMovingAverage);
  CHECK(recipe.quantize.attention_scheme == quant::kHeadInt8);
  CHECK(recipe.quantize.modality_scales == quant::ModalityScales::kSeparate);
  CHECK(recipe.quantize.calibration.num_samples == 7);
  CHECK(recipe.quantize.smoothing == quant::SmoothingOptions{.strength = 0.6});
  CHECK(recipe.correction == modules::CorrectionOptions{16,
                                                        modules::CorrectionInput::kRaw,
                                                        modules::CorrectionBeta::kScalar,
                                                        {"model.layers.3"}});
  CHECK(recipe.loss ==
        LossOptions{0.5, 2, 1e-3, quant::DistanceKind::kSquared, {0.25, 3, 4}, {5, 6}});
  CHECK(recipe.train == TrainOptions{"o",
                                     11,
                                     Strategy::kBlockwise,
                                     22,
                                     12,
                                     13,
                                     true,
                                     quant::InputGradients::kFloat,
                                     {0.1, 0.2, 0.3, 0.8},
                                     {"model.layers.3", "re:.*norm"},
                                     "",
                                     {"f", 0.25},
                                     Schedule::kLinear,
                                     0.4,
                                     0.6,
                                     0.7,
                                     true,
                                     14,
                                     15,
                                     16,
                                     ReportTo::kNone,
                                     true,
                                     false});
  CHECK(recipe.evaluate ==
        EvaluateOptions{17, 18, 19, {{"photos", "p"}, {"noise_0db", "q"}}, 20, 21});
  CHECK(recipe.export_.output_dir == "x");
  CHECK(recipe.num_threads == 3);
  CHECK(recipe.device == at::Device(at::kCUDA, 1));
  CHECK(recipe.compute == quant::Compute::kSimulate);
  CHECK(recipe.seed == 9223372036854775807U);
}

TEST_CASE("own parts for selection and test take the place of a split", "[recipe][data]") {
  const auto data = [](const std::string& more) {
    return "model: {path: m}\ntrain: {output_dir: o}\ndata: {train: d, " + more + "}\n";
  };
  const Recipe recipe = load(data("selection: s, test: t"));
  CHECK(recipe.data.selection == "s");
  CHECK(recipe.data.test == "t");
  CHECK(load(to_yaml(recipe)) == recipe);
  CHECK_THAT(mistakes(data("test: t")),
             Catch::Contains("data: expected selection and test together, or neither, got test "
                             "alone"));
  CHECK_THAT(mistakes(data("selection: s")), Catch::Contains("got selection alone"));
  CHECK_THAT(
      mistakes(data("selection: s, test: t, split: {train: 0.8, selection: 0.1, test: 0.1}")),
      Catch::Contains("data.split: expected nothing, since selection and test are given"));
}

TEST_CASE("sets to evaluate have names of their own", "[recipe][evaluate]") {
  const Recipe recipe = load(kLeast, {"evaluate.sets.photos=p.jsonl", "evaluate.sets.other=q"});
  CHECK((recipe.evaluate.sets == std::vector<EvaluateSet>{{"photos", "p.jsonl"}, {"other", "q"}}));
  CHECK(load(to_yaml(recipe)) == recipe);
  for (const char* name : {"in_domain", "out_of_domain", "Photos", "a-b"}) {
    INFO(name);
    CHECK_THAT(mistakes(kLeast, {"evaluate.sets." + std::string(name) + "=p"}),
               Catch::Contains("evaluate.sets: expected names of a-z, 0-9 and _, but not in_domain "
                               "and out_of_domain, got"));
  }
}

TEST_CASE("a null key has its default", "[recipe]") {
  CHECK(load(kLeast + "seed: null\nloss:\nquantize: {config_groups: , ignore: ~}\n") ==
        load(kLeast));
}

TEST_CASE("a recipe written out reads back equal", "[recipe]") {
  Recipe recipe = load(kLeast);
  CHECK(load(to_yaml(recipe)) == recipe);
  recipe.model = {"a \"strange\": # path/größe\n", at::kFloat};
  recipe.data.split = {1.0 / 3, 1.0 / 7, 1 - 1.0 / 3 - 1.0 / 7};
  recipe.quantize.config_groups = {{.name = "null"}, {.name = "b c"}, {.name = ""}};
  recipe.quantize.ignore = {"re:.*\\.down_proj", "true", "8", "~"};
  recipe.quantize.smoothing = quant::SmoothingOptions{.search = true};
  recipe.quantize.attention_scheme = quant::kHeadInt8;
  recipe.quantize.modality_scales = quant::ModalityScales::kSeparate;
  recipe.train.learning_rate = {.corrections = 1e-300, .activation_scales = 0.1};
  recipe.export_.output_dir = "x";
  CHECK(load(to_yaml(recipe)) == recipe);
}

TEST_CASE(
    "without a word of quantizing, modules that are named are trained in float, by cross-entropy",
    "[recipe]") {
  const std::string said =
      GENERATE(as<std::string>{}, "train: {output_dir: o, modules: [a]}\n",
               "train: {output_dir: o}\nquantize: null\n", "train: {output_dir: o}\nquantize:\n");
  const std::string yaml = "model: {path: m}\ndata: {train: d}\n" + said;
  const Recipe recipe = load(yaml);
  CHECK_FALSE(recipe.quantizes());
  CHECK(recipe.loss.kl == 0.0);
  CHECK(recipe.loss.ce == 1.0);
  CHECK(recipe.loss.hidden == 0.0);
  CHECK(recipe.train.learning_rate.corrections == 0.0);
  CHECK(recipe.train.learning_rate.weights > 0.0);
  CHECK_FALSE(recipe.train.control);
  CHECK(load(to_yaml(recipe)) == recipe);
  CHECK(load(yaml, {"loss.ce=2"}).loss.ce == 2.0);
}

TEST_CASE("a recipe that names a task trains a tower by it alone", "[recipe]") {
  const std::string yaml =
      "model: {path: m}\ndata: {train: d}\ntrain: {output_dir: o, modules: [audio_tower]}\n";
  const Recipe recipe = load(yaml + "loss: {ctc: 2}\n");
  CHECK(recipe.loss == LossOptions{.kl = 0.0, .ce = 0.0, .hidden = 0.0, .ctc = 2.0});
  CHECK_FALSE(recipe.trains_by_cross_entropy());
  CHECK(load(to_yaml(recipe)) == recipe);
  const std::string both = mistakes(yaml + "loss: {ctc: 2, ce: 1}\n");
  CHECK_THAT(both, Catch::Contains("loss: expected kl, ce and hidden of 0 beside ctc, alignment or "
                                   "distillation"));
  CHECK(load(yaml + "loss: {alignment: 1}\n").loss ==
        LossOptions{.kl = 0.0, .ce = 0.0, .hidden = 0.0, .alignment = 1.0});
  const Recipe taught = load(yaml + "loss: {distillation: 1}\n", {"train.teacher=t"});
  CHECK(taught.train.teacher == "t");
  CHECK(load(to_yaml(taught)) == taught);
}

TEST_CASE("the cache of features has a place and a bound", "[recipe]") {
  const Recipe recipe = load(kLeast, {"train.feature_cache={path: f, max_gib: 0.5}"});
  CHECK(recipe.train.feature_cache == FeatureCacheOptions{"f", 0.5});
  CHECK(load(to_yaml(recipe)) == recipe);
  CHECK(load(kLeast).train.feature_cache == FeatureCacheOptions{"", 4.0});
}

TEST_CASE("modules that are named narrow what a quantized run trains", "[recipe]") {
  const Recipe recipe =
      load(kLeast + "quantize: {calibration: {num_samples: 3}}\n", {"train.modules=[a, 're:b']"});
  CHECK(recipe.quantizes());
  CHECK(recipe.train.modules == std::vector<std::string>{"a", "re:b"});
  CHECK(recipe.loss.kl == 1.0);
  CHECK(load(to_yaml(recipe)) == recipe);
}

TEST_CASE("the recipes of the project load", "[recipe]") {
  for (const char* name :
       {"quickstart", "design_literal", "own_model", "own_alignment", "own_conformer",
        "smollm2_w8a8_dynamic", "smollm2_w4a8", "smollm2_mixed"}) {
    const Recipe recipe = load_recipe(fmt::format("recipes/{}.yaml", name));
    CHECK(load(to_yaml(recipe)) == recipe);
  }
  CHECK(load_recipe("recipes/quickstart.yaml").correction == modules::CorrectionOptions{});
  CHECK(load_recipe("recipes/design_literal.yaml").correction.beta ==
        modules::CorrectionBeta::kScalar);
  const Recipe dynamic = load_recipe("recipes/smollm2_w8a8_dynamic.yaml");
  CHECK(dynamic.quantize.config_groups.front().input_activations == quant::kTokenInt8);
}

TEST_CASE("an override wins over the file, which wins over the default", "[recipe][override]") {
  const Recipe recipe =
      load(kLeast + "loss: {kl: 3, ce: 4}\n",
           {"loss.kl=5", "quantize.config_groups.decoder.input_activations.observer=moving_average",
            "correction.ignore=[a, b]", "num_threads=2", "data.train=elsewhere"});
  CHECK(recipe.loss.kl == 5);
  CHECK(recipe.loss.ce == 4);
  CHECK(recipe.quantize.config_groups.at(0).name == "decoder");
  CHECK(recipe.quantize.config_groups.at(0).input_activations->observer ==
        quant::ObserverKind::kMovingAverage);
  CHECK(recipe.correction.ignore == std::vector<std::string>{"a", "b"});
  CHECK(recipe.num_threads == 2);
  CHECK(recipe.data.train == "elsewhere");
}

TEST_CASE("a mistake in an override is named by its key", "[recipe][override]") {
  CHECK(mistakes(kLeast, {"train.max_steps=0"}) ==
        "--set train.max_steps: expected an integer from 1 to 1000000000, got 0");
  CHECK(mistakes(kLeast, {"trian.max_steps=5"}) ==
        "--set trian: unknown key, the nearest known one is train");
  CHECK(mistakes(kLeast, {"quantize.config_groups.decoder.weights.num_bits=5"}) ==
        "--set quantize.config_groups.decoder.weights.num_bits: expected 3, 4, 6 or 8, got 5");
  CHECK(mistakes("model: {path: m}\ntrain: {output_dir: o}\n", {"data.window=64"}) ==
        "r.yaml:1:1: data.train: expected a path, got nothing");
}

TEST_CASE("all mistakes are told at once, in the file's order", "[recipe]") {
  CHECK(
      mistakes(R"(model:
  path: m
  dtype: int8
data: {train: d, windows: 64}
quantize:
  config_groups:
    decoder:
      weights: {num_bits: 7}
train:
  max_step: 5
  learning_rate: 0.001
  max_step: 6
seed: -1
)",
               {"loss.kl=much"}) ==
      "--set loss.kl: expected a number of at least 0, got much\n"
      "r.yaml:3:10: model.dtype: expected bfloat16, float16 or float32, got int8\n"
      "r.yaml:4:18: data.windows: unknown key, the nearest known one is window\n"
      "r.yaml:8:27: quantize.config_groups.decoder.weights.num_bits: expected 3, 4, 6 or 8, got 7\n"
      "r.yaml:10:3: train.output_dir: expected a path, got nothing\n"
      "r.yaml:10:3: train.max_step: unknown key, the nearest known one is max_steps\n"
      "r.yaml:11:18: train.learning_rate: expected keys with values, got 0.001\n"
      "r.yaml:12:3: train.max_step: given twice, first in line 10\n"
      "r.yaml:12:3: train.max_step: unknown key, the nearest known one is max_steps\n"
      "r.yaml:13:7: seed: expected an integer of at least 0, got -1");
}

TEST_CASE("missing sections and keys are named", "[recipe]") {
  CHECK(mistakes("") ==
        "r.yaml:1:1: model.path: expected a path, got nothing\n"
        "r.yaml:1:1: data.train: expected a path, got nothing\n"
        "r.yaml:1:1: train.output_dir: expected a path, got nothing");
  CHECK(mistakes("model: {path: }\ndata: {train: d}\ntrain: {output_dir: o}\n") ==
        "r.yaml:1:8: model.path: expected a path, got nothing");
}

TEST_CASE("values of the wrong type are refused", "[recipe]") {
  CHECK(mistakes("- a\n") == "r.yaml:1:1: expected keys with values, got a list");
  CHECK(mistake_in("device: gpu\n") ==
        "r.yaml:4:9: device: expected auto, cpu, cuda or cuda:N, got gpu");
  CHECK(mistake_in("seed: '5'\n") ==
        "r.yaml:4:7: seed: expected an integer of at least 0, got \"5\"");
  CHECK(mistake_in("seed: 5.0\n") ==
        "r.yaml:4:7: seed: expected an integer of at least 0, got 5.0");
  CHECK(mistake_in("seed: 9223372036854775808\n") ==
        "r.yaml:4:7: seed: expected an integer of at least 0, got 9223372036854775808");
  CHECK(mistake_in("loss: {kl: .nan}\n") ==
        "r.yaml:4:12: loss.kl: expected a number of at least 0, got .nan");
  CHECK(mistake_in("loss: {kl: nan}\n") ==
        "r.yaml:4:12: loss.kl: expected a number of at least 0, got nan");
  CHECK(mistake_in("loss: {kl: [1]}\n") ==
        "r.yaml:4:12: loss.kl: expected a number of at least 0, got a list");
  CHECK(mistake_in("quantize: {ignore: lm_head}\n") ==
        "r.yaml:4:20: quantize.ignore: expected a list, as [a, b], got lm_head");
  CHECK(mistake_in("quantize: {ignore: [a, {b: c}]}\n") ==
        "r.yaml:4:24: quantize.ignore[1]: expected a text of at most 500 bytes, got keys with "
        "values");
  CHECK(mistake_in("export: {output_dir: ''}\n") ==
        "r.yaml:4:22: export.output_dir: expected a path, got \"\"");
  CHECK(mistakes("model: {path: m}\ndata: {train: d}\ntrain: {output_dir: o, control: yes}\n") ==
        "r.yaml:3:33: train.control: expected true or false, got yes");
}

TEST_CASE("a pattern that is too long is refused before it is tried", "[recipe]") {
  const std::string pattern = std::string("re:").append(100'000, '(');
  CHECK_THAT(mistake_in("quantize: {ignore: ['" + pattern + "']}\n"),
             Catch::StartsWith("r.yaml:4:21: quantize.ignore[0]: expected a text of at most 500"));
}

TEST_CASE("numbers out of range are refused", "[recipe]") {
  CHECK(mistake_in("quantize: {calibration: {num_samples: 0}}\n") ==
        "r.yaml:4:39: quantize.calibration.num_samples: "
        "expected an integer from 1 to 1000000000, got 0");
  CHECK(mistake_in("loss: {kl: inf}\n") ==
        "r.yaml:4:12: loss.kl: expected a number of at least 0, got inf");
  CHECK(mistakes(kLeast, {"train.warmup_ratio=1.5"}) ==
        "--set train.warmup_ratio: expected a number from 0 to 1, got 1.5");
  CHECK(mistakes(kLeast, {"train.max_grad_norm=0"}) ==
        "--set train.max_grad_norm: expected a number above 0, got 0");
  CHECK(mistakes(kLeast, {"data.window=1"}) ==
        "--set data.window: expected an integer from 2 to 1048576, got 1");
}

TEST_CASE("schemes that do not exist yet are refused with those that do", "[recipe]") {
  const auto in_group = [](const std::string& key) {
    return mistakes(kLeast, {"quantize.config_groups.g." + key});
  };
  const std::string g = "--set quantize.config_groups.g.";
  CHECK(in_group("weights.type=float") == g + "weights.type: expected int, got float");
  CHECK(in_group("weights.strategy=tensor") ==
        g + "weights.strategy: expected channel or group, got tensor");
  CHECK(in_group("weights.num_bits=5") == g + "weights.num_bits: expected 3, 4, 6 or 8, got 5");
  CHECK(in_group("weights={strategy: group, group_size: 48}") ==
        g + "weights.group_size: expected 32, 64 or 128, got 48");
  CHECK(in_group("input_activations.strategy=group") ==
        g + "input_activations.strategy: expected tensor or token, got group");
  CHECK(in_group("input_activations.observer=percentile") ==
        g + "input_activations.observer: expected minmax or moving_average, got percentile");
}

TEST_CASE("weights have 3 to 8 bits, by channel or group, with or without zero points",
          "[recipe]") {
  const auto weights_in = [](const std::string& keys) {
    const Recipe recipe =
        load(kLeast + "quantize: {config_groups: {g: {weights: {" + keys + "}}}}\n");
    CHECK(load(to_yaml(recipe)) == recipe);
    return recipe.quantize.config_groups.front().weights;
  };
  quant::QuantArgs expected = quant::kWeightInt8;
  expected.num_bits = 3;
  CHECK(weights_in("num_bits: 3") == expected);
  expected.num_bits = 6;
  expected.symmetric = false;
  CHECK(weights_in("num_bits: 6, symmetric: false") == expected);
  expected.strategy = quant::Strategy::kGroup;
  expected.group_size = 32;
  CHECK(weights_in("num_bits: 6, symmetric: false, strategy: group, group_size: 32") == expected);
  expected.group_size = 128;
  CHECK(weights_in("num_bits: 6, symmetric: false, strategy: group") == expected);

  const std::string weights = "quantize.config_groups.g.weights";
  const auto mistake_of = [&](const std::string& keys) {
    return mistake_in("quantize: {config_groups: {g: {weights: {" + keys + "}}}}\n");
  };
  CHECK(mistake_of("symmetric: false") ==
        "r.yaml:4:41: " + weights + ": expected symmetric: true with num_bits: 8, got false");
  CHECK(mistake_of("group_size: 32") ==
        "r.yaml:4:54: " + weights +
            ".group_size: expected nothing, since strategy: channel has no groups, got 32");
}

TEST_CASE("inputs that are null stay in float", "[recipe]") {
  const Recipe recipe =
      load(kLeast +
           "quantize: {config_groups: {g: {weights: {num_bits: 4}, input_activations: null}}}\n");
  CHECK_FALSE(recipe.quantize.config_groups.front().input_activations);
  CHECK_THAT(to_yaml(recipe), Catch::Contains("input_activations: null\n"));
  CHECK(load(to_yaml(recipe)) == recipe);
  const Recipe by_override = load(kLeast, {"quantize.config_groups.g.input_activations=null"});
  CHECK_FALSE(by_override.quantize.config_groups.front().input_activations);
  CHECK(mistakes(kLeast, {"quantize.config_groups.g.input_activations=none"}) ==
        "--set quantize.config_groups.g.input_activations: expected keys with values, got none");
}

TEST_CASE("inputs are static per tensor or dynamic per token", "[recipe]") {
  const std::string by_token =
      "quantize:\n  config_groups:\n    g:\n      input_activations: {strategy: token, dynamic: "
      "true";
  const Recipe recipe = load(kLeast + by_token + "}\n");
  CHECK(recipe.quantize.config_groups.front().input_activations == quant::kTokenInt8);
  CHECK(load(to_yaml(recipe)) == recipe);
  CHECK(load(kLeast + by_token + ", observer: null}\n") == recipe);
  const std::string inputs = "quantize.config_groups.g.input_activations";
  CHECK(mistake_in(by_token + ", observer: minmax}\n") ==
        "r.yaml:7:69: " + inputs +
            ".observer: expected nothing, since dynamic scales are not observed, got minmax");
  const auto mistake_of = [&](const std::string& keys) {
    return mistake_in("quantize: {config_groups: {g: {input_activations: {" + keys + "}}}}\n");
  };
  const std::string place = "r.yaml:4:51: " + inputs + ": expected ";
  CHECK(mistake_of("strategy: token") == place + "dynamic: true with strategy: token, got false");
  CHECK(mistake_of("dynamic: true") == place + "dynamic: false with strategy: tensor, got true");
}

TEST_CASE("smoothing has one strength or searches, and none unless asked for", "[recipe]") {
  CHECK_FALSE(load(kLeast).quantize.smoothing);
  CHECK(load(kLeast + "quantize: {smoothing: {}}\n").quantize.smoothing ==
        quant::SmoothingOptions{.strength = 0.75, .search = false});
  CHECK(load(kLeast + "quantize: {smoothing: {search: true}}\n").quantize.smoothing ==
        quant::SmoothingOptions{.search = true});
  CHECK(mistake_in("quantize: {smoothing: {search: true, strength: 0.5}}\n") ==
        "r.yaml:4:48: quantize.smoothing.strength: expected nothing, since search: true finds it, "
        "got 0.5");
  CHECK(mistake_in("quantize: {smoothing: {strength: 2}}\n") ==
        "r.yaml:4:34: quantize.smoothing.strength: expected a number from 0 to 1, got 2");
}

TEST_CASE("operands of attention are static a head", "[recipe]") {
  CHECK(mistake_in("quantize: {kv_cache_scheme: {strategy: tensor}}\n") ==
        "r.yaml:4:40: quantize.kv_cache_scheme.strategy: expected attn_head, got tensor");
  CHECK(mistake_in("quantize: {attention_scheme: {dynamic: true}}\n") ==
        "r.yaml:4:40: quantize.attention_scheme.dynamic: expected false, got true");
}

TEST_CASE("what does not fit together is refused", "[recipe]") {
  CHECK(mistakes(kLeast, {"data.split={train: 0.8, selection: 0.1, test: 0.2}"}) ==
        "--set data.split: expected shares that sum to 1, got 1.1");
  CHECK(mistake_in("loss: {kl: 0, hidden: 0}\n") ==
        "r.yaml:4:7: loss: expected kl, ce, hidden, ctc, alignment or distillation above 0, got 0 "
        "for "
        "each");
  CHECK(mistakes(kLeast, {"train.learning_rate={corrections: 0}"}) ==
        "--set train.learning_rate: expected one of its rates above 0, got 0 for each");
  CHECK(mistake_in("quantize: {config_groups: {}}\n") ==
        "r.yaml:4:27: quantize.config_groups: expected at least one group, got none");
  CHECK(mistake_in("quantize: {config_groups: {g: {targets: []}}}\n") ==
        "r.yaml:4:31: quantize.config_groups.g: expected at least one target, got none");
  CHECK(mistake_in("correction: {ignore: [a, 're:(']}\n") ==
        "r.yaml:4:26: correction.ignore[1]: regular expression '(': missing closing parenthesis");
  CHECK(mistake_in("quantize: {config_groups: {g: {targets: ['re:(?x)a']}}}\n") ==
        "r.yaml:4:42: quantize.config_groups.g.targets[0]: regular expression '(?x)a': (?x is not "
        "supported");
}

TEST_CASE("a check keeps quiet where a key it needs is wrong already", "[recipe]") {
  CHECK(mistakes(kLeast, {"data.split={train: x, selection: 0.1, test: 0.1}"}) ==
        "--set data.split.train: expected a number above 0, got x");
}

TEST_CASE("a recipe that is no file or too large is a usage error", "[recipe]") {
  CHECK_THROWS_AS(load_recipe("no/such/recipe.yaml"), UsageError);
  CHECK_THROWS_WITH(load_recipe("no/such/recipe.yaml"),
                    Catch::StartsWith(std::filesystem::absolute("no/such/recipe.yaml").string()));
  CHECK_THROWS_AS(load_recipe("recipes"), UsageError);
  CHECK_THROWS_WITH(load_recipe("/dev/zero"), "/dev/zero: expected a file, got a device or pipe");
  const RecipeFile large(std::string((1 << 20) + 1, '#'));
  CHECK_THROWS_AS(load_recipe(large.path()), UsageError);
  CHECK_THROWS_WITH(load_recipe(large.path()),
                    Catch::EndsWith("r.yaml: expected at most 1048576 bytes, got 1048577"));
}

TEST_CASE("a scheme copied from an export is taken where it says what is done anyway",
          "[recipe][copied]") {
  // The words of compressed-tensors 0.20, of older ones and ours.
  const std::string config = R"({
    "config_groups": {"group_0": {
      "targets": ["Linear"],
      "weights": {"num_bits": 8, "type": "int", "symmetric": true, "group_size": null,
                  "strategy": "channel", "block_structure": null, "dynamic": false,
                  "actorder": null, "scale_dtype": null, "zp_dtype": null, "observer": "minmax",
                  "observer_kwargs": {}},
      "input_activations": {"num_bits": 8, "type": "int", "symmetric": true, "group_size": null,
                            "strategy": "token", "block_structure": null, "dynamic": true,
                            "actorder": null, "observer": "memoryless", "observer_kwargs": {}},
      "output_activations": null,
      "format": "int-quantized"}},
    "format": "int-quantized",
    "global_compression_ratio": 1.5,
    "ignore": ["lm_head"],
    "kv_cache_scheme": null,
    "moe_sparsity_config": null,
    "quant_method": "compressed-tensors",
    "quantization_status": "compressed",
    "sparsity_config": {},
    "transform_config": {},
    "version": "0.12.2"})";
  const Recipe recipe = load(kLeast, {"quantize=" + config});
  REQUIRE(recipe.quantize.config_groups.size() == 1);
  const quant::ConfigGroup& group = recipe.quantize.config_groups.front();
  CHECK(group.weights == quant::kWeightInt8);
  CHECK(group.input_activations == quant::kTokenInt8);
  CHECK(load(to_yaml(recipe)) == recipe);
  CHECK_THAT(to_yaml(recipe), !Catch::Contains("actorder"));
}

TEST_CASE("what a copied scheme says that is not done is refused with the reason",
          "[recipe][copied]") {
  const auto refuses = [](const std::string& override, const std::string& expected) {
    INFO(override);
    const std::string key = override.substr(0, override.find('='));
    CHECK_THAT(mistakes(kLeast, {override}),
               Catch::StartsWith("--set " + key + ": expected " + expected));
  };
  const std::string group = "quantize.config_groups.g.", weights = group + "weights.",
                    inputs = group + "input_activations.";
  refuses(weights + "actorder=weight", "null, since codes are rounded to the nearest");
  refuses(weights + "block_structure=[128, 128]", "null, since no scale is a block's, got a list");
  refuses(weights + "observer=mse", "minmax, since weights' scales are their largest values'");
  refuses(weights + "observer_kwargs={averaging_constant: 0.1}", "{}, since no observer has");
  refuses(weights + "dynamic=true", "false, since weights are quantized once, got true");
  refuses(weights + "scale_dtype=torch.bfloat16", "null, since scales are float32");
  refuses(weights + "zp_dtype=torch.float8_e4m3fn", "null or torch.int8");
  refuses(inputs + "group_size=128", "nothing, since inputs have no groups");
  refuses(inputs + "actorder=group", "null, since codes");
  refuses(inputs + "dynamic=local", "true or false, got local");
  refuses(group + "output_activations={num_bits: 8}", "null, since outputs are not quantized");
  refuses(group + "format=pack-quantized", "null or int-quantized, as an export stores");
  refuses(group + "weights=null", "keys with values, since a group quantizes weights");
  refuses("quantize.format=float-quantized", "null or int-quantized");
  refuses("quantize.quant_method=gptq", "compressed-tensors, got gptq");
  refuses("quantize.sparsity_config={format: sparse-24-bitmask}", "null, since no weights are");
  refuses("quantize.transform_config={config_groups: {}}", "null, since nothing is rotated");
  refuses("quantize.kv_cache_scheme.group_size=32", "nothing, since heads have no groups");
}

TEST_CASE("the format of a copied scheme is that of its bits and inputs", "[recipe][copied]") {
  const auto quantize = [](const std::string& groups, const std::string& format) {
    return mistake_in("quantize: {config_groups: {" + groups + "}, format: " + format + "}\n");
  };
  const std::string packed = "a: {weights: {num_bits: 4}, format: pack-quantized}",
                    weight_only = "b: {input_activations: null, format: pack-quantized}",
                    bytes = "c: {format: int-quantized}";
  CHECK(quantize(packed + ", " + weight_only, "pack-quantized") == "");
  CHECK(quantize(packed + ", " + bytes, "mixed-precision") == "");
  CHECK_THAT(quantize(packed + ", " + bytes, "pack-quantized"),
             Catch::EndsWith("expected null or mixed-precision, as an export stores these weights, "
                             "got pack-quantized"));
}

TEST_CASE("true and False are YAML's and Python's, None is neither's null", "[recipe][words]") {
  const Recipe recipe = load(kLeast, {"train.control=False", "train.drop_corrections=TRUE",
                                      "quantize.config_groups.g.weights.symmetric=True",
                                      "quantize.config_groups.g.weights.dynamic=False",
                                      "quantize.kv_cache_scheme.dynamic=FALSE"});
  CHECK_FALSE(recipe.train.control);
  CHECK(recipe.train.drop_corrections);
  for (const char* word : {"yes", "no", "on", "off", "y", "tRUE", "1", "'true'", "None"}) {
    INFO(word);
    CHECK_THAT(mistakes(kLeast, {std::string("train.control=") + word}),
               Catch::StartsWith("--set train.control: expected true or false, got "));
  }
  const std::string none = "got None (in YAML: null)";
  for (const char* key : {"data.out_of_domain", "export.output_dir", "train.max_steps",
                          "quantize.kv_cache_scheme", "train.report_to"}) {
    INFO(key);
    CHECK_THAT(mistakes(kLeast, {std::string(key) + "=None"}), Catch::EndsWith(none));
  }
  CHECK(load(kLeast, {"export.output_dir='None'"}).export_.output_dir == "None");
}

TEST_CASE("numbers are decimal, and what readers of YAML differ in is refused", "[recipe][words]") {
  const Recipe recipe = load(kLeast, {"loss.kl=1e-3", "loss.ce=.5", "loss.hidden=2.", "seed=-0"});
  CHECK(recipe.loss.kl == 1e-3);
  CHECK(recipe.loss.ce == 0.5);
  CHECK(recipe.loss.hidden == 2);
  for (const char* number : {"010", "0o10", "0x10", "1_000", "1e3", "+5", "1,000", "1:30", "5.0",
                             "-010", "1e400", ".inf", "५"}) {
    INFO(number);
    CHECK_THAT(mistakes(kLeast, {std::string("train.max_steps=") + number}),
               Catch::Contains("train.max_steps: expected an integer"));
  }
  for (const char* number : {"01.5", "1_0.5", "0x1p3", "1e400", "1e-400", ".inf", "-.inf", ".nan",
                             "infinity", "nan(1)", "1,5", "1.5%"}) {
    INFO(number);
    CHECK_THAT(mistakes(kLeast, {std::string("loss.kl=") + number}),
               Catch::StartsWith("--set loss.kl: "));
  }
}

TEST_CASE("a path that only a shell would expand is refused", "[recipe][words]") {
  for (const char* path : {"~/run", "~", "$HOME/run", "${RUNS}/a"}) {
    INFO(path);
    CHECK_THAT(mistakes(kLeast, {fmt::format("train.output_dir='{}'", path)}),
               Catch::Contains("expected a path without ~ and $, which are not expanded"));
  }
  CHECK(load(kLeast, {"train.output_dir=./~/a$b"}).train.output_dir == "./~/a$b");
}

TEST_CASE("mistakes that show beside the model are told with their places", "[recipe][places]") {
  const RecipeFile file(kLeast + "quantize:\n  ignore: [lm_head, lm_haed]\n");
  const Recipe recipe = load_recipe(file.path(), {"correction.ignore=[a]"});
  const std::string path = file.path().string();
  try {
    refuse(recipe, {{"quantize.ignore[1]", "x"}, {"correction.ignore[0]", "y"}, {"loss.kl", "z"}});
    FAIL("not refused");
  } catch (const UsageError& error) {
    CHECK(error.what() == "--set correction.ignore[0]: y\n" + path + ":1:1: loss.kl: z\n" + path +
                              ":5:21: quantize.ignore[1]: x");
  }
  CHECK_THROWS_WITH(refuse(Recipe{}, {{"a.b", "x"}, {"c", "y"}}), "a.b: x\nc: y");
}

TEST_CASE("inputs may have 4 or 8 bits, operands of attentions 8", "[recipe]") {
  const std::string g = "quantize.config_groups.group_0.input_activations.num_bits";
  const Recipe recipe = load(kLeast, {g + "=4"});
  CHECK(recipe.quantize.config_groups.front().input_activations->num_bits == 4);
  CHECK(mistakes(kLeast, {g + "=6"}) == "--set " + g + ": expected 4 or 8, got 6");
  CHECK(mistakes(kLeast, {"quantize.attention_scheme.num_bits=4"}) ==
        "--set quantize.attention_scheme.num_bits: expected 8, got 4");
}

TEST_CASE("calibration on text alone leaves no scale a modality", "[recipe]") {
  CHECK(load(kLeast, {"quantize.calibration.text_only=true"}).quantize.calibration.text_only);
  CHECK(mistake_in("quantize: {modality_scales: separate, calibration: {text_only: true}}\n") ==
        "r.yaml:4:11: quantize: expected modality_scales: shared with calibration.text_only: true, "
        "got separate");
}

TEST_CASE("a loss that no sample counts in is refused", "[recipe]") {
  CHECK(mistake_in("loss: {modality: {text: 0, image: 0, audio: 0}}\n") ==
        "r.yaml:4:18: loss.modality: expected one weight above 0, got 0 for each");
}
