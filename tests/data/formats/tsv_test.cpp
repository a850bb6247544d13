#include "data/formats/tsv.h"

#include <catch2/catch.hpp>

#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

namespace {

using Table = std::vector<std::vector<std::string>>;

Table table_of(std::string_view text, std::vector<int>* lines = nullptr) {
  TsvReader reader(text, "a.tsv");
  Table table;
  for (TsvRow row; reader.next(row);) {
    table.emplace_back();
    for (const TsvCell& cell : row.cells) table.back().push_back(reader.value(cell));
    if (lines != nullptr) lines->push_back(row.line);
  }
  return table;
}

std::string table_error(std::string_view text) {
  return error_message([&] { table_of(text); });
}

}  // namespace

TEST_CASE("a table is its cells, with blank rows passed over", "[formats][tsv]") {
  std::vector<int> lines;
  CHECK(table_of("a\tb\r\n\r\n1\t\n\n\t2", &lines) == Table{{"a", "b"}, {"1", ""}, {"", "2"}});
  CHECK(lines == std::vector{1, 3, 5});
  CHECK(table_of("").empty());
  CHECK(table_of("\n\n").empty());
}

TEST_CASE("a quoted cell holds tabs, line ends and doubled quotes", "[formats][tsv]") {
  std::vector<int> lines;
  CHECK(table_of("\"a\tb\"\t\"c\nd\"\n\"say \"\"x\"\"\"\t\"\"\na\"b\t1", &lines) ==
        Table{{"a\tb", "c\nd"}, {"say \"x\"", ""}, {"a\"b", "1"}});
  CHECK(lines == std::vector{1, 3, 4});
}

TEST_CASE("the place of a cell is that of its text without quotes", "[formats][tsv]") {
  const std::string_view text = "ab\t\"cd\"\n";
  TsvReader reader(text, "a.tsv");
  TsvRow row;
  REQUIRE(reader.next(row));
  CHECK(row.cells[0].bytes == ByteRange{0, 2});
  CHECK(row.cells[1].bytes == ByteRange{4, 6});
  CHECK(!reader.next(row));
}

TEST_CASE("a broken quote is named by its line, and the reader goes on behind it",
          "[formats][tsv]") {
  CHECK(table_error("a\n\"b\nc") ==
        "a.tsv:2: expected a quote at the end of the cell that begins with one");
  CHECK(table_error("a\n\"b\" c\td\n") ==
        "a.tsv:2: expected a tab or the line's end behind a quoted cell");
  TsvReader reader("\"b\" c\td\n1\t2\n", "a.tsv");
  TsvRow row;
  CHECK_THROWS_AS(reader.next(row), Error);
  REQUIRE(reader.next(row));
  CHECK(row.line == 2);
  CHECK(reader.value(row.cells[1]) == "2");
}
