#include "data/text/text.h"

#include <catch2/catch.hpp>

#include "data/files/atomic_file.h"
#include "tests/data/letters.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
namespace fs = std::filesystem;

namespace {

/// Writes the content into a fresh file and reads it as documents.
struct TextFile {
  TextFile(const std::string& name, std::string_view content) : path(directory.path() / name) {
    write_file(path, content);
  }
  TemporaryDirectory directory;
  std::filesystem::path path;
};

std::vector<std::string> texts(const std::vector<Document>& documents) {
  std::vector<std::string> texts;
  for (const Document& document : documents) texts.push_back(document.text);
  return texts;
}

/// One document for each count, of so many characters.
std::vector<Document> documents_of(const std::vector<std::size_t>& lengths) {
  std::vector<Document> documents;
  for (const std::size_t length : lengths) documents.push_back({std::string(length, 'x'), ""});
  return documents;
}

std::array<std::size_t, 3> sizes(const DocumentSplit& split) {
  return {split.train.size(), split.selection.size(), split.test.size()};
}

using Texts = std::vector<std::string>;
using Sizes = std::array<std::size_t, 3>;

}  // namespace

TEST_CASE("a plain file is one document, without its byte order mark", "[data][text]") {
  const TextFile file("a.txt", "\uFEFFone\ntwo\n");
  const auto documents = documents_in(file.path);
  CHECK(texts(documents) == Texts{"one\ntwo\n"});
  CHECK(documents[0].origin == file.path.string());
}

TEST_CASE("JSON lines are a document each; blank lines and empty texts are left out",
          "[data][text]") {
  const TextFile file(
      "a.jsonl", "{\"text\": \"one\"}\r\n\n{\"text\": \"\"}\n{\"text\": \"tw\\u00f6\", \"n\": 1}");
  const auto documents = documents_in(file.path);
  CHECK(texts(documents) == Texts{"one", "twö"});
  CHECK(documents[1].origin == file.path.string() + ":4");
}

TEST_CASE("a directory is its text files by name", "[data][text]") {
  const TextFile b("b.md", "second"), a("a.jsonl", "{\"text\": \"first\"}");
  write_file(a.directory.path() / "b.md", "second");
  write_file(a.directory.path() / "c.bin", "\xFF");
  CHECK(texts(documents_in(a.directory.path())) == Texts{"first", "second"});
}

TEST_CASE("a Git LFS pointer is no text to train on; a page is", "[data][text]") {
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\nsize 5\n";
  for (const char* name : {"a.txt", "a.md", "a.jsonl"}) {
    const TextFile file(name, pointer);
    CHECK_THAT(
        error_message([&] { documents_in(file.path); }),
        Catch::StartsWith(file.path.string()) && Catch::Contains(": is a Git LFS pointer, "));
  }
  CHECK(texts(documents_in(TextFile("a.txt", "<html>one</html>").path)) ==
        Texts{"<html>one</html>"});
}

TEST_CASE("a text of a directory that is a link to nothing is named", "[data][text]") {
  const TextFile a("a.txt", "first");
  const fs::path& directory = a.directory.path();
  fs::create_symlink("nowhere", directory / "notes");
  fs::create_symlink("a.txt", directory / "b.txt");
  fs::create_directory(directory / "c.txt");
  CHECK(texts(documents_in(directory)) == Texts{"first", "first"});
  fs::create_symlink("nowhere", directory / "d.txt");
  CHECK(error_message([&] { documents_in(directory); }) ==
        (directory / "d.txt").string() + ": is a link to nowhere, which does not exist");
}

TEST_CASE("a broken line of text is named", "[data][text]") {
  const auto fails = [](const char* name, const std::string& content, const std::string& message) {
    const TextFile file(name, content);
    CHECK_THROWS_WITH(documents_in(file.path), Catch::Contains(file.path.string() + message));
  };
  fails("a.txt", "one\ntw\xF6\n", ":2: byte 3 is not UTF-8 (0xf6)");
  fails("a.jsonl", "{\"text\": \"one\"}\n{\"text\": \"tw\xF6\"}", ":2: byte 13 is not UTF-8");
  fails("a.jsonl", "{\"text\": \"one\"}\n{\"body\": 1}",
        ":2: expected text, messages or conversations, got none of them");
  fails("a.jsonl", R"({"text": "one", "messages": [], "conversations": []})",
        ":1: expected text, messages or conversations, got text and messages and conversations");
  fails("a.jsonl", "{\"text\": 7}", ":1: text: ");
  fails("a.jsonl", "[1]", ":1: ");
  fails("a.jsonl", "{\"text\": ", ":1:10: not valid JSON: ");
  fails("a.txt", "", ": there is no text in it");
  fails("a.jsonl", "\n", ": there is no text in it");
  fails("a.pdf", "x", ": expected a .txt, .md or .jsonl file");
  CHECK_THROWS_WITH(documents_in(TemporaryDirectory().path()), Catch::Contains("there is no text"));
  CHECK_THROWS_WITH(documents_in("no/such.txt"), Catch::Contains("no/such.txt"));
}

TEST_CASE("a split keeps the order and puts its boundaries nearest to the shares", "[data][text]") {
  const auto documents = documents_of({40, 40, 10, 10});
  const DocumentSplit split = split_documents(documents, {0.8, 0.1, 0.1});
  CHECK(sizes(split) == Sizes{2, 1, 1});
  CHECK(split.train.data() == &documents[0]);
  CHECK(split.selection.data() == &documents[2]);
  CHECK(split.test.data() == &documents[3]);
  CHECK(sizes(split_documents(documents, {0.4, 0.4, 0.2})) == Sizes{1, 1, 2});
}

TEST_CASE("no part of a split is empty", "[data][text]") {
  CHECK(sizes(split_documents(documents_of({1, 1, 98}), {0.8, 0.1, 0.1})) == Sizes{1, 1, 1});
  CHECK(sizes(split_documents(documents_of({98, 1, 1}), {0.1, 0.1, 0.8})) == Sizes{1, 1, 1});
  CHECK_THROWS_WITH(split_documents(documents_of({5, 5}), {0.8, 0.1, 0.1}),
                    Catch::Contains("at least 3 documents") && Catch::Contains("got 2"));
  CHECK_THROWS_WITH(split_documents(documents_of({5, 5, 5}), {0.9, 0.1, 0.0}),
                    Catch::Contains("got 0.9, 0.1 and 0"));
}

TEST_CASE("a split counts characters, not bytes", "[data][text]") {
  const std::vector<Document> documents{{"漢漢", ""}, {"漢漢", ""}, {"xxxxx", ""}, {"xxx", ""}};
  CHECK(sizes(split_documents(documents, {0.35, 0.4, 0.25})) ==
        Sizes{2, 1, 1});  // by bytes 1, 1, 2
}
