#include "data/formats/stand_in.h"

#include <algorithm>
#include <array>

#include "data/base/error.h"
#include "data/files/file.h"

namespace dualpath::data {
namespace {

constexpr std::string_view kPointer = "version https://git-lfs.github.com/spec/";
// Enough of a file to tell text from weights, whose first bytes are numbers.
constexpr std::size_t kLookedAt = 64;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_text(char c) { return is_space(c) || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F); }

/// Whether the text starts with `start`, which is in lower case.
bool starts_with_markup(std::string_view text, std::string_view start) {
  const auto same = [](char a, char b) { return a == b || (a >= 'A' && a <= 'Z' && a + 32 == b); };
  return text.size() >= start.size() && std::equal(start.begin(), start.end(), text.begin(),
                                                   [&](char b, char a) { return same(a, b); });
}

bool is_page(std::string_view text) {
  if (text.starts_with("\uFEFF")) text.remove_prefix(3);
  text.remove_prefix(
      static_cast<std::size_t>(std::ranges::find_if_not(text, is_space) - text.begin()));
  constexpr std::array<std::string_view, 3> kStarts{"<!doctype", "<html", "<?xml"};
  return std::ranges::any_of(
      kStarts, [&](std::string_view start) { return starts_with_markup(text, start); });
}

}  // namespace

std::optional<std::string> lfs_pointer(std::string_view text) {
  if (!text.starts_with(kPointer)) return std::nullopt;
  return "is a Git LFS pointer, not the file it stands for; in its repository, \"git lfs install "
         "&& "
         "git lfs pull\" gets the file";
}

std::optional<std::string> stand_in(std::string_view text) {
  if (auto found = lfs_pointer(text)) return found;
  if (is_page(text)) {
    return "is an HTML page, as a server gives to sign in or to say what went wrong, not the file; "
           "download it again";
  }
  return std::nullopt;
}

std::string read_unless_stand_in(const std::filesystem::path& file) {
  std::string text = read_file(file);
  if (const auto found = stand_in(text)) throw Error("{}: {}", file.string(), *found);
  return text;
}

void refuse_stand_in(const std::filesystem::path& file, std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (const auto found = stand_in(text)) throw Error("{}: {}", file.string(), *found);
  const std::string_view start = text.substr(0, kLookedAt);
  if (start.empty() || !std::ranges::all_of(start, is_text)) return;
  throw Error("{}: is text, not weights; it starts with \"{}\"", file.string(), printable(start));
}

}  // namespace dualpath::data
