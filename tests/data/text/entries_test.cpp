#include "data/text/entries.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
using nlohmann::ordered_json;

namespace {

/// Reads one file. Places in it lose the folder.
struct ReadFile {
  ReadFile(const std::string& name, std::string_view content) {
    write_plain(folder / name, content);
    for_each_entry(
        folder / name, [&](Entry entry) { entries.push_back(std::move(entry)); },
        [&](const Error& error) { mistakes.push_back(without_folder(error.what())); });
  }
  std::string without_folder(std::string text) const {
    const std::string place = folder.path().string() + "/";
    for (auto at = text.find(place); at != std::string::npos; at = text.find(place))
      text.erase(at, place.size());
    return text;
  }
  /// Each entry's place and content, as JSON for conversations.
  std::vector<std::string> contents() const {
    std::vector<std::string> texts;
    for (const Entry& entry : entries) {
      const auto* text = std::get_if<std::string>(&entry.content);
      texts.push_back(without_folder(entry.origin) + " " +
                      (text ? *text : std::get<Conversation>(entry.content).messages.dump()));
    }
    return texts;
  }
  std::vector<std::string> files(std::size_t entry) const {
    std::vector<std::string> names;
    for (const MediaFile& image : entries.at(entry).media.images)
      names.push_back(without_folder(image.name()));
    for (const auto& clip : entries.at(entry).media.audio)
      names.push_back(without_folder(clip.string()));
    return names;
  }

  TemporaryDirectory folder;
  std::vector<Entry> entries;
  std::vector<std::string> mistakes;
};

using Texts = std::vector<std::string>;

/// The mistake of one line, without its place.
std::string mistake_of(const std::string& line) {
  const ReadFile read("a.jsonl", line);
  REQUIRE(read.mistakes.size() == 1);
  CHECK(read.entries.empty());
  const std::string place = "a.jsonl:1: ";
  CHECK(read.mistakes[0].starts_with(place));
  return read.mistakes[0].substr(place.size());
}

std::string conversation_with(const std::string& more, const std::string& question) {
  return "{" + more + R"("messages": [{"role": "user", "content": )" + question +
         R"(}, {"role": "assistant", "content": "a"}]})";
}

std::string question_in(const ReadFile& read) {
  REQUIRE(read.mistakes.empty());
  return std::get<Conversation>(read.entries.at(0).content).messages[0]["content"].dump();
}

}  // namespace

TEST_CASE("every bad line is named, and the good ones between them are read", "[data][entries]") {
  const ReadFile read("a.jsonl",
                      "{\"text\": \"one\"}\n{\"text\": \n\n{\"body\": 1}\n{\"text\": \"tw\xF6\"}\n"
                      "{\"text\": \"three\"}\n");
  CHECK(read.contents() == Texts{"a.jsonl:1 one", "a.jsonl:6 three"});
  REQUIRE(read.mistakes.size() == 3);
  CHECK_THAT(read.mistakes[0], Catch::StartsWith("a.jsonl:2:10: not valid JSON"));
  CHECK(read.mistakes[1] ==
        "a.jsonl:4: expected text, messages or conversations, got none of them");
  CHECK(read.mistakes[2] == "a.jsonl:5: byte 13 is not UTF-8 (0xf6)");
}

TEST_CASE("a list of objects is read as lines are, each by its first line", "[data][entries]") {
  const ReadFile read("a.json",
                      "\n[ {\"text\": \"a], {\\\"\"},\n  {\n  \"text\": \"b\"\n}, {\"text\": 1},\n"
                      "{\n\"text\": x} ]\n");
  CHECK(read.contents() == Texts{"a.json:2 a], {\"", "a.json:3 b"});
  REQUIRE(read.mistakes.size() == 2);
  CHECK(read.mistakes[0] == "a.json:5: text: expected a string, got 1");
  CHECK_THAT(read.mistakes[1], Catch::StartsWith("a.json:7:9: not valid JSON"));
  CHECK(ReadFile("a.jsonl", "[{\"text\": \"a\"}]").contents() == Texts{"a.jsonl:1 a"});
  CHECK(ReadFile("a.json", "[]").mistakes.empty());
}

