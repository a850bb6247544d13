#include <nlohmann/json.hpp>

#include "data/jinja/template.h"
#include "tests/fuzz/target.h"

using namespace dualpath;

namespace {

/// A conversation with all that templates look for.
const nlohmann::ordered_json& variables() {
  static const auto given = nlohmann::ordered_json::parse(R"({
    "messages": [
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": [{"type": "text", "text": "  Schön \n"}]},
      {"role": "assistant", "content": "", "tool_calls": [
        {"id": "call12345", "function": {"name": "f", "arguments": {"x": 1.5, "y": [true, null]}}}]},
      {"role": "tool", "content": "{}"}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "documents": null, "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>"})");
  return given;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::judge(data, size, [](std::string_view content) {
    data::jinja::Template(content, "chat_template").render(variables(), std::tm{});
  });
}
