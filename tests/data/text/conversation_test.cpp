#include "data/text/conversation.h"

#include <catch2/catch.hpp>

#include "tests/data/letters.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
using nlohmann::ordered_json;

namespace {

ordered_json parsed(const char* text) { return ordered_json::parse(text); }

/// Of a line with one of the two keys.
Conversation conversation(const std::string& line) {
  const JsonObject object = JsonObject::parse_line(line, "talk.jsonl:3");
  return read_conversation(object, line,
                           object.contains("messages") ? "messages" : "conversations");
}

std::string refusal(const std::string& line) {
  return error_message([&] { conversation(line); });
}

std::string refused_message(const std::string& message) {
  const std::string text =
      refusal(R"({"messages": [{"role": "user", "content": "a"}, )" + message + "]}");
  const std::string place = "talk.jsonl:3: messages[1]";
  return text.starts_with(place) ? text.substr(place.size()) : text;
}

/// A line each, in a file.
struct Lines {
  explicit Lines(const std::string& lines) { write_plain(files / "talk.jsonl", lines); }
  std::vector<Document> documents(const std::string& chat_template = "",
                                  bool finds_answers = false) const {
    return documents_in(files / "talk.jsonl", chat_template, finds_answers);
  }
  std::string message(const std::string& chat_template = "") const {
    return error_message([&] { documents(chat_template); }).substr(files.path().string().size());
  }
  TemporaryDirectory files;
};

constexpr const char* kTalk = R"({"messages": [{"role": "user", "content": "a"}]})";

}  // namespace

TEST_CASE("messages are given as they are, but for what is null", "[data][conversation]") {
  const auto [messages, variables] = conversation(
      R"({"id": 5, "messages": [{"role": "user", "content": "a", "name": null},
          {"content": null, "role": "assistant", "tool_calls": [{"z": 1, "a": null}]},
          {"role": "tool", "content": [{"type": "text", "text": "b"}, {"type": "image"}]}]})");
  CHECK(messages.dump() == parsed(R"([{"role": "user", "content": "a"},
          {"role": "assistant", "tool_calls": [{"z": 1, "a": null}]},
          {"role": "tool", "content": [{"type": "text", "text": "b"}, {"type": "image"}]}])")
                               .dump());
  CHECK(variables == ordered_json::object());
}

TEST_CASE("ShareGPT's turns are messages under the roles that templates know",
          "[data][conversation]") {
  CHECK(conversation(R"({"conversations": [{"from": "system", "value": "a"},
          {"from": "human", "value": "b"}, {"from": "gpt", "value": "c"},
          {"value": "d", "from": "observation"}, {"role": "assistant", "content": "e"}]})")
            .messages == parsed(R"([{"role": "system", "content": "a"},
          {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"},
          {"role": "tool", "content": "d"}, {"role": "assistant", "content": "e"}])"));
}

