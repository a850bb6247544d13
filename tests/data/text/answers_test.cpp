#include "data/text/answers.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "data/files/file.h"
#include "data/text/document_tokens.h"
#include "data/text/text.h"
#include "tests/data/letters.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
using nlohmann::ordered_json;

namespace {

using Ids = std::vector<std::int32_t>;
using Mask = std::vector<std::uint8_t>;

ordered_json line_of(const ordered_json& messages) { return {{"messages", messages}}; }

ordered_json says(const char* role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

/// The document that a line becomes.
Document written(const Tokenizer& tokenizer, const ordered_json& line) {
  const TemporaryDirectory files;
  write_plain(files / "talk.jsonl", line.dump() + "\n");
  return read_documents(files / "talk.jsonl", ConversationWriter("nowhere", tokenizer, true)).at(0);
}

/// The answers' texts, under a template for a tokenizer of letters.
std::vector<std::string> answers(const std::string& source, const ordered_json& messages) {
  const Tokenizer tokenizer = letters(ordered_json{{"chat_template", source}}.dump());
  const Document document = written(tokenizer, line_of(messages));
  std::vector<std::string> texts;
  for (const auto& [begin, end] : document.answers.value())
    texts.push_back(document.text.substr(begin, end - begin));
  return texts;
}

std::string refusal(const std::string& source, const ordered_json& messages) {
  const std::string message = error_message([&] { answers(source, messages); });
  return message.substr(message.find("talk.jsonl"));
}

using Texts = std::vector<std::string>;

const ordered_json kTwice = {says("user", "a"), says("assistant", "b"), says("user", "a"),
                             says("assistant", "c")};

}  // namespace

TEST_CASE("ids and targets of conversations are transformers', with {% generation %} and without",
          "[data][answers]") {
  const ordered_json expected =
      ordered_json::parse(read_file("build/reference/conversations.json"));
  CHECK(expected["cases"].size() > 30);
  for (const ordered_json& c : expected["cases"]) {
    for (const char* kind : {"plain", "marked"}) {
      INFO(c["name"] << ", " << kind << ": " << c["line"]);
      ordered_json config = expected["tokenizer_config"];
      config["chat_template"] = c[kind];
      const Tokenizer tokenizer({expected["tokenizer"].dump(), config.dump()}, "nowhere");
      const Tokens tokens = tokens_of(tokenizer, written(tokenizer, c["line"]));
      CHECK(tokens.ids == c["ids"].get<Ids>());
      CHECK(tokens.targets == c["mask"].get<Mask>());
    }
  }
}

TEST_CASE("an answer begins behind the prompt for it and ends with its turn", "[data][answers]") {
  CHECK(answers("{% for m in messages %}{{ m.role[0] + m.content }}!{% endfor %}"
                "{% if add_generation_prompt %}a{% endif %}",
                kTwice) == Texts{"b!", "c!"});
}

TEST_CASE("a template that forgets what was thought keeps the end of an earlier answer",
          "[data][answers]") {
  CHECK(answers("{% for m in messages %}{% if m.role == 'user' %}!{% elif loop.last %}aa{% endif %}"
                "{{ m.content }}{% endfor %}",
                kTwice) == Texts{"b", "aac"});
}

TEST_CASE("where the template writes an earlier answer otherwise, the message is named",
          "[data][answers]") {
  const std::string all = "{% for m in messages %}";
  CHECK(refusal(all + "{{ m.content if loop.last else m.role }}{% endfor %}", kTwice) ==
        "talk.jsonl:1: messages[1]: the template writes it otherwise when more follows, so where "
        "the answer stands cannot be told (data.assistant_only_loss); {% generation %} in the "
        "template would mark it");
  CHECK(refusal("{{ messages | length }}" + all + "{{ m.content }}{% endfor %}", kTwice)
            .starts_with("talk.jsonl:1: messages[1]: "));
}

TEST_CASE("marks of {% generation %} count alone", "[data][answers]") {
  CHECK(answers("{% for m in messages %}{% if loop.last %}{% generation %}{{ m.content }}"
                "{% endgeneration %}!{% else %}{{ m.content }}{% endif %}{% endfor %}",
                kTwice) == Texts{"c"});
}

TEST_CASE("marks inside a macro tell no place", "[data][answers]") {
  CHECK(answers("{% macro said(m) %}{% generation %}{{ m.content }}{% endgeneration %}!"
                "{% endmacro %}{% for m in messages %}{{ said(m) }}{% endfor %}",
                kTwice) == Texts{"b!", "c!"});
}

TEST_CASE("a conversation in which the assistant says nothing is an error", "[data][answers]") {
  CHECK(refusal("{{ messages[0].content }}", ordered_json::array({says("user", "a")})) ==
        "talk.jsonl:1: expected a message of the assistant whose weight is not 0, since "
        "data.assistant_only_loss is true");
}

TEST_CASE("an answer of weight 0 is no target, whoever finds it", "[data][answers]") {
  ordered_json messages = kTwice;
  messages[1]["weight"] = 0;
  const std::string plain =
      "{% for m in messages %}{{ m.role[0] + m.content }}!{% endfor %}"
      "{% if add_generation_prompt %}a{% endif %}";
  const std::string marked =
      "{% for m in messages %}{{ m.role[0] }}{% if m.role == 'user' %}{{ m.content }}!"
      "{% else %}{% generation %}{{ m.content }}{% endgeneration %}{% generation %}!"
      "{% endgeneration %}{% endif %}{% endfor %}{% if add_generation_prompt %}a{% endif %}";
  CHECK(answers(plain, messages) == Texts{"c!"});
  CHECK(answers(marked, messages) == Texts{"c", "!"});
  CHECK(answers(marked, kTwice) == Texts{"b", "!", "c", "!"});
  messages[3]["weight"] = 0.0;
  for (const std::string& source : {plain, marked})
    CHECK_THAT(refusal(source, messages), Catch::Contains("expected a message of the assistant"));
}

TEST_CASE("a first message of the assistant is found where the template writes none at all",
          "[data][answers]") {
  const ordered_json messages = {says("assistant", "b"), says("user", "a")};
  CHECK(answers("{% for m in messages %}{{ m.content }}!{% endfor %}", messages) == Texts{"b!"});
  CHECK(refusal("{{ messages[0].role.upper() }}", messages)
            .starts_with("talk.jsonl:1: the template does not write the first 0 messages alone"));
}
