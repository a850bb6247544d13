#include "trainer/evaluate/answers.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "data/samples/media_samples.h"
#include "modules/model/media_readers.h"
#include "tests/support/catch.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/evaluate/row_names.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
using nlohmann::json;

namespace {

constexpr std::int64_t kLongest = 256;

/// A small model with eyes and ears that has a chat template, and conversations for it.
struct Talking {
  explicit Talking(const std::vector<std::string>& answers, const char* kind = "image",
                   const std::string& name = "composition/model") {
    const std::filesystem::path source = kReference / "composition";
    std::filesystem::copy(kReference / name, folder / "model");
    write_plain(folder / "model/chat_template.jinja",
                "{% for m in messages %}{{ m.role }}: {% for part in m.content %}"
                "{{ part.text if part.type == 'text' else '<|' ~ part.type ~ '|>' }}{% endfor %}"
                "<|endoftext|>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}");
    const std::string file = std::string(kind) == "image" ? "1.png" : "2.wav";
    std::filesystem::copy(source / file, folder / file);
    std::string lines;
    for (const std::string& answer : answers) lines += line(kind, file, answer).dump() + "\n";
    write_plain(folder / "talks.jsonl", lines);
    model = std::make_unique<modules::Model>(modules::open_model(folder / "model"));
    const data::ConversationWriter writer(model->path, model->tokenizer, /*finds_answers=*/true);
    samples = std::make_unique<data::MediaSamples>(
        model->tokenizer, data::read_documents(folder / "talks.jsonl", writer), kLongest,
        std::make_shared<data::MediaReaders>(media_readers(*model)), [] {});
  }

  static json line(const char* kind, const std::string& file, const std::string& answer) {
    const auto text = [](const std::string& words) {
      return json{{"type", "text"}, {"text", words}};
    };
    json messages = json::array(
        {{{"role", "user"}, {"content", json::array({{{"type", kind}}, text("What is it?")})}},
         {{"role", "assistant"}, {"content", json::array({text(answer)})}}});
    return {{std::string(kind) == "image" ? "images" : "audio", json::array({file})},
            {"messages", messages}};
  }

  Questions questions(const EvaluateOptions& options = {}, const char* modality = "image") const {
    return questions_for(*model, *samples, modality, options, kLongest);
  }

  TemporaryDirectory folder;
  std::unique_ptr<modules::Model> model;
  std::unique_ptr<data::MediaSamples> samples;
};

std::vector<std::string> names(int count) {
  std::vector<std::string> made;
  for (int i = 0; i < count; ++i) made.push_back("thing " + std::to_string(i));
  return made;
}

}  // namespace

TEST_CASE("a question ends where the answer begins, and its reference is the answer's words",
          "[trainer][answers]") {
  const Talking talking({"A cat.", "two Dogs"});
  const auto questions = questions_of(*talking.model, *talking.samples, kLongest);
  REQUIRE(questions.size() == 2);
  CHECK(questions[0].reference == "a cat");
  CHECK(questions[1].reference == "two dogs");
  const auto ids = talking.samples->sample(0).tokens.ids;
  const std::string prompt = talking.model->tokenizer.decode(ids.first(questions[0].prompt));
  CHECK_THAT(prompt, Catch::EndsWith("What is it?<|endoftext|>assistant:") ||
                         Catch::EndsWith("What is it?<|endoftext|>assistant: "));
  CHECK(questions_of(*talking.model, *talking.samples, std::ssize(ids)).empty());  // may be cut
}

TEST_CASE("answers are ranked if they are few and short, and the first five need six",
          "[trainer][answers]") {
  const auto judgement = [](const Talking& talking, const char* modality = "image") {
    return talking.questions({}, modality).judgement;
  };
  CHECK(judgement(Talking(names(6))).ranks_five);
  const Judgement few = judgement(Talking(names(5)));
  CHECK(few.ranks);
  CHECK_FALSE(few.ranks_five);
  CHECK_FALSE(judgement(Talking({"a cat", std::string(40, 'x') + " y z"})).ranks);
  const Talking clips(names(6), "audio");
  CHECK(judgement(clips, "audio").transcribes);
  CHECK_FALSE(judgement(clips, "audio").ranks);
}

TEST_CASE("num_answers questions are chosen, spaced evenly", "[trainer][answers]") {
  const Talking talking(names(9));
  CHECK(talking.questions({.num_answers = 0}).chosen.empty());
  const Questions three = talking.questions({.num_answers = 3});
  REQUIRE(three.chosen.size() == 3);
  CHECK(three.all.size() == 9);
  CHECK(three.chosen[1].reference == "thing 3");
  CHECK(talking.questions().chosen.size() == 9);
}