TEST_CASE("tools, documents, a system's text and a template's variables stand beside the messages",
          "[data][conversation]") {
  const std::string rest = R"(, "messages": [{"role": "user", "content": "a"}]})";
  CHECK(conversation(R"({"tools": [{"b": 1, "a": 2}], "documents": [{"title": "t"}],
                         "chat_template_kwargs": {"enable_thinking": false})" +
                     rest)
            .variables.dump() ==
        R"({"tools":[{"b":1,"a":2}],"documents":[{"title":"t"}],"enable_thinking":false})");
  CHECK(conversation(R"({"tools": "[{\"b\": 1, \"a\": 2}]")" + rest).variables["tools"].dump() ==
        R"([{"b":1,"a":2}])");
  CHECK(conversation(R"({"system": "s")" + rest).messages ==
        parsed(R"([{"role": "system", "content": "s"}, {"role": "user", "content": "a"}])"));
  CHECK(conversation(R"({"system": "", "tools": null)" + rest).messages.size() == 1);
  for (const char* none : {"null", R"("")", R"("null")"})
    CHECK(conversation(R"({"tools": )" + (none + rest)).variables == ordered_json::object());
}

TEST_CASE("what is wrong with a message is named by its line and place", "[data][conversation]") {
  CHECK(refused_message("7") == ": expected an object, got 7");
  CHECK(refused_message(R"({"content": "a"})") == R"(: expected a role, got {"content":"a"})");
  CHECK(refused_message(R"({"role": "human", "content": "a"})") ==
        ".role: expected one of system, developer, user, assistant, tool, function, ipython, "
        "observation, got \"human\"");
  CHECK(refused_message(R"({"role": 1, "content": "a"})") == ".role: expected a string, got 1");
  CHECK(refused_message(R"({"role": "user"})") == R"(: expected content, got {"role":"user"})");
  CHECK(refused_message(R"({"role": "user", "content": 3})") ==
        ".content: expected a string or a list of parts, got 3");
  CHECK(refused_message(R"({"role": "user", "content": ["a"]})") ==
        ".content[0]: expected an object, got \"a\"");
  CHECK(refused_message(R"({"role": "user", "content": [{"text": "a"}]})") ==
        R"(.content[0]: expected an object with a type, got {"text":"a"})");
  CHECK(refused_message(R"({"role": "user", "content": [{"type": "text", "text": 1}]})") ==
        ".content[0].text: expected a string, got 1");
  CHECK(refused_message(
            R"({"role": "user", "content": [{"type": "image", "text": null, "url": "a.png"}]})") ==
        ".content[0].url: expected the file in the line's images or audio, not in a part");
  CHECK(refused_message(R"({"role": "assistant", "tool_calls": "x"})") ==
        ".tool_calls: expected a list of calls, got \"x\"");
  CHECK(refused_message(R"({"role": "assistant", "content": null, "function_call": {}})") ==
        ".function_call: expected tool_calls instead, which templates know");
  CHECK(refused_message(R"({"role": "assistant", "content": "a", "weight": 0.5})") ==
        ".weight: expected 0 or 1, got 0.5");
}

TEST_CASE("the weight of an answer is kept, that of others is passed over",
          "[data][conversation]") {
  const ordered_json messages =
      conversation(R"({"conversations": [{"from": "human", "value": "a", "weight": 0},
                                         {"from": "gpt", "value": "b", "weight": 1.0},
                                         {"from": "gpt", "value": "b", "weight": 0.0},
                                         {"role": "assistant", "content": "b", "weight": 0}]})")
          .messages;
  std::vector<bool> left_out;
  for (const ordered_json& message : messages) left_out.push_back(is_left_out(message));
  CHECK(left_out == std::vector{false, false, true, true});
  CHECK(refusal(R"({"conversations": [{"from": "gpt", "value": "b", "weight": false}]})") ==
        "talk.jsonl:3: conversations[0].weight: expected 0 or 1, got false");
}

TEST_CASE("an answer of weight 0 is refused where all of a conversation is trained on",
          "[data][conversation]") {
  const Lines lines(R"({"messages": [{"role": "user", "content": "a"}, )"
                    R"({"role": "assistant", "content": "b", "weight": 0}]})");
  CHECK(
      lines.message("{{ messages[0].content }}") ==
      "/talk.jsonl:1: messages[1].weight: expected 1, got 0: all of a conversation is trained on, "
      "unless data.assistant_only_loss is true");
}

