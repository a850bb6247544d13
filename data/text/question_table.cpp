#include "data/text/question_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "data/formats/tsv.h"
#include "data/text/message_media.h"

namespace dualpath::data {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

/// The longest text that may be another row's index, and no picture.
constexpr std::size_t kLongestIndex = 64;

/// Columns that are numbers or names of a question and no part of it.
constexpr std::array<std::string_view, 2> kColumnNotes{"l2-category", "bench"};

bool is_option(std::string_view column) {
  return column.size() == 1 && column[0] >= 'A' && column[0] <= 'Z';
}

bool is_empty_cell(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos || text == "nan";
}

/// The columns of a table by name.
class Columns {
 public:
  Columns(const TsvReader& reader, const TsvRow& header, const std::string& origin) {
    for (std::size_t i = 0; i < header.cells.size(); ++i) {
      const std::string name = reader.value(header.cells[i]);
      if (!places_.emplace(name, i).second)
        throw Error("{}: column {} is given twice", origin, printable(name));
      if (is_note(name) || std::ranges::find(kColumnNotes, name) != kColumnNotes.end()) {
        notes_.push_back(name);
      } else if (name != "index" && name != "image" && name != "image_path" && name != "question" &&
                 name != "hint" && name != "answer" && !is_option(name)) {
        throw Error(
            "{}: column {} is not read; expected index, image, image_path, question, hint, A to Z, "
            "answer or notes",
            origin, printable(name));
      }
    }
    for (const char* needed : {"question", "answer"})
      if (!places_.contains(needed)) throw Error("{}: expected a column {}", origin, needed);
    if (!places_.contains("image") && !places_.contains("image_path"))
      throw Error("{}: expected a column image or image_path", origin);
  }

  std::optional<std::size_t> find(const std::string& name) const {
    const auto found = places_.find(name);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
  }
  const std::vector<std::string>& notes() const { return notes_; }
  std::vector<std::string> options() const {
    std::vector<std::string> names;
    for (const auto& [name, place] : places_)
      if (is_option(name)) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, std::size_t> places_;
  std::vector<std::string> notes_;
};

/// The pieces of a text: those between quotes if it is a list in Python's writing, else all of it.
std::vector<ByteRange> pieces_of(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return {{0, text.size()}};
  std::vector<ByteRange> pieces;
  for (std::size_t at = text.find_first_of("'\""); at != std::string_view::npos;
       at = text.find_first_of("'\"", at)) {
    const std::size_t end = std::min(text.find(text[at], at + 1), text.size());
    pieces.push_back({at + 1, end});
    at = std::min(end + 1, text.size());
  }
  return pieces;
}

class QuestionTable {
 public:
  QuestionTable(std::string_view text, const fs::path& path)
      : text_(text), path_(path), reader_(text, path.string()) {}

  void read(const std::function<void(Entry)>& visit, const OnMistake& on_mistake) {
    TsvRow row;
    if (!reader_.next(row)) return;
    columns_.emplace(reader_, row, fmt::format("{}:{}", path_.string(), row.line));
    width_ = row.cells.size();
    while (true) {
      try {
        if (!reader_.next(row)) return;
        visit(entry_of(row));
      } catch (const Error& error) {
        on_mistake(error);
      }
    }
  }

 private:
  Entry entry_of(const TsvRow& row) {
    Entry entry;
    entry.origin = fmt::format("{}:{}", path_.string(), row.line);
    if (row.cells.size() != width_)
      throw Error("{}: expected {} cells, got {}", entry.origin, width_, row.cells.size());
    entry.notes = columns_->notes();
    entry.media.images = images_of(row, entry.origin);
    ordered_json content = ordered_json::array();
    for (std::size_t i = 0; i < entry.media.images.size(); ++i)
      content.push_back({{"type", "image"}});
    content.push_back({{"type", "text"}, {"text", question_of(row, entry.origin)}});
    const std::string answer = cell(row, "answer");
    if (is_empty_cell(answer))
      throw Error("{}: answer: expected one, got an empty cell", entry.origin);
    entry.content = Conversation{
        .messages = ordered_json::array({{{"role", "user"}, {"content", std::move(content)}},
                                         {{"role", "assistant"}, {"content", answer}}}),
        .variables = ordered_json::object()};
    return entry;
  }

  std::string cell(const TsvRow& row, const std::string& column) const {
    const auto place = columns_->find(column);
    return place ? reader_.value(row.cells[*place]) : "";
  }

  std::string question_of(const TsvRow& row, const std::string& origin) const {
    const std::string question = cell(row, "question"), hint = cell(row, "hint");
    if (is_empty_cell(question))
      throw Error("{}: question: expected one, got an empty cell", origin);
    std::string options;
    for (const std::string& name : columns_->options()) {
      const std::string option = cell(row, name);
      if (!is_empty_cell(option)) options += fmt::format("{}. {}\n", name, option);
    }
    if (options.empty() && is_empty_cell(hint)) return question;
    std::string text = is_empty_cell(hint) ? "" : fmt::format("Hint: {}\n", hint);
    text += fmt::format("Question: {}", question);
    if (!options.empty())
      text += fmt::format("\nOptions:\n{}Please select the correct answer from the options above.",
                          options);
    return text;
  }

  std::vector<MediaFile> images_of(const TsvRow& row, const std::string& origin) {
    const std::string paths = cell(row, "image_path");
    if (!is_empty_cell(paths)) return named_images(paths, origin + ": image_path");
    const auto place = columns_->find("image");
    const std::string place_text = origin + ": image";
    if (!place || is_empty_cell(reader_.value(row.cells[*place])))
      throw Error("{}: expected an image", place_text);
    std::vector<MediaFile> images = embedded_images(row.cells[*place], place_text);
    const std::string index = cell(row, "index");
    if (!index.empty()) by_index_[index] = images;
    return images;
  }

  std::vector<MediaFile> named_images(std::string_view paths, const std::string& place) const {
    std::vector<MediaFile> images;
    for (const auto [begin, end] : pieces_of(paths))
      images.emplace_back(
          named_file(std::string(paths.substr(begin, end - begin)), path_.parent_path(), place));
    if (images.empty()) throw Error("{}: expected a path", place);
    return images;
  }

  std::vector<MediaFile> embedded_images(const TsvCell& cell, const std::string& place) const {
    const auto [begin, end] = cell.bytes;
    const std::string_view raw = text_.substr(begin, end - begin);
    if (cell.has_quotes) throw Error("{}: expected base64, got a quote in it", place);
    if (raw.size() <= kLongestIndex && !raw.starts_with('[')) {
      const auto found = by_index_.find(std::string(raw));
      if (found == by_index_.end())
        throw Error("{}: expected base64 or the index of an earlier row, got {}", place,
                    printable(raw));
      return found->second;
    }
    std::vector<MediaFile> images;
    for (const auto piece : pieces_of(raw))
      images.emplace_back(path_, ByteRange{begin + piece.begin, begin + piece.end}, place);
    if (images.empty()) throw Error("{}: expected base64", place);
    return images;
  }

  std::string_view text_;
  const fs::path& path_;
  TsvReader reader_;
  std::optional<Columns> columns_;
  std::size_t width_ = 0;
  std::map<std::string, std::vector<MediaFile>> by_index_;
};

}  // namespace

void read_question_table(std::string_view text, const fs::path& path,
                         const std::function<void(Entry)>& visit, const OnMistake& on_mistake) {
  QuestionTable(text, path).read(visit, on_mistake);
}

}  // namespace dualpath::data