TEST_CASE("answers do not depend on the batch around them", "[trainer][answers]") {
  const auto [kind, seven] = GENERATE(
      table<const char*, std::vector<std::string>>({{"image", names(7)}, {"audio", names(7)}}));
  const Talking talking(seven, kind);
  modules::FloatExecutor fp(talking.model->weights, at::kFloat);
  const auto ask = [&](std::size_t tokens_at_once) {
    Questions questions = talking.questions({.max_answer_tokens = 5}, kind);
    questions.tokens_at_once = tokens_at_once;
    std::int64_t seen = 0;
    const auto answers = answer(*talking.model, {{"fp", &fp}}, *talking.samples, questions,
                                Processes::alone(), [&](std::int64_t more) { seen += more; });
    CHECK(seen == 7);
    return answers.at(0);
  };
  const std::vector<Answer> alone = ask(1), together = ask(4096);
  for (std::size_t i = 0; i < 7; ++i) {
    CHECK(alone[i].text == together[i].text);
    CHECK(alone[i].rank == together[i].rank);
  }
  // All seven look at one file and are asked the same, so all say the same.
  CHECK(alone[0].text == alone[6].text);
  if (std::string(kind) == "image") {
    const auto ranked = [&](std::size_t rank) {
      return std::ranges::count_if(alone, [&](const Answer& one) { return one.rank == rank; });
    };
    for (std::size_t rank = 0; rank < 5; ++rank) CHECK(ranked(rank) == 1);
  }
}

TEST_CASE("a decoder that turns by rows and columns is asked about pictures one by one",
          "[trainer][answers]") {
  const Talking talking(names(2), "image", "glm4v/tiny");
  modules::FloatExecutor fp(talking.model->weights, at::kFloat);
  std::vector<std::int64_t> batches;
  const auto answers = answer(*talking.model, {{"fp", &fp}}, *talking.samples,
                              talking.questions({.max_answer_tokens = 4}), Processes::alone(),
                              [&](std::int64_t questions) { batches.push_back(questions); });
  CHECK(batches == std::vector<std::int64_t>{1, 1});
  CHECK(answers[0][0].text == answers[0][1].text);
}

TEST_CASE("an answer is exact or not, and in the first one and five or not", "[trainer][answers]") {
  const Question question{.reference = "a cat"};
  const Judgement five{.ranks = true, .ranks_five = true};
  const SampleSums hit = judged(question, {"A cat!", 0}, five),
                   near = judged(question, {"a cat is there", 4}, five),
                   miss = judged(question, {"dog", {}}, five);
  const auto values = [](const SampleSums& sums) {
    return std::vector<double>{sums[Quantity::kExact].value, sums[Quantity::kTop1].value,
                               sums[Quantity::kTop5].value};
  };
  CHECK(values(hit) == std::vector<double>{1, 1, 1});
  CHECK(values(near) == std::vector<double>{0, 0, 1});
  CHECK(values(miss) == std::vector<double>{0, 0, 0});
  CHECK(miss[Quantity::kTop5].count == 1);
  CHECK(judged(question, {"a cat"}, {})[Quantity::kTop1].count == 0);
}

TEST_CASE("a transcription's edits are counted by words and characters", "[trainer][answers]") {
  const SampleSums sums =
      judged({.reference = "ten of clubs"}, {"Ten clubs."}, {.transcribes = true});
  CHECK(sums[Quantity::kWords].value == 1);
  CHECK(sums[Quantity::kWords].count == 3);
  CHECK(sums[Quantity::kCharacters].value == 3);
  CHECK(sums[Quantity::kCharacters].count == 12);
  CHECK(sums[Quantity::kExact].count == 0);
}

TEST_CASE("a sample has changed if rows differ in more than spelling, the control aside",
          "[trainer][answers]") {
  const Talking talking(names(3));
  const std::vector<Row> rows{{kFp}, {kQuantized}, {kControl}};
  const auto changed = changed_samples(
      *talking.samples, talking.questions(), rows,
      {{{"cat"}, {"a dog"}, {"x"}}, {{"Cat."}, {"a hen"}, {"x"}}, {{"no"}, {"a dog"}, {"y"}}});
  REQUIRE(changed.size() == 1);
  CHECK(changed[0].reference == "thing 1");
  CHECK(changed[0].answers.at(kQuantized) == "a hen");
  CHECK(changed[0].images == std::vector<std::string>{(talking.folder / "1.png").string()});
}
