#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace dualpath::data {

/// A view of tokens in a row, and whether each is a target (1) or context only (0). If `targets` is
/// empty, all are targets.
struct TokenSpan {
  std::span<const std::int32_t> ids;
  std::span<const std::uint8_t> targets = {};

  bool is_target(std::size_t token) const { return targets.empty() || targets[token] != 0; }
  TokenSpan subspan(std::size_t begin, std::size_t size) const {
    return {ids.subspan(begin, size), targets.empty() ? targets : targets.subspan(begin, size)};
  }
};

/// Tokens with memory of their own.
struct Tokens {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> targets = {};

  operator TokenSpan() const { return {ids, targets}; }
  void resize(std::size_t size) {
    ids.resize(size);
    if (!targets.empty()) targets.resize(size);
  }
};

/// Counts the tokens of a sample that are predicted. The first one never is: nothing stands before
/// it.
inline std::int64_t count_targets(TokenSpan tokens) {
  std::int64_t count = 0;
  for (std::size_t i = 1; i < tokens.ids.size(); ++i) count += tokens.is_target(i);
  return count;
}

}  // namespace dualpath::data
