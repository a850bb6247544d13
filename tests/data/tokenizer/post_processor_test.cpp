#include "data/tokenizer/post_processor.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace dualpath;
using namespace dualpath::data;
using nlohmann::json;

namespace {

PostProcessor processor(const json& description) {
  return read_post_processor(
      JsonObject::parse(json{{"post_processor", description}}.dump(), "tokenizer.json"));
}

using Ids = std::vector<std::int32_t>;

const json kSequence = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};

json special(const char* token) { return {{"SpecialToken", {{"id", token}, {"type_id", 0}}}}; }

/// Puts [gMASK] <sop> before a text and </s> behind it.
json around() {
  json step = {{"type", "TemplateProcessing"}};
  step["single"] = json::array({special("[gMASK]"), special("<sop>"), kSequence, special("</s>")});
  step["special_tokens"] = {
      {"[gMASK]", {{"ids", {7}}}}, {"<sop>", {{"ids", {8, 9}}}}, {"</s>", {{"ids", {2}}}}};
  return step;
}

}  // namespace

TEST_CASE("a template says what stands before and behind a text", "[data][tokenizer]") {
  const PostProcessor read = processor(around());
  CHECK(read.before == Ids{7, 8, 9});
  CHECK(read.after == Ids{2});
}

TEST_CASE("in a sequence of steps the template counts, as in Llama 3", "[data][tokenizer]") {
  const json steps = json::array({{{"type", "ByteLevel"}}, around()});
  CHECK(processor({{"type", "Sequence"}, {"processors", steps}}).before == Ids{7, 8, 9});
}

TEST_CASE("without a post-processor nothing stands around a text", "[data][tokenizer]") {
  CHECK(processor(nullptr).before.empty());
  CHECK(processor({{"type", "ByteLevel"}}).after.empty());
}

TEST_CASE("a kind that we do not know is remembered by its name", "[data][tokenizer]") {
  CHECK(processor({{"type", "BertProcessing"}}).unsupported == "BertProcessing");
}

TEST_CASE("templates that do more than stand around one text are not supported",
          "[data][tokenizer]") {
  json twice = around();
  twice["single"].push_back(kSequence);
  CHECK(processor(twice).unsupported == "TemplateProcessing of 2 texts");
  const json steps = json::array({around(), around()});
  const PostProcessor read = processor({{"type", "Sequence"}, {"processors", steps}});
  CHECK(read.unsupported == "a second TemplateProcessing");
  CHECK(read.before.empty());
}

TEST_CASE("a template with a token that is not listed is an error", "[data][tokenizer]") {
  json step = around();
  step["special_tokens"].erase("<sop>");
  CHECK_THROWS_WITH(
      processor(step),
      "tokenizer.json: post_processor.special_tokens.<sop>: expected an object, but the "
      "key is missing");
}
