#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dualpath::data {

/// Brings an answer into the form in which answers are compared: small letters (as Python's lower()
/// makes them), without punctuation (Unicode's categories P*), words joined by single spaces.
/// Accents stay, and so do symbols such as "+". text: valid UTF-8.
std::string normalized_answer(std::string_view text);

/// The words of a normalized answer.
std::vector<std::string> words_of(std::string_view normalized);
/// The code points of a normalized answer, spaces included.
std::vector<std::uint32_t> characters_of(std::string_view normalized);

/// Counts the substitutions, insertions and deletions that turn one sequence into the other
/// (Levenshtein 1966).
std::int64_t edit_distance(const std::vector<std::string>& from,
                           const std::vector<std::string>& to);
std::int64_t edit_distance(const std::vector<std::uint32_t>& from,
                           const std::vector<std::uint32_t>& to);

}  // namespace dualpath::data
