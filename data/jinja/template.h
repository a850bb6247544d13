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

/// A Jinja template as Hugging Face's chat templates are: rendered with trim_blocks and
/// lstrip_blocks, the same text as transformers'. It is a subset, that of the templates there are:
/// set, for, if, macro, with, filter, generation, break, continue and raw; what is missing is
/// refused by its name and line when it is met. A template came with a model and is not trusted:
/// it reads what it is given and nothing else, and its size, depth, steps and memory are bounded.
class Template {
 public:
  /// source: UTF-8. name: for errors, "chat_template". Error for what cannot be read.
  Template(std::string_view source, std::string name);

  /// variables: an object. now: what strftime_now tells. Error for what the template cannot do with
  /// them, and for what it refuses itself (raise_exception).
  std::string render(const nlohmann::ordered_json& variables, const std::tm& now) const {
    return rendering(variables, now).text;
  }
  Rendering rendering(const nlohmann::ordered_json& variables, const std::tm& now) const;

 private:
  std::string name_;
  Body body_;
};

}  // namespace dualpath::data::jinja
