#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "data/text/entries.h"

namespace dualpath::data {

/// Reads a table of questions about pictures as VLMEvalKit has it: tab-separated values with the
/// columns "question", "answer", "image" or "image_path" and, if they are used, "index", "hint" and
/// options "A" to "Z". Each row is a conversation: the pictures, then
///
///   Hint: …
///   Question: …
///   Options:
///   A. …
///   Please select the correct answer from the options above.
///
/// (the question alone where there is neither hint nor option), and the answer. An image is base64
/// text, or the index of the row whose image it shares, or a list of such in Python's writing; an
/// image_path is relative to the table, or a list. Other columns are refused by name, except for
/// notes ("category", "split", …; see is_note()).
void read_question_table(std::string_view text, const std::filesystem::path& path,
                         const std::function<void(Entry)>& visit, const OnMistake& on_mistake);

}  // namespace dualpath::data
