#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "data/text/entries.h"

namespace dualpath::data {

/// One object of a file of JSON: its text and its first line, counted from 1.
struct JsonRecord {
  std::string_view text;
  int line = 1;
};

/// Visits the records of a text: its lines that are not blank or, if it begins with "[", the
/// elements of that list. Elements are told apart by brackets and quotes alone; whoever parses one
/// sees what is wrong inside. A list without an end is a mistake. source: the file, for errors.
void for_each_json_record(std::string_view text, std::string_view source,
                          const std::function<void(const JsonRecord&)>& visit,
                          const OnMistake& on_mistake);

}  // namespace dualpath::data
