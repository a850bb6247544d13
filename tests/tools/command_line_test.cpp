#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "modules/ops/bfloat16_products.h"
#include "quant/ops/onednn_linear.h"
#include "tests/support/catch.h"
#include "tests/support/plain_file.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;
using Catch::Contains;
using Catch::EndsWith;
using Catch::StartsWith;
namespace fs = std::filesystem;

namespace {

constexpr const char* kCommands[] = {"plan",   "calibrate", "train",  "evaluate",
                                     "export", "generate",  "inspect"};

Arguments set(const std::string& override) { return {"--set", override}; }

/// The text behind the progress: "dualpath: " and one line.
std::string only_line(const ProgramEnd& end) {
  constexpr std::string_view kName = "dualpath: ";
  const std::size_t start = end.err.find(kName);
  const std::string said = start == end.err.npos ? "" : end.err.substr(start + kName.size());
  const bool one_line = std::ranges::count(said, '\n') == 1 && said.ends_with('\n');
  return one_line ? said.substr(0, said.size() - 1) : "not one line: " + end.err;
}

/// The one line of a command that must fail with `code` before it writes anything.
std::string refusal(const TinyRun& run, const ProgramEnd& end, int code) {
  CHECK(end.code == code);
  CHECK(end.out == "");
  CHECK_FALSE(fs::exists(run / "run"));
  CHECK_FALSE(fs::exists(run / "export"));
  return only_line(end);
}

/// A model directory as `model`, to be damaged.
void copy_model(const TinyRun& run) {
  const fs::path source = fs::canonical(run / "model");
  fs::remove(run / "model");
  fs::copy(source, run / "model");
}

/// Makes the first value of a float32 tensor of `model` NaN.
void poison(const TinyRun& run, const std::string& tensor) {
  copy_model(run);
  const fs::path path = run / "model" / "model.safetensors";
  std::string file = read_file(path);
  std::uint64_t header_size = 0;
  std::memcpy(&header_size, file.data(), sizeof(header_size));
  const auto header = nlohmann::json::parse(file.substr(8, header_size));
  const std::size_t offset = header[tensor]["data_offsets"][0];
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(file.data() + 8 + header_size + offset, &nan, sizeof(nan));
  write_plain(path, file);
}

}  // namespace

TEST_CASE("every command shows an example in its help", "[tools][usage]") {
  for (const std::string command : kCommands) {
    const ProgramEnd end = run_dualpath({command, "--help"});
    CHECK(end.code == 0);
    CHECK_THAT(end.out, Contains("Example:\n  dualpath " + command + " "));
    CHECK_THAT(run_dualpath({"--help"}).out, Contains("\n  " + command + " "));
  }
}

TEST_CASE("the version is printed by itself", "[tools][usage]") {
  const ProgramEnd end = run_dualpath({"--version"});
  CHECK(end.code == 0);
  CHECK_THAT(end.out, StartsWith("dualpath ") && EndsWith("\n"));
}

TEST_CASE("what is no command or lacks its argument is a usage error", "[tools][usage]") {
  CHECK(run_dualpath({}).code == 2);
  CHECK(run_dualpath({"trian"}).code == 2);
  for (const char* command : kCommands) CHECK(run_dualpath({command}).code == 2);
  CHECK(run_dualpath({"plan", "a.yaml", "--jsn"}).code == 2);
}

TEST_CASE("a missing recipe is a usage error that shows the full path", "[tools][usage]") {
  const ProgramEnd end = run_dualpath({"train", "no/such.yaml"});
  CHECK(end.code == 2);
  CHECK_THAT(only_line(end), StartsWith(fs::absolute("no/such.yaml").string() + ": "));
}

TEST_CASE("a recipe's mistakes are told with file, line and column, all at once",
          "[tools][usage]") {
  const TinyRun run;
  write_plain(run / "recipe.yaml",
              "model: {path: model}\ndata: {train: book.jsonl, windw: 3}\n"
              "train: {output_dir: run, max_steps: none}\n");
  const ProgramEnd end = run.run("train");
  CHECK(end.code == 2);
  CHECK(end.err ==
        "dualpath: recipe.yaml:2:27: data.windw: unknown key, the nearest known one is window\n"
        "recipe.yaml:3:37: train.max_steps: expected an integer from 1 to 1000000000, got none\n");
  CHECK_FALSE(fs::exists(run / "run"));
}

