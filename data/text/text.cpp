#include "data/text/text.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "data/base/error.h"
#include "data/base/utf8.h"
#include "data/files/file.h"
#include "data/files/link.h"
#include "data/formats/json.h"
#include "data/formats/stand_in.h"
#include "data/text/conversation.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;

/// Calls visit(line, origin) for each line, without its end; origin is "file:line".
void for_each_line(std::string_view text, const fs::path& path,
                   const std::function<void(std::string_view, const std::string&)>& visit) {
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    visit(text.substr(0, end), fmt::format("{}:{}", path.string(), number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void require_utf8(std::string_view line, const std::string& origin) {
  const std::size_t invalid = find_invalid_utf8(line);
  if (invalid == std::string_view::npos) return;
  throw Error("{}: byte {} is not UTF-8 (0x{:02x})", origin, invalid + 1, line[invalid] & 0xFF);
}

void add(Document document, std::vector<Document>& documents) {
  if (!document.text.empty()) documents.push_back(std::move(document));
}

void read_plain(std::string text, const fs::path& path, std::vector<Document>& documents) {
  if (const auto found = lfs_pointer(text)) throw Error("{}: {}", path.string(), *found);
  for_each_line(text, path, require_utf8);
  add({std::move(text), path.string()}, documents);
}

std::vector<fs::path> files_named(const JsonObject& object, const char* key,
                                  const fs::path& directory) {
  std::vector<fs::path> files;
  if (!object.contains(key)) return files;
  for (const std::string& name : object.strings(key)) files.push_back(directory / name);
  return files;
}

/// The key of the line that holds a document.
std::string_view content_key(const JsonObject& object) {
  std::vector<std::string_view> found;
  for (const char* key : {"text", "messages", "conversations"})
    if (object.contains(key)) found.push_back(key);
  if (found.size() == 1) return found.front();
  throw Error("{}: expected text, messages or conversations, got {}", object.where(),
              found.empty() ? "none of them" : fmt::format("{}", fmt::join(found, " and ")));
}

Document written(const ConversationWriter& writer, const Conversation& conversation,
                 const std::string& origin) {
  try {
    auto [text, answers] = writer.write(conversation);
    return {.text = std::move(text),
            .origin = origin,
            .is_conversation = true,
            .answers = std::move(answers)};
  } catch (const Error& error) {
    throw Error("{}: {}", origin, error.what());
  }
}

Document read_line(std::string_view line, const std::string& origin, const fs::path& directory,
                   const ConversationWriter& writer) {
  const JsonObject object = JsonObject::parse_line(line, origin);
  const std::string_view key = content_key(object);
  Document document;
  if (key == "text") {
    document = {object.string(key), origin};
  } else {
    document = written(writer, read_conversation(object, line, key), origin);
  }
  document.media = {files_named(object, "images", directory),
                    files_named(object, "audio", directory)};
  return document;
}

void read_json_lines(const std::string& text, const fs::path& path,
                     const ConversationWriter& writer, std::vector<Document>& documents) {
  for_each_line(text, path, [&](std::string_view line, const std::string& origin) {
    require_utf8(line, origin);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    add(read_line(line, origin, path.parent_path(), writer), documents);
  });
}

bool is_text_file(const fs::path& path) {
  const fs::path kind = path.extension();
  return kind == ".txt" || kind == ".md" || kind == ".jsonl";
}

std::vector<fs::path> text_files(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const fs::path& file = entry.path();
    if (is_text_file(file) && exists_behind_links(file) && entry.is_regular_file())
      files.push_back(file);
  }
  std::ranges::sort(files);
  return files;
}

void read_text_file(const fs::path& path, const ConversationWriter& writer,
                    std::vector<Document>& documents) {
  std::string text = read_file(path);
  if (text.starts_with("\uFEFF")) text.erase(0, 3);  // a byte order mark is no text
  if (path.extension() == ".jsonl") {
    read_json_lines(text, path, writer, documents);
  } else {
    read_plain(std::move(text), path, documents);
  }
}

/// The boundary from `least` to `most` with the characters before it closest to `target`; before[i]
/// counts those of the first i documents.
std::size_t nearest_boundary(const std::vector<double>& before, double target, std::size_t least,
                             std::size_t most) {
  std::size_t best = least;
  for (std::size_t i = least; i <= most; ++i) {
    if (std::abs(before[i] - target) < std::abs(before[best] - target)) best = i;
  }
  return best;
}

void check(const SplitFractions& f) {
  const bool positive = f.train > 0 && f.selection > 0 && f.test > 0;
  if (!positive || std::abs(f.train + f.selection + f.test - 1) > 1e-6) {
    throw Error("split: expected three fractions above 0 that sum to 1, got {}, {} and {}", f.train,
                f.selection, f.test);
  }
}

}  // namespace

std::vector<Document> read_documents(const fs::path& path, const ConversationWriter& writer) {
  const bool is_directory = fs::is_directory(path);
  if (!is_directory && !is_text_file(path)) {
    throw Error("{}: expected a .txt, .md or .jsonl file or a directory of these", path.string());
  }
  std::vector<Document> documents;
  for (const fs::path& file : is_directory ? text_files(path) : std::vector{path}) {
    read_text_file(file, writer, documents);
  }
  if (documents.empty()) throw Error("{}: there is no text in it", path.string());
  return documents;
}

DocumentSplit split_documents(std::span<const Document> documents,
                              const SplitFractions& fractions) {
  check(fractions);
  if (documents.size() < 3) {
    throw Error("split: expected at least 3 documents (training, selection, test), got {}",
                documents.size());
  }
  std::vector<double> before{0};
  for (const Document& document : documents) {
    before.push_back(before.back() + static_cast<double>(count_code_points(document.text)));
  }
  const double total = before.back();
  const std::size_t n = documents.size();
  const std::size_t selection = nearest_boundary(before, fractions.train * total, 1, n - 2);
  const std::size_t test = nearest_boundary(before, (fractions.train + fractions.selection) * total,
                                            selection + 1, n - 1);
  return {.train = documents.first(selection),
          .selection = documents.subspan(selection, test - selection),
          .test = documents.subspan(test)};
}

}  // namespace dualpath::data
