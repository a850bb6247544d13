#include "data/text/message_media.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

using nlohmann::ordered_json;
namespace fs = std::filesystem;

std::size_t times_in(std::string_view text, std::string_view placeholder) {
  std::size_t count = 0;
  for (auto at = text.find(placeholder); at != std::string_view::npos;
       at = text.find(placeholder, at + placeholder.size()))
    ++count;
  return count;
}

/// The parts and placeholders of one kind of file.
struct Kind {
  std::string type;         ///< of a part, and the key of its file
  std::string placeholder;  ///< in a string
  std::size_t bare = 0;     ///< parts that name no file
  std::size_t written = 0;  ///< placeholders in strings
  std::vector<fs::path> named = {};
};

/// Calls visit for each string that a template may write.
template <class Visit>
void for_each_text(ordered_json& messages, const Visit& visit) {
  for (ordered_json& message : messages) {
    const auto content = message.find("content");
    if (content == message.end()) continue;
    if (content->is_string()) visit(content->get_ref<const std::string&>());
    if (!content->is_array()) continue;
    for (const ordered_json& part : *content)
      if (part["type"] == "text") visit(part["text"].get_ref<const std::string&>());
  }
}

class Media {
 public:
  Media(ordered_json& messages, const fs::path& directory, const std::string& origin)
      : messages_(messages), directory_(directory), origin_(origin) {
    for (std::size_t i = 0; i < messages_.size(); ++i) look_at_parts(i);
    for_each_text(messages_, [&](std::string_view text) {
      for (Kind* kind : {&image_, &audio_}) kind->written += times_in(text, kind->placeholder);
    });
  }

  Kind& image() { return image_; }
  Kind& audio() { return audio_; }

  /// Checks one kind against the files that the line names. Returns whether its placeholders are to
  /// become parts.
  bool is_written(const Kind& kind, std::size_t files) const {
    if (!kind.named.empty()) {
      if (files + kind.bare > 0)
        throw Error("{}: expected each {} file in a part or all of them in the line, got both",
                    origin_, kind.type);
      return false;
    }
    if (kind.bare == 0 && kind.written > 0 && files > 0) {
      if (kind.written != files)
        refuse_counts(kind.written, kind.placeholder + " placeholders", files, kind);
      return true;
    }
    if (kind.bare > 0 && kind.bare != files)
      refuse_counts(kind.bare, kind.type + " parts", files, kind);
    return false;
  }

  /// Splits the strings of all messages at these kinds' placeholders.
  void write_parts(const std::vector<const Kind*>& kinds) {
    for (ordered_json& message : messages_) {
      const auto content = message.find("content");
      if (content == message.end()) continue;
      if (content->is_string()) {
        ordered_json parts = split(content->get<std::string>(), kinds);
        if (parts.size() > 1 || parts[0]["type"] != "text") *content = std::move(parts);
      } else if (content->is_array()) {
        ordered_json parts = ordered_json::array();
        for (const ordered_json& part : *content) {
          if (part["type"] != "text") {
            parts.push_back(part);
            continue;
          }
          for (ordered_json& piece : split(part["text"].get<std::string>(), kinds))
            parts.push_back(std::move(piece));
        }
        *content = std::move(parts);
      }
    }
  }

 private:
  [[noreturn]] void refuse_counts(std::size_t found, const std::string& what, std::size_t files,
                                  const Kind& kind) const {
    throw Error("{}: the messages have {} {}, but {} {} files are named", origin_, found, what,
                files, kind.type);
  }

  void look_at_parts(std::size_t i) {
    const auto content = messages_[i].find("content");
    if (content == messages_[i].end() || !content->is_array()) return;
    for (std::size_t j = 0; j < content->size(); ++j) {
      ordered_json& part = (*content)[j];
      const std::string place = fmt::format("{}: messages[{}].content[{}]", origin_, i, j);
      if (part["type"] == "text") continue;
      Kind* kind = part["type"] == image_.type   ? &image_
                   : part["type"] == audio_.type ? &audio_
                                                 : nullptr;
      if (kind == nullptr)
        throw Error("{}.type: expected text, image or audio, got {}", place,
                    printable(part["type"].get<std::string>()));
      take_file(*kind, part, fmt::format("{}.{}", place, kind->type));
    }
  }

  void take_file(Kind& kind, ordered_json& part, const std::string& place) {
    if (!part.contains(kind.type) || part[kind.type].is_null()) {
      ++kind.bare;
    } else {
      kind.named.push_back(named_file(part[kind.type].get<std::string>(), directory_, place));
    }
    part = {{"type", kind.type}};
  }

  static ordered_json split(std::string_view text, const std::vector<const Kind*>& kinds) {
    ordered_json parts = ordered_json::array();
    const auto add_text = [&](std::string_view piece) {
      if (!piece.empty()) parts.push_back({{"type", "text"}, {"text", std::string(piece)}});
    };
    while (true) {
      const auto next = std::ranges::min_element(
          kinds, {}, [&](const Kind* kind) { return text.find(kind->placeholder); });
      const std::size_t at = text.find((*next)->placeholder);
      if (at == std::string_view::npos) break;
      add_text(text.substr(0, at));
      parts.push_back({{"type", (*next)->type}});
      text.remove_prefix(at + (*next)->placeholder.size());
    }
    add_text(text);
    if (parts.empty()) parts.push_back({{"type", "text"}, {"text", ""}});
    return parts;
  }

  ordered_json& messages_;
  const fs::path& directory_;
  const std::string& origin_;
  Kind image_{"image", "<image>"}, audio_{"audio", "<audio>"};
};

}  // namespace

MediaFiles take_media(ordered_json& messages, MediaFiles of_line, const fs::path& directory,
                      const std::string& origin) {
  Media media(messages, directory, origin);
  std::vector<const Kind*> written;
  if (media.is_written(media.image(), of_line.images.size())) written.push_back(&media.image());
  if (media.is_written(media.audio(), of_line.audio.size())) written.push_back(&media.audio());
  if (!written.empty()) media.write_parts(written);
  for (const fs::path& file : media.image().named) of_line.images.emplace_back(file);
  for (const fs::path& file : media.audio().named) of_line.audio.push_back(file);
  return of_line;
}

fs::path named_file(const std::string& name, const fs::path& directory, const std::string& place) {
  for (const std::string_view scheme : {"http://", "https://", "data:"})
    if (name.starts_with(scheme))
      throw Error("{}: expected a file, got an address, {}", place,
                  printable(std::string_view(name).substr(0, 40)));
  return directory / name;
}

}  // namespace dualpath::data
