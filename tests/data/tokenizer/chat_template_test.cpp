#include "data/tokenizer/chat_template.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/files/file.h"
#include "tests/data/jinja/rendered.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
using nlohmann::json;
using nlohmann::ordered_json;
namespace fs = std::filesystem;

namespace {

/// A tokenizer of two letters and two special tokens, beside this tokenizer_config.json.
Tokenizer tokenizer(const json& config, const std::string& special_tokens_map = "") {
  const json description = json::parse(R"({
    "added_tokens": [{"id": 2, "content": "<s>", "special": true},
                     {"id": 3, "content": "</s>", "special": true}],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}
  })");
  return Tokenizer({description.dump(), config.dump(), special_tokens_map}, "model");
}

const ordered_json kMessages = {{{"role", "user"}, {"content", "ab"}}};

std::string rendered_with(const json& config, const fs::path& directory = "nowhere",
                          bool with_tools = false) {
  return ChatTemplate::of(directory, tokenizer(config), with_tools).render(kMessages);
}

}  // namespace

TEST_CASE("every template gives the text that transformers renders, or is refused as there",
          "[data][chat_template]") {
  std::ifstream file("build/reference/chat_templates.json");
  const ordered_json all = ordered_json::parse(file);
  std::size_t texts = 0;
  for (const ordered_json& c : all["cases"]) {
    const auto name = c["template"].get<std::string>();
    INFO(name << " " << c["variables"].dump());
    const jinja::Template parsed(read_file("tests/data/templates/" + name + ".jinja"), name);
    if (!c.contains("text")) {
      CHECK_THROWS_AS(parsed.render(c["variables"], fixed_time()), Error);
      continue;
    }
    ++texts;
    CHECK(parsed.render(c["variables"], fixed_time()) == c["text"].get<std::string>());
  }
  CHECK(texts > 200);
}

TEST_CASE("a template stands in tokenizer_config.json, as a text or as one of several",
          "[data][chat_template]") {
  CHECK(rendered_with({{"chat_template", "{{ messages[0].content }}!"}}) == "ab!");
  const json several =
      json::array({{{"name", "tool_use"}, {"template", "no"}},
                   {{"name", "default"}, {"template", "{{ messages | length }}"}}});
  CHECK(rendered_with({{"chat_template", several}}) == "1");
  CHECK(rendered_with({{"chat_template", several}}, "nowhere", /*with_tools=*/true) == "no");
}

TEST_CASE("a file chat_template.jinja goes before tokenizer_config.json", "[data][chat_template]") {
  const TemporaryDirectory model;
  write_plain(model / "chat_template.jinja", "from the file\n");
  CHECK(rendered_with({{"chat_template", "from the config"}}, model.path()) == "from the file");
}

TEST_CASE("a directory of further templates names them: tool_use.jinja is for texts with tools",
          "[data][chat_template]") {
  const TemporaryDirectory model;
  const json config = {{"chat_template", "from the config"}};
  const auto rendered = [&](bool with_tools) {
    return rendered_with(config, model.path(), with_tools);
  };
  fs::create_directory(model / "additional_chat_templates");
  write_plain(model / "additional_chat_templates" / "README.md", "no template");
  CHECK(rendered(true) == "from the config");
  write_plain(model / "additional_chat_templates" / "tool_use.jinja", "with tools");
  CHECK(rendered(true) == "with tools");
  CHECK_THROWS_WITH(rendered(false), Catch::EndsWith("expected one named default, got tool_use"));
  write_plain(model / "chat_template.jinja", "without");
  CHECK(rendered(true) == "with tools");
  CHECK(rendered(false) == "without");
  // A GGUF file is no directory.
  CHECK(rendered_with(config, model / "chat_template.jinja") == "from the config");
}

TEST_CASE("a template gets the special tokens of all files, under their own names too",
          "[data][chat_template]") {
  const json config = {
      {"chat_template", "{{ bos_token }} {{ eos_token }} {{ image_token }} {{ audio_token }}"},
      {"bos_token", "</s>"},
      {"extra_special_tokens", {{"image_token", "<i>"}}}};
  const std::string map =
      R"({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "audio_token": "<a>"})";
  CHECK(ChatTemplate::of("nowhere", tokenizer(config, map)).render(kMessages) ==
        "<s> </s> <i> <a>");
}

TEST_CASE("a pointer or a page in the place of chat_template.jinja is no template",
          "[data][chat_template]") {
  const TemporaryDirectory model;
  const fs::path file = model / "chat_template.jinja";
  for (const auto& [content, found] :
       {std::pair{"version https://git-lfs.github.com/spec/v1\n", ": is a Git LFS pointer, "},
        {"<!DOCTYPE html>", ": is an HTML page, "}}) {
    write_plain(file, content);
    CHECK_THROWS_WITH(rendered_with({{"chat_template", "from the config"}}, model.path()),
                      Catch::StartsWith(file.string() + found));
  }
}

TEST_CASE("a template gets the special tokens, no tools, and is asked for an answer",
          "[data][chat_template]") {
  CHECK(rendered_with({{"chat_template",
                        "{{ bos_token }}{{ eos_token }}{{ tools is none }}{{ documents is none }}"
                        "{{ add_generation_prompt }}"},
                       {"bos_token", "<s>"},
                       {"eos_token", {{"content", "</s>"}}}}) == "<s></s>TrueTrueTrue");
}

TEST_CASE("a message's thoughts are found under each of their names", "[data][chat_template]") {
  const ChatTemplate shown =
      ChatTemplate::of("nowhere", tokenizer({{"chat_template", "{{ messages[0] }}"}}));
  CHECK(shown.render({{{"role", "assistant"}, {"reasoning", "why"}}}) ==
        "{'thinking': 'why', 'role': 'assistant', 'reasoning': 'why', 'reasoning_content': 'why'}");
  CHECK(shown.render({{{"thinking", "a"}, {"reasoning_content", "b"}}}) ==
        "{'thinking': 'a', 'reasoning_content': 'b'}");
  CHECK(shown.render({{{"thinking", nullptr}}}) == "{'thinking': None}");
}

TEST_CASE("special tokens that a template writes become their ids, once", "[data][chat_template]") {
  const Tokenizer t =
      tokenizer({{"chat_template", "{{ bos_token + messages[0].content }}"}, {"bos_token", "<s>"}});
  CHECK(t.encode(ChatTemplate::of("nowhere", t).render(kMessages)) ==
        std::vector<std::int32_t>{2, 0, 1});
}

TEST_CASE("a model without a template, or without a default one, is an error",
          "[data][chat_template]") {
  CHECK_THROWS_WITH(rendered_with(json::object()),
                    "nowhere: the model has no chat template; expected chat_template.jinja, or "
                    "chat_template in tokenizer_config.json");
  const json other = json::array({{{"name", "tool_use"}, {"template", "no"}}});
  CHECK_THROWS_WITH(rendered_with({{"chat_template", other}}),
                    "nowhere: chat templates: expected one named default, got tool_use");
}
