#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/plain_file.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;
using Catch::Contains;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const std::string kTied = "build/reference/tiny_llama/tied";

json greedy_of(const std::string& model) {
  const json all = json::parse(read_file("build/reference/generation.json"))["greedy"];
  return *std::ranges::find_if(all, [&](const json& g) { return g["model"] == model; });
}

ProgramEnd generate(Arguments arguments) {
  arguments.insert(arguments.begin(), "generate");
  return run_dualpath(arguments);
}

/// The last line that the command writes to stderr.
std::string last_line(const ProgramEnd& end) {
  const std::string text = end.err.substr(0, end.err.size() - 1);
  return text.substr(text.rfind('\n') + 1);
}

}  // namespace

TEST_CASE("generate prints what transformers says, and how fast", "[tools][generate]") {
  const json expected = greedy_of("tiny_llama/tied");
  const Arguments arguments{kTied, "--prompt", expected["prompt"], "--max-tokens", "48"};
  const ProgramEnd end = generate(arguments);
  CHECK(end.code == 0);
  CHECK(end.out == expected["text"].get<std::string>() + "\n");
  CHECK_THAT(end.err, Contains("fp: 48 tokens at ") &&
                          Contains(" tokens/s; prompt of 14 read in ") &&
                          Contains("end: max_tokens"));
}

TEST_CASE("SmolLM2 answers in a chat as it does in transformers", "[tools][generate][smollm2]") {
  const TinyRun run;  // a recipe is enough: fp needs no run
  const json expected = greedy_of("smollm2");
  const ProgramEnd end = run.run(
      "generate",
      {"--set", "model.path=" + fs::absolute("build/assets/smollm2-135m-instruct.gguf").string(),
       "--row", "fp", "--chat", "--prompt", expected["chat"], "--json"});
  INFO(end.err);
  REQUIRE(end.code == 0);
  const json said = json::parse(end.out);
  CHECK(said["prompt_tokens"] == expected["prompt_ids"].size());
  CHECK(said["rows"]["fp"]["tokens"] == expected["tokens"]);
  CHECK(said["rows"]["fp"]["text"] == expected["text"]);
  CHECK(said["rows"]["fp"]["finish"] == "stop_token");
}

TEST_CASE("a run speaks in each of its rows, without the texts it was made from",
          "[tools][generate]") {
  const TinyRun run;
  run.done("train");
  run.done("export");
  fs::remove(run / "book.jsonl");
  fs::remove(run / "other.jsonl");
  const Arguments ask{"--prompt", "the model reads", "--max-tokens", "12"};
  const auto with = [&](Arguments more) {
    more.insert(more.begin(), ask.begin(), ask.end());
    return more;
  };
  const json all = json::parse(run.done("generate", with({"--compare", "--json"})).out);
  CHECK(all["compared_with"] == "fp");
  std::vector<std::string> names;
  for (const auto& [name, row] : all["rows"].items()) {
    names.push_back(name);
    CHECK(row["tokens"].size() <= 12);
    CHECK(row["common_tokens"] <= row["tokens"].size());
  }
  CHECK(names == std::vector<std::string>{"corrected", "fp", "quantized"});
  CHECK(all["rows"]["fp"]["common_tokens"] == all["rows"]["fp"]["tokens"].size());
  CHECK(all["rows"]["fp"]["text"] != all["rows"]["quantized"]["text"]);

  const auto text = [&](const char* row) { return all["rows"][row]["text"].get<std::string>(); };
  CHECK(run.done("generate", with({})).out == text("corrected") + "\n");
  CHECK(run.done("generate", with({"--row", "quantized", "--row", "fp"})).out ==
        "--- quantized ---\n" + text("quantized") + "\n--- fp ---\n" + text("fp") + "\n");
  CHECK(run.done("generate", with({"--row", "control"})).code == 0);

  Program exported{{DUALPATH_PROGRAM, "generate", "export"}, run.path()};
  const Arguments both = with({"--compare", "--json"});
  exported.arguments.insert(exported.arguments.end(), both.begin(), both.end());
  const json there = json::parse(run_program(exported).out);
  for (const char* row : {"quantized", "corrected"})
    CHECK(there["rows"][row]["tokens"] == all["rows"][row]["tokens"]);

  const ProgramEnd unknown = run.run("generate", with({"--row", "smoothed"}));
  CHECK(unknown.code == 2);
  CHECK(last_line(unknown) ==
        "dualpath: --row: there is no smoothed here, only fp, quantized, "
        "corrected, control");
}

