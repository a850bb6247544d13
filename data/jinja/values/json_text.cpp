#include "data/jinja/values/json_text.h"

#include <algorithm>
#include <cmath>

#include "data/jinja/values/python_number.h"
#include "data/jinja/values/python_text.h"

namespace dualpath::data::jinja {
namespace {

std::string escaped(std::uint32_t unit) { return fmt::format("\\u{:04x}", unit); }

/// Writes a code point as one or two units of UTF-16.
std::string escaped_character(std::uint32_t code) {
  if (code < 0x10000) return escaped(code);
  return escaped(0xD800 + ((code - 0x10000) >> 10)) + escaped(0xDC00 + (code & 0x3FF));
}

class Writer {
 public:
  Writer(Runtime& runtime, const JsonStyle& style) : runtime_(runtime), style_(style) {}

  std::string write(const Value& value) {
    add(value, 0);
    return std::move(text_);
  }

 private:
  void put(std::string_view text) {
    runtime_.spend(text.size());
    text_ += text;
  }

  void add(const Value& value, int level) {
    runtime_.step();
    if (value.is_none())
      put("null");
    else if (value.boolean())
      put(*value.boolean() ? "true" : "false");
    else if (value.integer())
      put(std::to_string(*value.integer()));
    else if (value.real())
      add_float(*value.real());
    else if (value.text())
      add_text(*value.text());
    else if (value.sequence() && value.sequence()->is_plain())
      add_list(*value.sequence(), level);
    else if (value.dict())
      add_dict(*value.dict(), level);
    else
      runtime_.fail("tojson: a value of kind {} has no JSON", type_name(value));
  }

  void add_float(double value) {
    if (std::isfinite(value)) return put(float_text(value));
    put(std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
  }

  void add_text(const std::string& text) {
    constexpr std::string_view kSpecial = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
    put("\"");
    for (const std::string_view character : characters(text)) {
      const std::size_t special = kSpecial.find(character[0]);
      const auto byte = static_cast<unsigned char>(character[0]);
      if (special != kSpecial.npos)
        put({'\\', kNames[special]});
      else if (byte < 0x20)
        put(escaped(byte));
      else if (style_.ascii && byte >= 0x7F)
        put(escaped_character(code_point(character)));
      else
        put(character);
    }
    put("\"");
  }

  void put(std::initializer_list<char> text) { put(std::string_view(text.begin(), text.size())); }

  void new_line(int level) {
    if (!style_.indent) return;
    put("\n");
    for (int i = 0; i < level; ++i) put(*style_.indent);
  }

  void add_list(const Sequence& sequence, int level) {
    if (sequence.items.empty()) return put("[]");
    const char* before = "[";
    for (const Value& item : sequence.items) {
      put(before);
      new_line(level + 1);
      add(item, level + 1);
      before = style_.comma.c_str();
    }
    new_line(level);
    put("]");
  }

  void add_dict(const Dict& dict, int level) {
    if (dict.items().empty()) return put("{}");
    std::vector<const std::pair<std::string, Value>*> items;
    for (const auto& item : dict.items()) items.push_back(&item);
    if (style_.sort_keys)
      std::ranges::sort(items, {},
                        [](const auto* item) -> const std::string& { return item->first; });
    const char* before = "{";
    for (const auto* item : items) {
      put(before);
      new_line(level + 1);
      add_text(item->first);
      put(style_.colon);
      add(item->second, level + 1);
      before = style_.comma.c_str();
    }
    new_line(level);
    put("}");
  }

  Runtime& runtime_;
  const JsonStyle& style_;
  std::string text_;
};

}  // namespace

std::string json_text(Runtime& runtime, const Value& value, const JsonStyle& style) {
  return Writer(runtime, style).write(value);
}

}  // namespace dualpath::data::jinja
