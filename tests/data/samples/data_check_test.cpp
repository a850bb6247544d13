#include "data/samples/data_check.h"

#include <filesystem>

#include "tests/data/letters.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

namespace {

/// A picture of one pixel, in base64.
constexpr const char* kPixel =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg"
    "==";

/// Half a second of silence: 16 kHz, 16 bits, mono.
std::string silence() {
  constexpr std::uint32_t kBytes = 16000;
  std::string wave = "RIFF....WAVEfmt ";
  const auto put = [&](std::uint32_t value, int bytes) {
    for (; bytes > 0; --bytes, value >>= 8) wave += static_cast<char>(value & 0xFF);
  };
  put(16, 4);
  put(1, 2);
  put(1, 2);
  put(16000, 4);
  put(32000, 4);
  put(2, 2);
  put(16, 2);
  wave += "data";
  put(kBytes, 4);
  wave.append(kBytes, '\0');
  const auto size = static_cast<std::uint32_t>(wave.size() - 8);
  for (int i = 0; i < 4; ++i)
    wave[4 + static_cast<std::size_t>(i)] = static_cast<char>(size >> 8 * i & 0xFF);
  return wave;
}

struct Folder {
  Folder() {
    const MediaFile pixel(base64_file(), {0, std::string_view(kPixel).size()}, "pixel");
    write_plain(files / "p.png", read_bytes(pixel, 1000));
    write_plain(files / "s.wav", silence());
    write_plain(files / "broken.png", "\x89PNG\r\n\x1a\n");
  }
  std::filesystem::path base64_file() const {
    write_plain(files / "p.txt", kPixel);
    return files / "p.txt";
  }
  DataCheck check(const std::string& lines, const std::optional<CheckModel>& model = {}) const {
    write_plain(files / "a.jsonl", lines);
    const std::vector<std::filesystem::path> paths{files / "a.jsonl"};
    DataCheck found = check_data(paths, model);
    const std::string place = files.path().string() + "/";
    for (std::string& mistake : found.mistakes)
      for (auto at = mistake.find(place); at != std::string::npos; at = mistake.find(place))
        mistake.erase(at, place.size());
    return found;
  }
  TemporaryDirectory files;
};

using Mistakes = std::vector<std::string>;

/// The model of letters takes pictures: "!" stands for one, and it takes three hidden states.
struct LettersModel {
  explicit LettersModel(bool answers = false)
      : tokenizer(letters(
            R"({"chat_template": "{% for m in messages %}{% generation %}{% for p in m.content %}{{ '!' if p.type == 'image' else p.text }}{% endfor %}{% endgeneration %}{% endfor %}"})")),
        writer("letters", tokenizer, answers) {
    readers.image = ImageReader{ImageProcessor({}), 2, [](ImageGrid) { return 3; }};
  }
  CheckModel within(std::int64_t window) const { return {tokenizer, writer, readers, window}; }
  Tokenizer tokenizer;
  ConversationWriter writer;
  MediaReaders readers;
};

}  // namespace

TEST_CASE("good samples are counted by what they hold beside text", "[data][check]") {
  const Folder folder;
  const DataCheck found = folder.check(
      "{\"text\": \"a\", \"n\": 1}\n{\"text\": \"\"}\n"
      "{\"text\": \"! b\", \"images\": [\"p.png\", \"p.png\"]}\n"
      R"({"id": 1, "messages": [{"role": "user", "content": [{"type": "audio", "audio": "s.wav"}]}]})"
      "\n");
  CHECK(found.mistakes == Mistakes{});
  CHECK(found.empty_texts == 1);
  CHECK(found.kinds.size() == 3);
  CHECK(found.kinds.at("text").samples == 1);
  CHECK(found.kinds.at("image").pictures == 2);
  CHECK(found.kinds.at("audio").clips == 1);
  CHECK(found.kinds.at("audio").conversations == 1);
  CHECK(found.kinds.at("audio").seconds == 0.5);
  CHECK(found.all().samples == 3);
  CHECK(found.all().tokens == 0);
  CHECK(found.notes == std::map<std::string, std::int64_t>{{"n", 1}, {"id", 1}});
}

TEST_CASE("all bad samples are named, in the order of the file", "[data][check]") {
  const Folder folder;
  const DataCheck found = folder.check(
      "{\"text\": \"a\", \"images\": [\"none.png\"]}\n{\n"
      "{\"text\": \"a\", \"images\": [\"broken.png\"]}\n{\"text\": \"a\"}\n"
      "{\"text\": \"a\", \"audio\": [\"p.png\"]}\n");
  REQUIRE(found.mistakes.size() == 4);
  CHECK_THAT(found.mistakes[0], Catch::StartsWith("a.jsonl:1: none.png: "));
  CHECK_THAT(found.mistakes[1], Catch::StartsWith("a.jsonl:2:"));
  CHECK_THAT(found.mistakes[2], Catch::StartsWith("a.jsonl:3: broken.png: "));
  CHECK_THAT(found.mistakes[3], Catch::StartsWith("a.jsonl:5: p.png: "));
  CHECK(found.all().samples == 1);
}

TEST_CASE("a model judges placeholders, kinds of files and the window", "[data][check]") {
  const Folder folder;
  const LettersModel model;
  const DataCheck found = folder.check(
      "{\"text\": \"!ab\", \"images\": [\"p.png\"]}\n{\"text\": \"ab\", \"images\": [\"p.png\"]}\n"
      "{\"text\": \"!ab\"}\n{\"text\": \"abc!\", \"images\": [\"p.png\"]}\n"
      "{\"text\": \"a\", \"audio\": [\"s.wav\"]}\n{\"text\": \"!abc\", \"images\": [\"p.png\"]}\n",
      model.within(5));
  CHECK(found.mistakes ==
        Mistakes{"a.jsonl:2: the text has 0 image tokens (id 2), but 1 image files are named",
                 "a.jsonl:3: the text has 1 image tokens (id 2), but 0 image files are named",
                 "a.jsonl:4: its images and audio do not fit into a window of 5 tokens",
                 "a.jsonl:5: audio files are named, but the model takes none"});
  const SampleCounts& counts = found.kinds.at("image");
  CHECK(counts.samples == 2);
  CHECK(counts.tokens == 5 + 6);
  CHECK(counts.targets == 2 + 3);
  CHECK(counts.cut == 1);
}

TEST_CASE("of conversations the answers are counted as targets, of texts all", "[data][check]") {
  const Folder folder;
  const LettersModel model(/*answers=*/true);
  const DataCheck found = folder.check(
      R"({"messages": [{"role": "assistant", "content": [{"type": "text", "text": "abc"}]}]})"
      "\n{\"text\": \"abc\"}\n",
      model.within(2));
  CHECK(found.mistakes.empty());
  CHECK(found.kinds.at("text").tokens == 6);
  CHECK(found.kinds.at("text").targets == 4);
  CHECK(found.kinds.at("text").cut == 0);
}

TEST_CASE("a path of no kind that is read ends the check", "[data][check]") {
  const std::vector<std::filesystem::path> paths{"a.pdf"};
  CHECK_THAT(error_message([&] { check_data(paths, {}); }),
             Catch::StartsWith("a.pdf: expected a .txt, .md or .jsonl file"));
}
