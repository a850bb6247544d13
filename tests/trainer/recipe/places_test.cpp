#include "trainer/recipe/places.h"

#include <catch2/catch.hpp>

using namespace dualpath::trainer;

namespace {

/// The places of a recipe read from this YAML with these overrides.
RecipePlaces places_of(std::string_view yaml, const std::vector<std::string>& overrides = {}) {
  RecipeErrors errors("r.yaml");
  RecipeNode root = parse_recipe(yaml, errors).value();
  for (const std::string& override : overrides) apply_override(root, override, errors);
  errors.throw_if_any();
  return {"r.yaml", root};
}

}  // namespace

TEST_CASE("a value of a map or list is found by its key", "[recipe][places]") {
  const RecipePlaces places = places_of("a:\n  b: [x, {c: 1}]\nd: 2\n");
  CHECK(places.at("a.b[0]") == Place{2, 7});
  CHECK(places.at("a.b[1].c") == Place{2, 14});
  CHECK(places.at("d") == Place{3, 4});
}

TEST_CASE("a key that is not given stands where the nearest above it does", "[recipe][places]") {
  const RecipePlaces places = places_of("a:\n  b: [x]\n");
  CHECK(places.at("a.b[7]") == Place{2, 6});
  CHECK(places.at("a.c[0].d") == Place{2, 3});
  CHECK(places.at("e.f") == Place{1, 1});
  CHECK(places_of("").at("e") == Place{1, 1});
}

TEST_CASE("what was given by --set has no line", "[recipe][places]") {
  const RecipePlaces places = places_of("a: {b: 1}\n", {"a.b=[x]", "c.d=2"});
  CHECK(places.at("a.b[0]") == Place{});
  CHECK(places.at("c.d") == Place{});
  CHECK(places.at("a") == Place{1, 4});
}

TEST_CASE("recipes compare equal wherever their values stand", "[recipe][places]") {
  CHECK(places_of("a: 1\n") == RecipePlaces{});
  CHECK(RecipePlaces{}.empty());
}