TEST_CASE("what is wrong beside the messages is named, too", "[data][conversation]") {
  CHECK(refusal(R"({"messages": []})") ==
        "talk.jsonl:3: messages: expected at least one message, got []");
  CHECK(refusal(R"({"messages": "a"})") ==
        "talk.jsonl:3: messages: expected a list of messages, got \"a\"");
  CHECK(refusal(R"({"conversations": [{"from": "bob", "value": "a"}]})")
            .starts_with("talk.jsonl:3: conversations[0].from: expected human, gpt, "));
  CHECK(refusal(R"({"conversations": [{"from": "gpt"}]})") ==
        R"(talk.jsonl:3: conversations[0]: expected a value, got {"from":"gpt"})");
  CHECK(refusal(R"({"conversations": [{"from": "gpt", "role": "user"}]})")
            .starts_with("talk.jsonl:3: conversations[0]: expected either a role or a from, got"));
  const auto beside = [](const std::string& key) {
    return refusal("{" + key + R"(, "messages": [{"role": "system", "content": "a"}]})");
  };
  CHECK(beside(R"("system": "b")") ==
        "talk.jsonl:3: system: expected none, since the messages begin with one, got \"b\"");
  CHECK(beside(R"("tools": {})") == "talk.jsonl:3: tools: expected a list of tools, got {}");
  CHECK(beside(R"("tools": "[")").starts_with("talk.jsonl:3: tools:1:2: not valid JSON"));
  CHECK(beside(R"("documents": ["a"])") ==
        "talk.jsonl:3: documents[0]: expected an object, got \"a\"");
  CHECK(beside(R"("chat_template_kwargs": {"add_generation_prompt": true})") ==
        "talk.jsonl:3: chat_template_kwargs.add_generation_prompt: expected a variable of the "
        "template; a line cannot set this one");
}

TEST_CASE("a file may hold texts and conversations, which the model's template writes",
          "[data][conversation]") {
  const Lines lines(std::string(R"({"text": "b", "messages": null})") + "\n" + kTalk + "\n");
  const auto documents =
      lines.documents("{{ messages[0].content }}!{{ add_generation_prompt }}{{ tools }}");
  REQUIRE(documents.size() == 2);
  CHECK(documents[0].text == "b");
  CHECK(!documents[0].is_conversation);
  CHECK(documents[1].text == "a!FalseNone");
  CHECK(documents[1].is_conversation);
  CHECK(!documents[1].answers);
  CHECK(documents[1].origin == (lines.files / "talk.jsonl").string() + ":2");
}

TEST_CASE("a conversation's files are those that its line names", "[data][conversation]") {
  const Lines lines(
      R"({"images": ["a.jpg"], "messages": [{"role": "user", "content": [{"type": "image"}]}]})");
  const auto documents = lines.documents("{{ messages[0].content[0].type }}");
  CHECK(documents[0].text == "image");
  CHECK(documents[0].media.images == std::vector<MediaFile>{lines.files / "a.jpg"});
}

TEST_CASE("a conversation with tools is written by the template that a model has for them",
          "[data][conversation]") {
  const nlohmann::json config = {{"chat_template",
                                  {{{"name", "default"}, {"template", "plain"}},
                                   {{"name", "tool_use"}, {"template", "{{ tools | length }}"}}}}};
  const Tokenizer tokenizer = letters(config.dump());
  const ConversationWriter writer("letters", tokenizer, false);
  CHECK(writer.write(conversation(kTalk)).text == "plain");
  CHECK(writer.write({conversation(kTalk).messages, {{"tools", parsed(R"([{}, {}])")}}}).text ==
        "2");
}

TEST_CASE("a template tells the same day in every run", "[data][conversation]") {
  CHECK(Lines(kTalk).documents("{{ strftime_now('%a %d %b %Y %j') }}")[0].text ==
        "Fri 26 Jul 2024 208");
}

TEST_CASE("a model without a template, and a template's own refusal, are named by the line",
          "[data][conversation]") {
  CHECK(Lines(kTalk).message() ==
        "/talk.jsonl:1: letters: the model has no chat template; expected chat_template.jinja, or "
        "chat_template in tokenizer_config.json");
  CHECK(Lines(std::string("\n") + kTalk).message("{{ raise_exception('no') }}") ==
        "/talk.jsonl:2: chat_template:1: the template refuses this conversation: no");
}
