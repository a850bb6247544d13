#pragma once

#include <ctime>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "data/base/byte_range.h"
#include "data/jinja/syntax.h"

namespace dualpath::data::jinja {

struct Rendering {
  std::string text;
  std::vector<ByteRange> generated;  ///< the text inside {% generation %}, in order
};

/// A Jinja template of the kind of Hugging Face's chat templates: rendered with trim_blocks and
/// lstrip_blocks, to transformers' text. It is the subset that existing templates use: set, for,
/// if, macro, with, filter, generation, break, continue and raw. All else is refused by its name
/// and line when it is met. A template came with a model and is not trusted: it reads its variables
/// and nothing else, and its size, depth, steps and memory are bounded.
class Template {
 public:
  /// Reads a template; a broken one is an Error. source: UTF-8. name: for errors, "chat_template".
  Template(std::string_view source, std::string name);

  /// Renders the template. variables: an object. now: the time that strftime_now tells. Errors come
  /// from variables that do not fit the template, and from its own refusals (raise_exception).
  std::string render(const nlohmann::ordered_json& variables, const std::tm& now) const {
    return rendering(variables, now).text;
  }
  Rendering rendering(const nlohmann::ordered_json& variables, const std::tm& now) const;

 private:
  std::string name_;
  Body body_;
};

}  // namespace dualpath::data::jinja