TEST_CASE("a list that does not end, or has more behind it, is a mistake", "[data][entries]") {
  const ReadFile open("a.json", "[{\"text\": \"a\"},\n{\"text\": \"b\"}\n");
  CHECK(open.contents() == Texts{"a.json:1 a"});
  CHECK(open.mistakes == Texts{"a.json:2: not valid JSON: the list does not end"});
  const ReadFile more("a.json", "[{\"text\": \"a\"}]\n{}");
  CHECK(more.contents() == Texts{"a.json:1 a"});
  CHECK(more.mistakes == Texts{"a.json:2: not valid JSON: expected nothing behind the list"});
  CHECK(ReadFile("a.json", "[{\"text\": \"a\"},]").mistakes.size() == 1);
}

TEST_CASE("a part may name its file, relative to the line's own", "[data][entries]") {
  const ReadFile one("a.jsonl", conversation_with("", R"([{"type": "image", "image": "p/a.png"}, )"
                                                      R"({"type": "audio", "audio": "/c.wav"}])"));
  CHECK(question_in(one) == R"([{"type":"image"},{"type":"audio"}])");
  CHECK(one.files(0) == Texts{"p/a.png", "/c.wav"});
}

TEST_CASE("placeholders of LLaVA, LLaMA-Factory and ms-swift become parts", "[data][entries]") {
  const ReadFile llava("a.json",
                       R"([{"id": "7", "image": "a.jpg", "conversations": [
           {"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cat."}]}])");
  CHECK(question_in(llava) == R"([{"type":"image"},{"type":"text","text":"\nWhat?"}])");
  CHECK(llava.files(0) == Texts{"a.jpg"});
  CHECK(llava.entries[0].notes == Texts{"id"});
  const ReadFile swift("a.jsonl",
                       conversation_with(R"("images": ["a.png", "b.png"], "audios": ["c.wav"], )",
                                         R"("<audio>x<image><image>y")"));
  CHECK(question_in(swift) == R"([{"type":"audio"},{"type":"text","text":"x"},{"type":"image"},)"
                              R"({"type":"image"},{"type":"text","text":"y"}])");
  CHECK(swift.files(0) == Texts{"a.png", "b.png", "c.wav"});
}

