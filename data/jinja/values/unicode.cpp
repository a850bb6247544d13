#include "data/jinja/values/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <span>

#include "data/jinja/values/python_text.h"

namespace dualpath::data::jinja {
namespace {

struct CodeRange {
  std::uint32_t first, last;
};

bool is_in(std::span<const CodeRange> ranges, std::uint32_t c) {
  const auto next = std::ranges::upper_bound(ranges, c, {}, &CodeRange::first);
  return next != ranges.begin() && c <= std::prev(next)->last;
}

// Unicode's property lists, where the general category does not tell.
constexpr std::array kOtherLowercase = std::to_array<CodeRange>(
    {{0xAA, 0xAA},       {0xBA, 0xBA},       {0x2B0, 0x2B8},     {0x2C0, 0x2C1},
     {0x2E0, 0x2E4},     {0x345, 0x345},     {0x37A, 0x37A},     {0x1D2C, 0x1D6A},
     {0x1D78, 0x1D78},   {0x1D9B, 0x1DBF},   {0x2071, 0x2071},   {0x207F, 0x207F},
     {0x2090, 0x209C},   {0x2170, 0x217F},   {0x24D0, 0x24E9},   {0x2C7C, 0x2C7D},
     {0xA69C, 0xA69D},   {0xA770, 0xA770},   {0xA7F8, 0xA7F9},   {0xAB5C, 0xAB5F},
     {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107B0}, {0x107B2, 0x107BA},
     {0x1E030, 0x1E06D}});
constexpr std::array kOtherUppercase = std::to_array<CodeRange>({{0x2160, 0x216F},
                                                                 {0x24B6, 0x24CF},
                                                                 {0x1F130, 0x1F149},
                                                                 {0x1F150, 0x1F169},
                                                                 {0x1F170, 0x1F189}});
constexpr std::array kOtherDigits = std::to_array<CodeRange>(
    {{0xB2, 0xB3},       {0xB9, 0xB9},       {0x1369, 0x1371},   {0x19DA, 0x19DA},
     {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
     {0x2474, 0x247C},   {0x2488, 0x2490},   {0x24EA, 0x24EA},   {0x24F5, 0x24FD},
     {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},   {0x278A, 0x2792},
     {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A}});
/// Punctuation that may stand inside a word.
constexpr std::array kInsideWords = std::to_array<CodeRange>({{0x27, 0x27},
                                                              {0x2E, 0x2E},
                                                              {0x3A, 0x3A},
                                                              {0xB7, 0xB7},
                                                              {0x387, 0x387},
                                                              {0x55F, 0x55F},
                                                              {0x5F4, 0x5F4},
                                                              {0x2018, 0x2019},
                                                              {0x2024, 0x2024},
                                                              {0x2027, 0x2027},
                                                              {0xFE13, 0xFE13},
                                                              {0xFE52, 0xFE52},
                                                              {0xFE55, 0xFE55},
                                                              {0xFF07, 0xFF07},
                                                              {0xFF0E, 0xFF0E},
                                                              {0xFF1A, 0xFF1A}});

utf8proc_int32_t signed_of(std::uint32_t c) { return static_cast<utf8proc_int32_t>(c); }

template <class... Categories>
bool is_any(std::uint32_t c, Categories... wanted) {
  const utf8proc_category_t category = utf8proc_category(signed_of(c));
  return ((category == wanted) || ...);
}

std::uint32_t simple_upper(std::uint32_t c) {
  return static_cast<std::uint32_t>(utf8proc_toupper(signed_of(c)));
}
std::uint32_t simple_title(std::uint32_t c) {
  return static_cast<std::uint32_t>(utf8proc_totitle(signed_of(c)));
}

/// The case folding: one to three characters.
std::span<const utf8proc_int32_t> folded(std::uint32_t c, std::array<utf8proc_int32_t, 4>& into) {
  const utf8proc_ssize_t size =
      utf8proc_decompose_char(signed_of(c), into.data(), std::ssize(into), UTF8PROC_CASEFOLD,
                              /*last_boundclass=*/nullptr);
  return std::span(into).first(static_cast<std::size_t>(std::max<utf8proc_ssize_t>(size, 0)));
}

/// Whether upper case needs several characters, those of the folding. This holds for the small
/// letters that fold to several.
bool grows(std::uint32_t c, std::span<const utf8proc_int32_t> fold) {
  return fold.size() > 1 && is_any(c, UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LT);
}

}  // namespace

bool is_space(std::uint32_t c) {
  return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_printable(std::uint32_t c) {
  return c == ' ' || !is_any(c, UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CF, UTF8PROC_CATEGORY_CS,
                             UTF8PROC_CATEGORY_CO, UTF8PROC_CATEGORY_CN, UTF8PROC_CATEGORY_ZL,
                             UTF8PROC_CATEGORY_ZP, UTF8PROC_CATEGORY_ZS);
}

bool is_letter(std::uint32_t c) {
  return is_any(c, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LT,
                UTF8PROC_CATEGORY_LM, UTF8PROC_CATEGORY_LO);
}

bool is_numeral(std::uint32_t c) {
  return is_any(c, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NL, UTF8PROC_CATEGORY_NO);
}

bool is_digit(std::uint32_t c) { return is_any(c, UTF8PROC_CATEGORY_ND) || is_in(kOtherDigits, c); }

std::optional<int> decimal_of(std::uint32_t c) {
  if (!is_any(c, UTF8PROC_CATEGORY_ND)) return std::nullopt;
  // Every script's ten digits stand together, zero first.
  std::uint32_t zero = c;
  while (is_any(zero - 1, UTF8PROC_CATEGORY_ND)) --zero;
  return static_cast<int>((c - zero) % 10);
}

bool is_lowercase(std::uint32_t c) {
  return is_any(c, UTF8PROC_CATEGORY_LL) || is_in(kOtherLowercase, c);
}

bool is_uppercase(std::uint32_t c) {
  return is_any(c, UTF8PROC_CATEGORY_LU) || is_in(kOtherUppercase, c);
}

bool is_cased(std::uint32_t c) {
  return is_lowercase(c) || is_uppercase(c) || is_any(c, UTF8PROC_CATEGORY_LT);
}

bool is_case_ignorable(std::uint32_t c) {
  return is_any(c, UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME, UTF8PROC_CATEGORY_CF,
                UTF8PROC_CATEGORY_LM, UTF8PROC_CATEGORY_SK) ||
         is_in(kInsideWords, c);
}

std::string upper_of(std::uint32_t c) {
  std::array<utf8proc_int32_t, 4> buffer;
  const auto fold = folded(c, buffer);
  if (!grows(c, fold)) return utf8_of(simple_upper(c));
  std::string result;
  for (const utf8proc_int32_t part : fold)
    result += utf8_of(simple_upper(static_cast<std::uint32_t>(part)));
  return result;
}

std::string title_of(std::uint32_t c) {
  constexpr std::uint32_t kIota = 0x3B9, kIotaBelow = 0x345;
  std::array<utf8proc_int32_t, 4> buffer;
  const auto fold = folded(c, buffer);
  const bool has_own = is_any(simple_title(c), UTF8PROC_CATEGORY_LT);
  if (has_own || !grows(c, fold)) return utf8_of(simple_title(c));
  std::string result;
  bool has_capital = false;
  for (const utf8proc_int32_t signed_part : fold) {
    auto part = static_cast<std::uint32_t>(signed_part);
    if (has_capital && part == kIota) part = kIotaBelow;
    const std::uint32_t shown = has_capital ? part : simple_title(part);
    has_capital = has_capital || shown != part;
    result += utf8_of(shown);
  }
  return result;
}

std::string lower_of(std::uint32_t c) {
  constexpr std::uint32_t kCapitalIWithDot = 0x130;  // the one whose small form is two characters
  return c == kCapitalIWithDot
             ? fold_of(c)
             : utf8_of(static_cast<std::uint32_t>(utf8proc_tolower(signed_of(c))));
}

std::string fold_of(std::uint32_t c) {
  std::array<utf8proc_int32_t, 4> buffer;
  std::string result;
  for (const utf8proc_int32_t part : folded(c, buffer))
    result += utf8_of(static_cast<std::uint32_t>(part));
  return result;
}

}  // namespace dualpath::data::jinja
