#include "data/text/entries.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "data/base/utf8.h"
#include "data/files/file.h"
#include "data/files/link.h"
#include "data/formats/json.h"
#include "data/formats/stand_in.h"
#include "data/text/json_records.h"
#include "data/text/message_media.h"
#include "data/text/question_table.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;

/// Keys that name, number or describe a sample, in the data sets that people share.
constexpr std::array<std::string_view, 42> kNotes{
    "id",         "idx",     "uid",     "uuid",     "hash",        "key",       "name",
    "title",      "source",  "sources", "dataset",  "data_source", "domain",    "category",
    "categories", "subset",  "split",   "task",     "topic",       "tags",      "type",
    "language",   "lang",    "locale",  "url",      "link",        "model",     "author",
    "voice",      "speaker", "license", "licence",  "date",        "timestamp", "created_at",
    "score",      "quality", "meta",    "metadata", "width",       "height",    "duration"};

/// Keys of an object that are read. The first three hold the content.
constexpr std::array<std::string_view, 11> kRead{
    "text",  "messages",  "conversations",       "images", "image", "audio", "audios", "system",
    "tools", "documents", "chat_template_kwargs"};

/// Keys by which other programs mean something that a text's loss or content depends on.
constexpr std::array<std::string_view, 17> kOthers{"prompt",
                                                   "completion",
                                                   "instruction",
                                                   "input",
                                                   "output",
                                                   "query",
                                                   "response",
                                                   "history",
                                                   "chosen",
                                                   "rejected",
                                                   "rejected_response",
                                                   "rejected_messages",
                                                   "label",
                                                   "videos",
                                                   "video",
                                                   "objects",
                                                   "loss_scale"};

bool is_among(std::string_view key, std::span<const std::string_view> keys) {
  return std::ranges::find(keys, key) != keys.end();
}

void require_utf8(std::string_view line, std::string_view file, int number) {
  const std::size_t invalid = find_invalid_utf8(line);
  if (invalid == std::string_view::npos) return;
  throw Error("{}:{}: byte {} is not UTF-8 (0x{:02x})", file, number, invalid + 1,
              line[invalid] & 0xFF);
}

/// Requires UTF-8 of all lines; number: the first one's.
void require_utf8_lines(std::string_view text, std::string_view file, int number) {
  for (; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    require_utf8(line, file, number);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
}

/// The key of an object that holds its content.
std::string_view content_key(const JsonObject& object) {
  std::vector<std::string_view> found;
  for (const std::string_view key : std::span(kRead).first(3))
    if (object.contains(key)) found.push_back(key);
  if (found.size() == 1) return found.front();
  throw Error("{}: expected text, messages or conversations, got {}", object.where(),
              found.empty() ? "none of them" : fmt::format("{}", fmt::join(found, " and ")));
}

/// The files under one of two keys. The second may hold one path alone.
std::vector<fs::path> files_named(const JsonObject& object, std::string_view many,
                                  std::string_view one, const fs::path& directory) {
  const bool has_many = object.contains(many), has_one = object.contains(one);
  if (has_many && has_one)
    throw Error("{}: expected {} or {}, got both", object.where(), many, one);
  std::vector<fs::path> files;
  if (!has_many && !has_one) return files;
  const std::string_view key = has_many ? many : one;
  const std::string place = fmt::format("{}: {}", object.where(), key);
  const bool is_alone = has_one && object.raw()[std::string(one)].is_string();
  for (const std::string& name : is_alone ? std::vector{object.string(key)} : object.strings(key))
    files.push_back(named_file(name, directory, place));
  return files;
}

/// Lists the keys without effect, and refuses those that would be passed over.
std::vector<std::string> notes_of(const JsonObject& object, bool is_text) {
  std::vector<std::string> notes;
  for (const std::string& key : object.keys()) {
    if (!object.contains(key) || is_among(key, kRead)) continue;
    if (is_among(key, kOthers) || !(is_text || is_note(key)))
      throw Error(
          "{}: {} is not read; expected no keys but {} and notes (id, source, … or any that begins "
          "with _)",
          object.where(), printable(key), fmt::join(kRead, ", "));
    notes.push_back(key);
  }
  return notes;
}

Entry read_object(const JsonObject& object, const JsonRecord& record, const std::string& origin,
                  const fs::path& directory) {
  const std::string_view key = content_key(object);
  Entry entry{.origin = origin, .content = std::string()};
  for (const fs::path& file : files_named(object, "images", "image", directory))
    entry.media.images.emplace_back(file);
  entry.media.audio = files_named(object, "audios", "audio", directory);
  entry.notes = notes_of(object, key == "text");
  if (key == "text") {
    entry.content = object.string(key);
  } else {
    Conversation conversation = read_conversation(object, record.text, key);
    entry.media = take_media(conversation.messages, std::move(entry.media), directory, origin);
    entry.content = std::move(conversation);
  }
  return entry;
}

void read_json(std::string_view text, const fs::path& path, const std::function<void(Entry)>& visit,
               const OnMistake& on_mistake) {
  const std::string file = path.string();
  for_each_json_record(
      text, file,
      [&](const JsonRecord& record) {
        const std::string origin = fmt::format("{}:{}", file, record.line);
        try {
          require_utf8_lines(record.text, file, record.line);
          visit(read_object(JsonObject::parse_line(record.text, origin), record, origin,
                            path.parent_path()));
        } catch (const Error& error) {
          on_mistake(error);
        }
      },
      on_mistake);
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

}  // namespace

bool is_note(std::string_view key) { return key.starts_with('_') || is_among(key, kNotes); }

void for_each_entry_in(std::string text, const fs::path& path,
                       const std::function<void(Entry)>& visit, const OnMistake& on_mistake) {
  const fs::path kind = path.extension();
  if (text.starts_with("\uFEFF")) text.erase(0, 3);  // a byte order mark is no text
  if (kind == ".jsonl" || kind == ".json") return read_json(text, path, visit, on_mistake);
  if (const auto found = lfs_pointer(text)) throw Error("{}: {}", path.string(), *found);
  require_utf8_lines(text, path.string(), 1);
  if (kind == ".tsv") return read_question_table(text, path, visit, on_mistake);
  visit({.origin = path.string(), .content = std::move(text)});
}

void for_each_entry(const fs::path& path, const std::function<void(Entry)>& visit,
                    const OnMistake& on_mistake) {
  const bool is_directory = fs::is_directory(path);
  const fs::path kind = path.extension();
  const auto read = [&](const fs::path& file) {
    try {
      for_each_entry_in(read_file(file), file, visit, on_mistake);
    } catch (const Error& error) {
      on_mistake(error);
    }
  };
  if (is_directory) {
    for (const fs::path& file : text_files(path)) read(file);
  } else if (is_text_file(path) || kind == ".json" || kind == ".tsv") {
    read(path);
  } else {
    throw Error(
        "{}: expected a .txt, .md or .jsonl file, a .json list, a .tsv table or a directory of the "
        "first three",
        path.string());
  }
}

}  // namespace dualpath::data