TEST_CASE("CUDA that is asked for and missing is one line", "[tools][refusal]") {
  const TinyRun run;
  const std::string command = GENERATE("plan", "calibrate", "train", "evaluate", "export");
  const ProgramEnd end = run.run(command, {"--set", "device=cuda:63"});
  CHECK(end.code == 1);
  CHECK_THAT(only_line(end), StartsWith("device: cuda:63 asked for, but "));
  CHECK_FALSE(fs::exists(run / "run"));
}

TEST_CASE("a mistake in the model is one line, and nothing is written", "[tools][refusal]") {
  const TinyRun run;
  SECTION("no such path") {
    CHECK_THAT(refusal(run, run.run("train", set("model.path=absent")), 1),
               StartsWith((run / "absent").string() + ": no such model"));
  }
  SECTION("no model file") {
    CHECK_THAT(refusal(run, run.run("train", set("model.path=book.jsonl")), 1),
               Contains("book.jsonl: expected a Hugging Face directory or a .gguf file"));
  }
  SECTION("an empty directory") {
    fs::create_directory(run / "empty");
    CHECK_THAT(refusal(run, run.run("train", set("model.path=empty")), 1),
               Contains("empty/config.json"));
  }
  SECTION("a config.json that is no JSON") {
    copy_model(run);
    write_plain(run / "model" / "config.json", "{\"hidden_size\": ");
    CHECK_THAT(refusal(run, run.run("train"), 1), Contains("model/config.json"));
  }
  SECTION("a config.json without a key") {
    copy_model(run);
    write_plain(run / "model" / "config.json",
                R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama"})");
    CHECK_THAT(refusal(run, run.run("train"), 1), Contains("model/config.json: "));
  }
  SECTION("weights cut short") {
    copy_model(run);
    fs::resize_file(run / "model" / "model.safetensors", 100'000);
    CHECK_THAT(refusal(run, run.run("train"), 1), Contains("model/model.safetensors: "));
  }
}

TEST_CASE("a mistake in the texts is one line, and nothing is written", "[tools][refusal]") {
  const TinyRun run;
  SECTION("no such file") {
    CHECK_THAT(refusal(run, run.run("train", set("data.train=absent.txt")), 1),
               Contains("absent.txt"));
  }
  SECTION("empty") {
    write_plain(run / "book.jsonl", "\n");
    CHECK(refusal(run, run.run("train"), 1) == "book.jsonl: there is no text in it");
  }
  SECTION("not UTF-8") {
    write_plain(run / "other.jsonl", "{\"text\": \"fine\"}\n{\"text\": \"caf\xe9\"}\n");
    CHECK(refusal(run, run.run("train"), 1) == "other.jsonl:2: byte 14 is not UTF-8 (0xe9)");
  }
  SECTION("not JSON") {
    write_plain(run / "book.jsonl", "text\n");
    CHECK_THAT(refusal(run, run.run("train"), 1),
               StartsWith("book.jsonl:1:") && Contains("not valid JSON"));
  }
  SECTION("shorter than a window") {
    write_plain(run / "book.jsonl", R"({"text": "the"}
{"text": "a"}
{"text": "text"})");
    CHECK_THAT(refusal(run, run.run("train"), 1),
               StartsWith("book.jsonl:1: ") && EndsWith(" tokens, but one window needs 32"));
  }
  SECTION("too few documents to split") {
    write_plain(run / "book.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
    CHECK_THAT(refusal(run, run.run("train"), 1), Contains("expected at least 3 documents"));
  }
}

TEST_CASE(
    "Windows longer than the model's positions are a recipe error, before anything is written",
    "[tools][refusal]") {
  const TinyRun run;
  for (const char* command : {"plan", "train"}) {
    CHECK(refusal(run, run.run(command, set("data.window=513")), 2) ==
          "--set data.window: expected at most 512, the model's max_position_embeddings, got 513");
  }
  CHECK(!std::filesystem::exists(run / "run"));
}

TEST_CASE("a target that names no linear is a recipe error with the nearest name",
          "[tools][refusal]") {
  const TinyRun run;
  const ProgramEnd end = run.run("plan", set("quantize.ignore=[lm_haed]"));
  CHECK_THAT(refusal(run, end, 2),
             StartsWith("--set quantize.ignore[0]: \"lm_haed\" matches no linear; nearest: "));
}

TEST_CASE("targets that match nothing are told with file, line and column, all at once",
          "[tools][refusal]") {
  const TinyRun run;
  write_plain(run / "recipe.yaml",
              "model: {path: model}\ndata: {train: book.jsonl}\ntrain: {output_dir: run}\n"
              "correction: {ignore: [model.layer.0]}\n"
              "quantize:\n  config_groups:\n    g:\n      targets: [Linear, 're:.*mpl.*']\n");
  const ProgramEnd end = run.run("plan", set("quantize.ignore=[lm_head, lm_haed]"));
  CHECK(end.code == 2);
  CHECK(end.err ==
        "dualpath: --set quantize.ignore[1]: \"lm_haed\" matches no linear; nearest: lm_head\n"
        "recipe.yaml:4:23: correction.ignore[0]: \"model.layer.0\" matches no stage with a "
        "quantized linear; nearest: model.layers.0\n"
        "recipe.yaml:8:25: quantize.config_groups.g.targets[1]: \"re:.*mpl.*\" matches no linear; "
        "nearest to mpl: mlp\n");
}

TEST_CASE("a mistake in the texts does not bind the run directory to its recipe",
          "[tools][refusal]") {
  const TinyRun run;
  for (const char* command : {"calibrate", "train", "evaluate", "export"}) {
    CHECK(run.run(command, set("data.out_of_domain=none.jsonl")).code == 1);
  }
  CHECK(run.run("calibrate").code == 0);
}

TEST_CASE("evaluate and export say which command has to come first", "[tools][refusal]") {
  const TinyRun run;
  for (const char* command : {"evaluate", "export"}) {
    const ProgramEnd end = run.run(command);
    CHECK(end.code == 1);
    CHECK_THAT(only_line(end), StartsWith("run: no run there; run `dualpath calibrate`"));
  }
}

TEST_CASE("export without a place to write is a recipe error", "[tools][refusal]") {
  const TinyRun run;
  const ProgramEnd end = run.run("export", set("export={}"));
  CHECK(end.code == 2);
  CHECK(only_line(end) == "--set export.output_dir: expected a directory to write, got nothing");
}

TEST_CASE("export does not replace a directory that is no export", "[tools][refusal]") {
  const TinyRun run;
  run.done("calibrate");
  fs::create_directory(run / "thesis");
  write_plain(run / "thesis/chapter.tex", "somebody's work");
  const ProgramEnd end = run.run("export", set("export.output_dir=thesis"));
  CHECK(end.code == 1);
  CHECK(only_line(end) ==
        "thesis: expected a new directory or an older export to replace, but it holds something "
        "else: chapter.tex");
  CHECK(fs::exists(run / "thesis/chapter.tex"));
}

TEST_CASE("nothing is written beside the inputs of a run", "[tools][refusal]") {
  const TinyRun run;
  copy_model(run);
  const std::string key = GENERATE("train", "export");
  const ProgramEnd end = run.run("train", set(key + ".output_dir=model"));
  CHECK(refusal(run, end, 2) == "--set " + key +
                                    ".output_dir: expected a directory of its own, but model is "
                                    "model.path (model)");
  CHECK_FALSE(fs::exists(run / "model/recipe.resolved.yaml"));
}

TEST_CASE("a value that is not finite stops the work and is named", "[tools][refusal]") {
  const TinyRun run;
  SECTION("in a weight, by its name") {
    poison(run, "model.layers.1.mlp.down_proj.weight");
    CHECK_THAT(only_line(run.run("calibrate")),
               StartsWith("model.layers.1.mlp.down_proj.weight: 1 of ") &&
                   EndsWith(" values are not finite in the model's file"));
  }
  SECTION("in a weight that no quantized linear comes after") {
    poison(run, "model.norm.weight");  // no quantized linear comes after it
    CHECK_THAT(only_line(run.run("train")), StartsWith("model.norm.weight: 1 of 64 values"));
  }
  CHECK_FALSE(fs::exists(run / "run/checkpoint-2"));
}

TEST_CASE("plan lists what is quantized and writes nothing", "[tools][plan]") {
  const TinyRun run;
  const auto plan = nlohmann::json::parse(run.done("plan", {"--json"}).out);
  CHECK(plan["sites"].size() == 3 * 7);
  CHECK(plan["groups"] == 3 * 4);
  CHECK(plan["ignored"] == nlohmann::json{"lm_head"});
  const auto& saved = plan["prediction"]["saved_for_backward"];
  CHECK(saved["bytes_per_token_and_layer"] >
        4 * saved["with_gradient_checkpointing"].get<double>());
  const std::string text = run.done("plan").out;
  CHECK_THAT(text, StartsWith("12 tensor groups; weights ") && Contains("\nin float: lm_head\n") &&
                       Contains("\nsaved for backward, a token and layer: ") &&
                       Contains(" (8.1 H)\n") &&  // 2 x 4H in float32, and a float
                       EndsWith(" model.layers.{0-2}.mlp.down_proj.input\n"));
  CHECK_THAT(run.done("plan", {"--all"}).out, Contains("\nmodel.layers.2.mlp.down_proj "));
  CHECK_FALSE(fs::exists(run / "run"));
}

TEST_CASE("plan folds what layers have alike, and shows a gap", "[tools][plan]") {
  const TinyRun run;
  const std::string text =
      run.done("plan", set("quantize.ignore=[lm_head, model.layers.1.mlp.up_proj]")).out;
  CHECK_THAT(text, Contains("\nmodel.layers.{0-2}.mlp.gate_proj ") &&
                       Contains("\nmodel.layers.{0,2}.mlp.up_proj ") &&
                       Contains("\nin float: model.layers.1.mlp.up_proj, lm_head\n"));
}

TEST_CASE("plan tells sizes and memory of GLM-4-9B from its config.json alone", "[tools][plan]") {
  const TinyRun run("", "glm4_9b");
  const Arguments bfloat16 = set("model.dtype=bfloat16");
  const auto plan = [&](Arguments more) {
    more.insert(more.end(), bfloat16.begin(), bfloat16.end());
    return run.done("plan", more).out;
  };
  const nlohmann::json found =
      nlohmann::json::parse(plan({"--json", "--set", "quantize.smoothing={strength: 0.5}"}));
  CHECK(found["from_config_alone"] == "model/config.json");
  CHECK(found["parameters"]["model"] == 9'400'279'040);
  // Each correction is 4096 -> 512 -> 4096 with a bias, an alpha and 4096 betas; 8 is the recipe's
  // reduction.
  CHECK(found["parameters"]["corrections"] == 40 * (2 * 4096 * 512 + 512 + 4096 + 1 + 4096));
  CHECK(found["sites"].size() == 40 * 6);
  CHECK(found["smoothed"].size() == 40 * 4);
  CHECK(found["bytes"]["fp"] == 2 * 9'400'279'040);
  // A layer holds codes, a scale for each output and one for each input.
  const std::int64_t codes = 40LL * 203'948'032, scales = 40LL * (40'192 + 6) * 4;
  // The rest is bfloat16, but for the two norms and the value bias: they carry folded scales in
  // float32.
  const std::int64_t rest = 2 * (9'400'279'040 - codes) + 2 * 40LL * (2 * 4096 + 256);
  CHECK(found["bytes"]["quantized"] == codes + scales + rest);
  CHECK(found["bytes"]["by_scheme"].size() == 2);
  CHECK(found["prediction"]["seconds"].is_null());
  const nlohmann::json& saved = found["prediction"]["saved_for_backward"];
  CHECK(saved["with_gradient_checkpointing"].get<double>() == Approx(4 * 4096 + 4).margin(0.5));
  // The least memory end to end is the sum of these. The model; codes, for oneDNN a second time,
  // and transposed for the way back; corrections with their moments; the head's table prepared both
  // ways where the processor has bfloat16; a small step and the process itself.
  const double table = dualpath::modules::has_bfloat16_products() ? 4.0 * 151'552 * 4'096 : 0.0;
  const double least = 2 * 9'400'279'040.0 +
                       (dualpath::quant::serves_onednn() ? 3.0 : 2.0) * static_cast<double>(codes) +
                       16.0 * found["parameters"]["corrections"].get<double>() + table;
  CHECK(found["predicted"]["end_to_end_bytes"] > least);
  CHECK(found["predicted"]["end_to_end_bytes"] < least + 1.5e9);
  // Block by block it is a layer, or the head, and the states between.
  CHECK(found["predicted"]["blockwise_bytes"] > table + 2.0 * 151'552 * 4'096);
  CHECK(found["predicted"]["blockwise_bytes"] < table + 4e9);

  CHECK_THAT(plan({}), Contains("\n9400279040 parameters; corrections ") &&
                           Contains("\nno weights beside model/config.json: sizes are those of the "
                                    "network it describes; predicted: peak memory of train at "
                                    "least "));
  for (const char* command : {"calibrate", "train", "evaluate", "export"}) {
    INFO(command);
    CHECK(refusal(run, run.run(command), 1) ==
          "model: holds config.json but no weights, and only plan does without: expected "
          "model.safetensors or model.safetensors.index.json");
  }
}

TEST_CASE("a correction that is ignored by a wrong name is found before the run begins",
          "[tools][plan]") {
  const TinyRun run;
  const ProgramEnd end = run.run("calibrate", {"--set", "correction.ignore=[model.layer.0]"});
  CHECK(end.code == 2);
  CHECK_THAT(only_line(end),
             StartsWith("--set correction.ignore[0]: ") && Contains("model.layers.0"));
  CHECK_FALSE(fs::exists(run / "run"));
}

TEST_CASE("a result that standard output has no room for is a failure", "[tools][output]") {
  const TinyRun run;
  const auto into_full = [&](const std::string& arguments) {
    return run_program(
        {{"/bin/sh", "-c", std::string(DUALPATH_PROGRAM) + " " + arguments + " >/dev/full"},
         run.path()});
  };
  for (const char* arguments :
       {"--version", "inspect model --json", "generate model --prompt a --max-tokens 1"}) {
    INFO(arguments);
    const ProgramEnd end = into_full(arguments);
    CHECK(end.code == 1);
    CHECK_THAT(only_line(end), StartsWith("standard output: cannot write the result: "));
  }
}

TEST_CASE("a path that is not UTF-8 is shown in JSON with the bytes replaced", "[tools][output]") {
  const TinyRun run;
  const std::string name = "lat\xe9";
  fs::create_directory_symlink(fs::canonical(run / "model"), run / name);
  const ProgramEnd end = run_dualpath({"inspect", (run / name).string(), "--json"});
  CHECK(end.code == 0);
  CHECK_THAT(nlohmann::json::parse(end.out)["path"].get<std::string>(), EndsWith("lat\ufffd"));
  CHECK(run_dualpath({"inspect", (run / name).string()}).code == 0);
}

TEST_CASE("a small stack is no crash", "[tools][output]") {
  const TinyRun run;
  const ProgramEnd end =
      run_program({{"/bin/sh", "-c",
                    "ulimit -s 128; exec " + std::string(DUALPATH_PROGRAM) + " plan recipe.yaml"},
                   run.path()});
  CHECK(end.signal == 0);
  CHECK(end.code == 0);
}

TEST_CASE("inspect shows files, metadata and a damaged checksum", "[tools][inspect]") {
  const TinyRun run;
  run.done("calibrate");
  const std::string file = (run / "run/calibration.safetensors").string();
  const auto found = nlohmann::json::parse(run_dualpath({"inspect", file, "--json"}).out);
  CHECK(found["kind"] == "safetensors");
  CHECK(found["tensors"].size() == 12 * 4);
  CHECK(found["versions"].contains("torch"));
  CHECK(found["versions"]["cuda"].is_null());
  CHECK_THAT(run_dualpath({"inspect", file}).out, Contains(".q_proj.input.scale "));
  CHECK_THAT(run_dualpath({"inspect", (run / "model").string()}).out, Contains("tokenizer.json"));

  std::string bytes = read_file(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_plain(file, bytes);
  const ProgramEnd damaged = run_dualpath({"inspect", file});
  CHECK(damaged.code == 1);
  CHECK_THAT(only_line(damaged), StartsWith(file + ": "));

  const ProgramEnd missing = run_dualpath({"inspect", "absent"});
  CHECK(missing.code == 1);
  CHECK(only_line(missing) == fs::absolute("absent").string() + ": no such file or directory");
}
