#include "data/text/json_records.h"

#include <algorithm>

#include "data/base/error.h"

namespace dualpath::data {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

int lines_in(std::string_view text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

/// Walks over the elements of a list whose "[" is the first byte.
class ListWalk {
 public:
  ListWalk(std::string_view text, int line) : text_(text), line_(line) { skip(1); }

  /// The next element, trimmed; nothing in it if the list ends there.
  JsonRecord next() {
    skip_blanks();
    const JsonRecord record{text_.substr(0, element_size()), line_};
    skip(record.text.size());
    ends_ = text_.empty() || text_.front() == ']';
    if (!text_.empty()) skip(1);
    return {record.text.substr(0, record.text.find_last_not_of(kBlanks) + 1), record.line};
  }
  /// Whether "]" or the end of the text stood behind the last element.
  bool ends() const { return ends_; }
  bool is_closed() const { return closed_; }
  std::string_view rest() const { return text_; }
  int line() const { return line_; }

 private:
  void skip(std::size_t bytes) {
    line_ += lines_in(text_.substr(0, bytes));
    text_.remove_prefix(bytes);
  }
  void skip_blanks() { skip(std::min(text_.find_first_not_of(kBlanks), text_.size())); }

  /// Counts the bytes before the "," or "]" that ends the element.
  std::size_t element_size() {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const char c = text_[i];
      if (quoted) {
        if (c == '\\') ++i;
        quoted = c != '"';
      } else if (c == '"') {
        quoted = true;
      } else if (depth == 0 && (c == ',' || c == ']')) {
        closed_ = true;
        return i;
      } else if (c == '[' || c == '{') {
        ++depth;
      } else if (c == ']' || c == '}') {
        depth = std::max(0, depth - 1);
      }
    }
    closed_ = false;
    return text_.size();
  }

  std::string_view text_;
  int line_;
  bool ends_ = false, closed_ = true;
};

/// Reports a mistake that is no exception yet.
template <class... Arguments>
void report(const OnMistake& on_mistake, fmt::format_string<Arguments...> format,
            Arguments&&... arguments) {
  try {
    throw Error(format, std::forward<Arguments>(arguments)...);
  } catch (const Error& error) {
    on_mistake(error);
  }
}

void walk_list(std::string_view text, int line, std::string_view source,
               const std::function<void(const JsonRecord&)>& visit, const OnMistake& on_mistake) {
  ListWalk walk(text, line);
  for (bool first = true; !walk.ends(); first = false) {
    const JsonRecord record = walk.next();
    if (!walk.is_closed())
      return report(on_mistake, "{}:{}: not valid JSON: the list does not end", source,
                    record.line);
    if (first && walk.ends() && record.text.empty()) break;
    visit(record);
  }
  const std::size_t more = walk.rest().find_first_not_of(kBlanks);
  if (more == std::string_view::npos) return;
  report(on_mistake, "{}:{}: not valid JSON: expected nothing behind the list", source,
         walk.line() + lines_in(walk.rest().substr(0, more)));
}

}  // namespace

void for_each_json_record(std::string_view text, std::string_view source,
                          const std::function<void(const JsonRecord&)>& visit,
                          const OnMistake& on_mistake) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  if (text.substr(begin).starts_with('['))
    return walk_list(text.substr(begin), 1 + lines_in(text.substr(0, begin)), source, visit,
                     on_mistake);
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.find_first_not_of(kBlanks) != std::string_view::npos) visit({line, number});
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
}

}  // namespace dualpath::data
