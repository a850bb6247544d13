#include "quant/args_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <type_traits>

#include "quant/visit_args.h"

namespace dualpath::quant {
namespace {

template <class T>
std::string word_of(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return std::string(name_of(value));
  } else {
    return fmt::to_string(value);
  }
}

class Speller : public ArgsVisitor {
 public:
  std::string text() const { return fmt::format("{}", fmt::join(words_, " ")); }

  template <class T, std::size_t N>
  void number(std::string_view, T& field, const Supported<T, N>&) {
    add(field);
  }
  template <class T, std::size_t N>
  void choice(std::string_view, T& field, const Named<T> (&)[N]) {
    add(field);
  }
  void boolean(std::string_view, bool& field) { add(field); }
  template <class T>
  void implied(std::string_view, T& field, std::vector<std::string_view>, std::string_view) {
    add(field);
  }
  template <class T>
  void unused(std::string_view, T& field, std::vector<std::string_view>, std::string_view) {
    add(field);
  }

 private:
  template <class T>
  void add(const T& field) {
    words_.push_back(word_of(field));
  }
  /// Adds a group size; one that no group has is left out.
  void add(std::int64_t size) {
    if (size > 0) words_.push_back(word_of(size));
  }

  std::vector<std::string> words_;
};

class Summary : public ArgsVisitor {
 public:
  std::string text() const { return fmt::format("{}", fmt::join(words_, " ")); }

  template <std::size_t N>
  void number(std::string_view, int& bits, const Supported<int, N>&) {
    words_.push_back(fmt::format("int{}", bits));
  }
  template <std::size_t N>
  void number(std::string_view, std::int64_t& size, const Supported<std::int64_t, N>&) {
    words_.push_back(word_of(size));
  }
  template <class T, std::size_t N>
  void choice(std::string_view key, T& field, const Named<T> (&)[N]) {
    if constexpr (std::is_enum_v<T>) {
      words_.push_back(word_of(field));
    } else {
      boolean(key, field);
    }
  }
  void boolean(std::string_view key, bool& field) {
    if (key == "symmetric" && !field) words_.push_back("asym");
    if (key == "dynamic" && field) words_.push_back("dynamic");
  }

 private:
  std::vector<std::string> words_;
};

class Checker : public ArgsVisitor {
 public:
  std::optional<std::string> mistake;

  template <class T, std::size_t N>
  void number(std::string_view key, T& field, const Supported<T, N>& supported) {
    const auto& [low, high, offered] = supported;
    if (low <= field && field <= high) return;
    refuse(key, in_words(low, high), word_of(field));
  }
  template <class T, std::size_t N>
  void choice(std::string_view key, T& field, const Named<T> (&table)[N]) {
    std::vector<std::string_view> names;
    for (const auto& [name, value] : table) {
      if (value == field) return;
      names.push_back(name);
    }
    refuse(key, fmt::format("{}", fmt::join(names, " or ")), word_of(field));
  }
  template <class T>
  void implied(std::string_view key, T& field, std::vector<std::string_view>,
               std::string_view expected) {
    if (field != T{}) refuse(key, expected, word_of(field));
  }
  void check(bool ok, const std::string& expected, const std::string& got) {
    if (!ok && !mistake) mistake = fmt::format("expected {}, got {}", expected, got);
  }

 private:
  template <class T>
  static std::string in_words(T low, T high) {
    if (low == high) return word_of(low);
    if (high == std::numeric_limits<T>::max()) return fmt::format("at least {}", low);
    return fmt::format("{} to {}", low, high);
  }
  void refuse(std::string_view key, std::string_view expected, const std::string& got) {
    if (!mistake) mistake = fmt::format("{}: expected {}, got {}", key, expected, got);
  }
};

}  // namespace

std::string spelled(QuantArgs args, ArgsRole role) {
  Speller speller;
  visit(role, speller, args);
  return speller.text();
}

std::string summary(QuantArgs args, ArgsRole role) {
  Summary summary;
  visit(role, summary, args);
  return summary.text();
}

std::optional<std::string> mistake_in(QuantArgs args, ArgsRole role) {
  Checker checker;
  visit(role, checker, args);
  return checker.mistake;
}

}  // namespace dualpath::quant
