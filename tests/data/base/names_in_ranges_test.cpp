#include "data/base/names_in_ranges.h"

#include <catch2/catch.hpp>

using dualpath::in_ranges;
using Names = std::vector<std::string>;
using Rows = std::vector<std::vector<std::string>>;

TEST_CASE("names that differ in an index are folded, in the order of the first", "[names]") {
  CHECK(in_ranges(Names{"layers.0.q", "layers.0.k", "layers.1.q", "layers.1.k", "head"}) ==
        Names{"layers.{0-1}.q", "layers.{0-1}.k", "head"});
  CHECK(in_ranges(Names{}) == Names{});
  CHECK(in_ranges(Names{"layers.3.q"}) == Names{"layers.3.q"});
}

TEST_CASE("gaps part the ranges, whatever the order of the names", "[names]") {
  CHECK(in_ranges(Names{"a.12", "a.0", "a.1", "a.3", "a.13", "a.14", "a.2", "a.9"}) ==
        Names{"a.{0-3,9,12-14}"});
}

TEST_CASE("two indices are folded where every layer has the same", "[names]") {
  CHECK(in_ranges(Names{"l.0.e.0.up", "l.0.e.1.up", "l.1.e.0.up", "l.1.e.1.up"}) ==
        Names{"l.{0-1}.e.{0-1}.up"});
  CHECK(in_ranges(Names{"l.0.e.0.up", "l.0.e.1.up", "l.1.e.0.up"}) ==
        Names{"l.0.e.{0-1}.up", "l.1.e.0.up"});
}

TEST_CASE("only whole parts that are numbers are indices", "[names]") {
  const Names names{"mlp.fc1", "mlp.fc2", "a.01", "a.02", "a.1e", "", ".", "a..b"};
  CHECK(in_ranges(names) == names);
  CHECK(in_ranges(Names{"a.99999999999.b", "a.99999999998.b"}).size() == 2);
}

TEST_CASE("rows are folded where their other cells are equal or fold along", "[names]") {
  CHECK(in_ranges(Rows{{"l.0.k", "8x4", "l.0.q.input"},
                       {"l.1.k", "8x4", "l.1.q.input"},
                       {"l.2.k", "8x8", "l.2.q.input"},
                       {"l.3.k", "8x4", "l.1.q.input"}}) ==
        Rows{{"l.{0-1}.k", "8x4", "l.{0-1}.q.input"},
             {"l.2.k", "8x8", "l.2.q.input"},
             {"l.3.k", "8x4", "l.1.q.input"}});
  // A cell that only looks alike is no name with the same index.
  CHECK(in_ranges(Rows{{"l.1.k", "l.10"}, {"l.2.k", "l.20"}}).size() == 2);
}
