#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "data/base/error.h"
#include "data/media/media_file.h"
#include "data/text/conversation.h"

namespace dualpath::data {

/// One text or conversation as a file has it, before a chat template writes the conversation.
struct Entry {
  std::string origin;  ///< "book.md" or "pages.jsonl:12"
  std::variant<std::string, Conversation> content;
  MediaFiles media = {};
  std::vector<std::string> notes = {};  ///< its keys or columns that have no effect
};

/// Takes an entry's Error, inside its handler: `throw;` ends the reading there.
using OnMistake = std::function<void(const Error&)>;

/// Visits all entries of a file in order. Each mistake is an Error that names file and line; it
/// goes to on_mistake, and the reading goes on behind it. Training and `data check` read by this.
///
/// - .txt, .md: one text.
/// - .jsonl, .json: an object a line, blank lines passed over; or, if the file begins with "[", one
///   list of objects.
/// - .tsv: a question a row, as VLMEvalKit has them (see read_question()).
/// - A directory: all .txt, .md and .jsonl directly inside, sorted by name.
///
/// An object has a string "text", or a conversation under "messages" or "conversations" (see
/// read_conversation() and take_media()). Its files stand under "images" (or "image") and "audio"
/// (or "audios"), relative to the JSON file. Other keys of a text are notes without effect, unless
/// they are another format's. Other keys of a conversation are refused by name, except for
/// is_note()'s.
void for_each_entry(const std::filesystem::path& path, const std::function<void(Entry)>& visit,
                    const OnMistake& on_mistake);

/// Visits the entries of one file's content, whose kind is its path's. A mistake of the file as a
/// whole is thrown.
void for_each_entry_in(std::string text, const std::filesystem::path& path,
                       const std::function<void(Entry)>& visit, const OnMistake& on_mistake);

/// Whether a key of an object or a column is known to say nothing that training should heed, such
/// as "id" or "source". So is any that begins with "_".
bool is_note(std::string_view key);

}  // namespace dualpath::data