TEST_CASE("a seed draws the same text again, and a stop string ends it", "[tools][generate]") {
  const auto drawn = [](const std::string& seed) {
    return generate({kTied, "--prompt", "a", "--temperature", "1", "--top-k", "50", "--top-p",
                     "0.95", "--max-tokens", "16", "--seed", seed})
        .out;
  };
  CHECK(drawn("1") == drawn("1"));
  CHECK(drawn("1") != drawn("2"));
  const json expected = greedy_of("tiny_llama/tied");
  const ProgramEnd stopped = generate({kTied, "--prompt", expected["prompt"], "--max-tokens", "48",
                                       "--stop", "no such text", "--stop", "earP"});
  const auto whole = expected["text"].get<std::string>();
  CHECK(stopped.out == whole.substr(0, whole.find("earP")) + "\n");
  CHECK_THAT(stopped.err, Contains("end: stop_string"));
}

TEST_CASE("--chat writes the prompt as the model's template says", "[tools][generate]") {
  const TemporaryDirectory folder;
  const fs::path model = folder / "model";
  fs::copy(kTied, model);
  const auto asked = [&](Arguments more) {
    more.insert(more.begin(), {model.string(), "--prompt", "the", "--max-tokens", "4", "--json"});
    return generate(more);
  };
  const ProgramEnd none = asked({"--chat"});
  CHECK(none.code == 1);
  CHECK_THAT(last_line(none), Contains("the model has no chat template"));
  write_plain(model / "chat_template.jinja",
              "{% for m in messages %}{{ eos_token + m.content }}{% endfor %}");
  const auto prompt_tokens = [&](const Arguments& more) {
    return json::parse(asked(more).out)["prompt_tokens"].get<int>();
  };
  const int plain = prompt_tokens({});
  CHECK(prompt_tokens({"--chat"}) == plain + 1);
  CHECK(prompt_tokens({"--chat", "--system", "the"}) == 2 * (plain + 1));
  write_plain(model / "chat_template.jinja", "{{ raise_exception('no') }}");
  CHECK(last_line(asked({"--chat"})) ==
        "dualpath: chat_template:1: the template refuses this conversation: no");
}

TEST_CASE("what generate cannot do ends in one line", "[tools][generate]") {
  const TinyRun run;
  const auto refused = [](const ProgramEnd& end, int code) {
    CHECK(end.code == code);
    CHECK(end.out == "");
    return last_line(end);
  };
  const Arguments ask{"--prompt", "the"};
  CHECK_THAT(refused(run.run("generate", ask), 1), Contains("run: no run there; run `dualpath"));
  CHECK_THAT(refused(generate({"nowhere.gguf", "--prompt", "a"}), 1), Contains("no such model"));
  CHECK_THAT(refused(generate({"nowhere", "--prompt", "a"}), 2), Contains("nowhere"));
  CHECK_THAT(refused(generate({kTied, "--prompt", ""}), 1), Contains("no token to begin with"));
  CHECK_THAT(refused(generate({kTied, "--prompt", "a", "--set", "seed=1"}), 2),
             Contains("is a model, not a recipe"));
  CHECK_THAT(refused(generate({kTied, "--prompt", "a", "--set", "device=cuda:63"}), 1),
             Contains("device: cuda:63 asked for, but "));
  CHECK_THAT(refused(generate({kTied, "--prompt", "a", "--set", "device=gpu"}), 2),
             Contains("--set device: expected auto, cpu, cuda or cuda:N, got gpu"));
  CHECK_THAT(refused(generate({kTied, "--prompt", "a", "--stop", ""}), 2), Contains("--stop"));
  CHECK_THAT(refused(generate({kTied, "--prompt", "caf\xe9"}), 2),
             Contains("--prompt: byte 4 is not UTF-8"));
  CHECK_THAT(refused(generate({kTied, "--prompt", "a", "--row", "corrected"}), 2),
             Contains("there is no corrected here, only fp"));
  std::string longer;
  for (int i = 0; i < 600; ++i) longer += "a b ";
  CHECK_THAT(refused(generate({kTied, "--prompt", longer}), 1),
             Contains("the model's context is 512, the answer included"));
  for (const Arguments& bad : std::vector<Arguments>{{"--temperature", "-1"},
                                                     {"--temperature", "nan"},
                                                     {"--top-k", "-1"},
                                                     {"--top-p", "0"},
                                                     {"--top-p", "1.5"},
                                                     {"--max-tokens", "0"},
                                                     {"--seed", "x"},
                                                     {"--system", "without --chat"},
                                                     {"--compare", "--row", "fp"}}) {
    Arguments arguments{kTied, "--prompt", "a"};
    arguments.insert(arguments.end(), bad.begin(), bad.end());
    INFO(bad[0] << " " << bad.back());
    CHECK(generate(arguments).code == 2);
  }
}
