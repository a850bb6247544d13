#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/base/byte_range.h"

namespace dualpath::data {

/// A cell of a table: its place in the text, without the quotes around it.
struct TsvCell {
  ByteRange bytes;
  bool has_quotes = false;  ///< whether a doubled quote stands in it
};

/// A row, and its first line in the file, counted from 1.
struct TsvRow {
  std::vector<TsvCell> cells;
  int line = 1;
};

/// Reads tab-separated values row by row, as pandas writes and reads them: a cell that begins with
/// a quote ends at the next single one, and tabs, line ends and doubled quotes inside belong to it.
/// The text must outlive the reader.
class TsvReader {
 public:
  /// source: the file, for errors.
  TsvReader(std::string_view text, std::string source) : text_(text), source_(std::move(source)) {}

  /// Reads the next row that is not blank; false at the end. Errors name the line: a quote that
  /// does not end, and more behind one that does. The next call then reads on behind the text or
  /// the line.
  bool next(TsvRow& row);
  std::string value(const TsvCell& cell) const;

 private:
  TsvCell read_cell();
  TsvCell read_quoted();
  void take_line_end();
  bool at_cell_end() const;

  std::string_view text_;
  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace dualpath::data