TEST_CASE("a placeholder is text where the line names no file", "[data][entries]") {
  CHECK(question_in(ReadFile("a.jsonl", conversation_with("", R"("the tag <image> of SVG")"))) ==
        R"("the tag <image> of SVG")");
  CHECK(question_in(ReadFile(
            "a.jsonl", conversation_with(R"("image": "a.png", )", R"("<|model's own|> what?")"))) ==
        R"("<|model's own|> what?")");
}

TEST_CASE("files and their parts or placeholders must be as many", "[data][entries]") {
  CHECK(mistake_of(conversation_with(R"("images": ["a", "b"], )", R"("<image>")")) ==
        "the messages have 1 <image> placeholders, but 2 image files are named");
  CHECK(mistake_of(conversation_with("", R"([{"type": "audio"}])")) ==
        "the messages have 1 audio parts, but 0 audio files are named");
  CHECK(
      mistake_of(conversation_with(R"("image": "a", )", R"([{"type": "image", "image": "b"}])")) ==
      "expected each image file in a part or all of them in the line, got both");
  CHECK(mistake_of(conversation_with("", R"([{"type": "video"}])")) ==
        "messages[0].content[0].type: expected text, image or audio, got video");
  CHECK(mistake_of(conversation_with(R"("image": "a", "images": ["a"], )", R"("b")")) ==
        "expected images or image, got both");
  CHECK(mistake_of(conversation_with(R"("image": "https://a/b.png", )", R"("<image>")")) ==
        "image: expected a file, got an address, https://a/b.png");
}

TEST_CASE("a key is used, a note without effect, or refused by name", "[data][entries]") {
  CHECK(mistake_of(conversation_with(R"("videos": ["a.mp4"], )", R"("b")"))
            .starts_with("videos is not read; expected no keys but text, messages, "));
  CHECK(mistake_of(conversation_with(R"("imags": ["a.png"], )", R"("b")"))
            .starts_with("imags is not read"));
  CHECK(mistake_of(R"({"text": "a", "completion": "b"})").starts_with("completion is not read"));
  const ReadFile read("a.jsonl", R"({"text": "a", "n": 1, "_mine": 2, "source": null})");
  CHECK(read.contents() == Texts{"a.jsonl:1 a"});
  CHECK(read.entries[0].notes == Texts{"_mine", "n"});
  CHECK(mistake_of(R"({"conversations": [{"from": "gpt", "value": "a", "masked": true}]})") ==
        "conversations[0].masked: is not read; expected from, value, weight, loss or notes");
}

TEST_CASE("an answer that says nothing is a mistake, unless it is left out", "[data][entries]") {
  CHECK(mistake_of(R"({"messages": [{"role": "assistant", "content": " \n"}]})") ==
        "messages[0].content: expected an answer, got an empty one");
  CHECK(mistake_of(R"({"conversations": [{"from": "gpt", "value": ""}]})") ==
        "conversations[0].value: expected an answer, got an empty one");
  for (const char* rest : {R"("weight": 0)", R"("loss": false)", R"("tool_calls": [{}])"}) {
    const std::string line =
        R"({"messages": [{"role": "assistant", "content": "", )" + std::string(rest) + "}]}";
    CHECK(ReadFile("a.jsonl", line).mistakes.empty());
  }
  CHECK(mistake_of(R"({"messages": [{"role": "assistant", "content": "a", "loss": 2}]})") ==
        "messages[0].loss: expected 0 or 1, got 2");
}

TEST_CASE("VLMEvalKit's table is questions with their pictures and options", "[data][entries]") {
  const std::string picture(80, 'A');
  const ReadFile read(
      "a.tsv", "index\timage\tquestion\thint\tA\tB\tanswer\tcategory\tl2-category\n0\t" + picture +
                   "\tWhich?\tLook.\ta cat\t\"a \"\"dog\"\"\"\tB\tpets\tx\n1\t0\t" +
                   "\"How\nmany?\"\t\t\t\t2\tpets\tx\n");
  CHECK(read.mistakes.empty());
  REQUIRE(read.entries.size() == 2);
  CHECK(read.contents()[0] ==
        "a.tsv:2 " + ordered_json::array(
                         {{{"role", "user"},
                           {"content",
                            {{{"type", "image"}},
                             {{"type", "text"},
                              {"text",
                               "Hint: Look.\nQuestion: Which?\nOptions:\nA. a cat\nB. a \"dog\"\n"
                               "Please select the correct answer from the options above."}}}}},
                          {{"role", "assistant"}, {"content", "B"}}})
                         .dump());
  CHECK_THAT(read.contents()[1],
             Catch::Contains(R"("text":"How\nmany?")") && Catch::Contains(R"("content":"2")"));
  CHECK(read.entries[0].notes == Texts{"category", "l2-category"});
  CHECK(read.files(0) == Texts{"a.tsv:2: image"});
  CHECK(read.files(1) == read.files(0));
  CHECK(read_bytes(read.entries[1].media.images[0], 1000) == std::string(60, '\0'));
}

TEST_CASE("pictures of a table may be lists and paths", "[data][entries]") {
  const std::string base64 = "aGVsbG8gd29ybGQ=";
  const ReadFile read("a.tsv",
                      "question\tanswer\timage\timage_path\nq\ta\t\t['p/a.png', 'b.png']\n" +
                          std::string("q\ta\t['") + base64 + "', '" + base64 + "']\t\n");
  CHECK(read.mistakes.empty());
  REQUIRE(read.entries.size() == 2);
  CHECK(read.files(0) == Texts{"p/a.png", "b.png"});
  REQUIRE(read.entries[1].media.images.size() == 2);
  CHECK(read_bytes(read.entries[1].media.images[1], 1000) == "hello world");
}

TEST_CASE("what is wrong with a table is named by its line", "[data][entries]") {
  const auto mistakes = [](const std::string& text) { return ReadFile("a.tsv", text).mistakes; };
  CHECK(mistakes("question\tanswer\timage\nq\ta\n\ta\tx\nq\t\tx\nq\ta\tx\n") ==
        Texts{"a.tsv:2: expected 3 cells, got 2",
              "a.tsv:3: image: expected base64 or the index of an earlier row, got x",
              "a.tsv:4: image: expected base64 or the index of an earlier row, got x",
              "a.tsv:5: image: expected base64 or the index of an earlier row, got x"});
  CHECK(mistakes("question\tanswer\timage_path\n\ta\tx\nq\t\tx\nq\ta\t\n") ==
        Texts{"a.tsv:2: question: expected one, got an empty cell",
              "a.tsv:3: answer: expected one, got an empty cell",
              "a.tsv:4: image: expected an image"});
  CHECK(mistakes("question\tanswer\timage\tvideo\n") ==
        Texts{"a.tsv:1: column video is not read; expected index, image, image_path, question, "
              "hint, A to Z, answer or notes"});
  CHECK(mistakes("question\timage\n") == Texts{"a.tsv:1: expected a column answer"});
  CHECK(mistakes("question\tanswer\tquestion\n") ==
        Texts{"a.tsv:1: column question is given twice"});
}
