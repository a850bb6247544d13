#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <ctime>
#include <string>
#include <utility>

#include "data/base/error.h"

namespace dualpath::data::jinja {

/// Bounds of one rendering: a template is a program that came with a model. A unit is about a byte
/// that is made; each step costs several.
inline constexpr std::size_t kMostUnits = std::size_t{1} << 26;
inline constexpr std::size_t kStepUnits = 16;
inline constexpr std::size_t kItemUnits = 32;  ///< an item of a list
inline constexpr int kMostDepth = 200;         ///< of nesting

/// The state of one rendering: the units left, the line, and the time.
class Runtime {
 public:
  /// name: the template's, for errors.
  Runtime(std::string name, std::tm now) : name_(std::move(name)), now_(now) {}

  const std::tm& now() const { return now_; }
  void at(int line) { line_ = line; }

  /// Spends units; more than a template has is an Error.
  void spend(std::size_t units) {
    if (units > left_) fail("the template does too much: it was stopped");
    left_ -= units;
  }
  void step() { spend(kStepUnits); }

  template <class... Arguments>
  [[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    throw Error("{}:{}: {}", name_, line_,
                fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  /// One more level of nesting, while it lives.
  class Level {
   public:
    explicit Level(Runtime& runtime) : runtime_(runtime) {
      if (++runtime_.depth_ > kMostDepth) runtime_.fail("nested too deeply");
    }
    ~Level() { --runtime_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Runtime& runtime_;
  };

 private:
  std::string name_;
  std::tm now_;
  int line_ = 1, depth_ = 0;
  std::size_t left_ = kMostUnits;
};

}  // namespace dualpath::data::jinja
