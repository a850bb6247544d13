#include "data/formats/tsv.h"

#include <algorithm>

#include "data/base/error.h"

namespace dualpath::data {

bool TsvReader::next(TsvRow& row) {
  while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r')) {
    line_ += text_[at_] == '\n';
    ++at_;
  }
  if (at_ == text_.size()) return false;
  row = {.cells = {}, .line = line_};
  while (true) {
    row.cells.push_back(read_cell());
    if (at_ == text_.size() || text_[at_] != '\t') break;
    ++at_;
  }
  take_line_end();
  return true;
}

bool TsvReader::at_cell_end() const {
  return at_ == text_.size() || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r';
}

TsvCell TsvReader::read_cell() {
  if (at_ < text_.size() && text_[at_] == '"') return read_quoted();
  const std::size_t begin = at_;
  at_ = std::min(text_.find_first_of("\t\r\n", at_), text_.size());
  return {{begin, at_}};
}

TsvCell TsvReader::read_quoted() {
  const int first_line = line_;
  TsvCell cell{{++at_, at_}};
  while (true) {
    const std::size_t quote = text_.find('"', at_);
    if (quote == std::string_view::npos) {
      at_ = text_.size();
      throw Error("{}:{}: expected a quote at the end of the cell that begins with one", source_,
                  first_line);
    }
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(quote), '\n'));
    at_ = quote + 1;
    if (at_ == text_.size() || text_[at_] != '"') break;
    cell.has_quotes = true;
    ++at_;
  }
  cell.bytes.end = at_ - 1;
  if (at_cell_end()) return cell;
  at_ = std::min(text_.find('\n', at_), text_.size());
  throw Error("{}:{}: expected a tab or the line's end behind a quoted cell", source_, line_);
}

void TsvReader::take_line_end() {
  if (at_ < text_.size() && text_[at_] == '\r') ++at_;
  if (at_ < text_.size() && text_[at_] == '\n') {
    ++at_;
    ++line_;
  }
}

std::string TsvReader::value(const TsvCell& cell) const {
  const std::string_view raw = text_.substr(cell.bytes.begin, cell.bytes.end - cell.bytes.begin);
  if (!cell.has_quotes) return std::string(raw);
  std::string value;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    value += raw[i];
    if (raw[i] == '"') ++i;  // the second of two
  }
  return value;
}

}  // namespace dualpath::data
