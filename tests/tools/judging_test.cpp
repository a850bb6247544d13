#include <nlohmann/json.hpp>

#include "data/files/file.h"
#include "tests/support/catch.h"
#include "tests/support/plain_file.h"
#include "tests/tools/tiny_run.h"

using namespace dualpath;
using namespace dualpath::testing;
using Catch::Contains;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// A small model with eyes and ears that answers questions, on parts of its own.
struct JudgedRun : TinyRun {
  JudgedRun() : TinyRun("model", "composition") {
    const fs::path source = fs::absolute("build/reference/composition");
    fs::remove(*this / "model");
    fs::copy(source / "model", *this / "model");
    write_plain(*this / "model/chat_template.jinja",
                "{% for m in messages %}{{ m.role }}: {% for part in m.content %}"
                "{{ part.text if part.type == 'text' else '<|' ~ part.type ~ '|>' }}{% endfor %}"
                "<|endoftext|>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}");
    for (const char* file : {"1.png", "3.png", "5.png", "2.wav", "6.wav", "7.wav"})
      fs::copy(source / file, *this / file);
    write("train.jsonl", 2);
    write("selection.jsonl", 1);
    write("test.jsonl", 3);
    write("more.jsonl", 2);
    write_plain(*this / "all.blend.json",
                R"({"sources": [{"path": "more.jsonl"}, {"path": "test.jsonl"}]})");
  }

  /// Writes so many rounds of three pictures, three clips and a text.
  void write(const std::string& name, int rounds) const {
    const auto text = [](const std::string& words) {
      return json{{"type", "text"}, {"text", words}};
    };
    std::string lines;
    const auto add = [&](const std::string& kind, const std::string& file,
                         const std::string& answer) {
      json question = json::array({text("What is it?")});
      if (!file.empty()) question.insert(question.begin(), json{{"type", kind}});
      json line{{"messages",
                 {{{"role", "user"}, {"content", question}},
                  {{"role", "assistant"}, {"content", json::array({text(answer)})}}}}};
      if (!file.empty()) line[kind == "image" ? "images" : "audio"] = json::array({file});
      lines += line.dump() + "\n";
    };
    for (int round = 0; round < rounds; ++round) {
      const std::string number = std::to_string(round);
      for (const char* file : {"1.png", "3.png", "5.png"})
        add("image", file, std::string("thing ") + file[0] + number);
      for (const char* file : {"2.wav", "6.wav", "7.wav"})
        add("audio", file, std::string("word ") + file[0] + " and " + number);
      add("", "", "nothing " + number);
    }
    write_plain(*this / name, lines);
  }

  json result(const std::string& command, Arguments more = {}) const {
    const Arguments settings{
        "--set",
        "data={train: train.jsonl, selection: selection.jsonl, test: test.jsonl, "
        "window: 256, assistant_only_loss: true}",
        "--set",
        "train.max_steps=2",
        "--set",
        "train.learning_rate={corrections: 1e-1}",
        "--set",
        "evaluate={sets: {more: all.blend.json}, max_answer_tokens: 6, num_answers: 9, "
        "bootstrap_samples: 100}",
        "--json"};
    more.insert(more.end(), settings.begin(), settings.end());
    return json::parse(done(command, more).out);
  }
};

}  // namespace

TEST_CASE("each modality is judged by its task, in every set", "[tools][multimodal][judge]") {
  const JudgedRun run;
  run.result("train");
  const json sets = run.result("evaluate")["sets"];
  CHECK(sets.size() == 2);
  for (const char* name : {"in_domain", "more"}) {
    INFO(name);
    const json& set = sets[name];
    CHECK(set.size() == 3);
    for (const char* row : {"fp", "quantized", "corrected", "control"}) {
      INFO(row);
      for (const char* metric : {"exact", "top1", "top5", "perplexity", "kl"})
        CHECK(set["image"][row].contains(metric));
      CHECK(set["image"]["intervals"][row]["top5"]["low"] <= set["image"][row]["top5"]);
      CHECK(set["image"]["intervals"][row]["top5"]["high"] >= set["image"][row]["top5"]);
      for (const char* metric : {"wer", "cer"}) CHECK(set["audio"][row][metric] > 0);
      CHECK_FALSE(set["audio"][row].contains("exact"));
      CHECK_FALSE(set["text"][row].contains("exact"));
      CHECK_FALSE(set["text"][row].contains("frames"));
      for (const char* modality : {"image", "audio"})
        CHECK(set[modality][row].contains("frames") == (std::string(row) != "fp"));
    }
    CHECK(set["image"]["quantized"]["frames"] > 0);
    CHECK(set["image"]["control"]["frames"] > 0);  // its towers are corrected, too
    const json& recovered = set["image"]["recovery"]["corrected"];
    for (const char* metric : {"accuracy", "kl", "nll", "frames", "exact", "top1", "top5"})
      CHECK(recovered.contains(metric));
    CHECK(recovered["frames"].contains("value"));  // that loss is beyond doubt
    CHECK(set["audio"]["recovery"]["corrected"].contains("wer"));
    CHECK_FALSE(set["text"]["recovery"]["corrected"].contains("frames"));
  }
  CHECK(sets["more"]["image"]["fp"]["tokens"] > sets["in_domain"]["image"]["fp"]["tokens"]);
  const json report = json::parse(read_file(run / "run/report.json"));
  CHECK(report["evaluation"]["sets"] == sets);
  CHECK(run.result("evaluate", {"--processes", "2"})["sets"] == sets);

  const json& changed = sets["more"]["audio"]["changed"];
  REQUIRE(changed.size() > 0);
  CHECK(changed[0]["answers"].size() == 4);
  CHECK(changed[0]["audio"].size() == 1);
  const std::string page = read_file(run / "run/report.html");
  CHECK_THAT(page, Contains("<h3>more audio</h3>") && Contains("answers that changed"));
  if (sets["more"]["image"].contains("changed"))
    CHECK_THAT(page, Contains("src=\"data:image/png;base64,"));
}
