#include "trainer/recipe/node.h"

#include <catch2/catch.hpp>

#include "data/base/error.h"
#include "tests/support/error_message.h"

using namespace dualpath;
using namespace dualpath::trainer;
using dualpath::testing::error_message;

namespace {

/// The mistakes in this YAML; "" if there are none.
std::string mistakes(std::string_view yaml) {
  RecipeErrors errors("r.yaml");
  parse_recipe(yaml, errors);
  if (errors.count() == 0) return "";
  return error_message([&] { errors.throw_if_any(); });
}

/// The root of an empty recipe after these overrides, which have no mistake.
RecipeNode overridden(std::string_view yaml, const std::vector<std::string>& overrides) {
  RecipeErrors errors("r.yaml");
  RecipeNode root = parse_recipe(yaml, errors).value();
  for (const std::string& override : overrides) apply_override(root, override, errors);
  errors.throw_if_any();
  return root;
}

std::string override_mistakes(std::string_view override) {
  RecipeErrors errors("r.yaml");
  RecipeNode root;
  apply_override(root, override, errors);
  return error_message([&] { errors.throw_if_any(); });
}

}  // namespace

TEST_CASE("a node knows its text, its key and where both stand", "[recipe][yaml]") {
  RecipeErrors errors("r.yaml");
  const RecipeNode root = parse_recipe("seed: 1\nloss:\n  kl:   '2'\n", errors).value();
  const RecipeNode& kl = *root.find("loss")->find("kl");
  CHECK(kl.text == "2");
  CHECK(kl.quoted);
  CHECK(kl.key_place == Place{3, 3});
  CHECK(kl.place == Place{3, 9});
  CHECK_FALSE(root.find("seed")->quoted);
  CHECK(root.find("data") == nullptr);
}

TEST_CASE("an empty document is null", "[recipe][yaml]") {
  RecipeErrors errors("r.yaml");
  CHECK(parse_recipe("# nothing yet\n", errors)->kind == RecipeNode::Kind::kNull);
  CHECK(parse_recipe("", errors)->kind == RecipeNode::Kind::kNull);
}

TEST_CASE("broken YAML is refused at its line and column", "[recipe][yaml]") {
  CHECK(mistakes("a: [1, 2\nb: 3\n") == "r.yaml:2:2: YAML: end of sequence flow not found");
  CHECK(mistakes("a: 'x\n") == "r.yaml:1:6: YAML: illegal EOF in scalar");
}

TEST_CASE("a key given twice is refused with its whole name", "[recipe][yaml]") {
  CHECK(mistakes("loss:\n  kl: 1\n  ce: 0\n  kl: 2\n") ==
        "r.yaml:4:3: loss.kl: given twice, first in line 2");
}

TEST_CASE("what recipes do not need and attacks are made of is refused", "[recipe][yaml]") {
  CHECK(mistakes("a: &x [1]\nb: [*x, *x]\n") ==
        "r.yaml:2:5: YAML: aliases are not supported, write the value itself");
  CHECK(mistakes("a: !!python/object x\n") == "r.yaml:1:4: YAML: tags are not supported");
  CHECK(mistakes("a: 1\n---\nb: 2\n") == "r.yaml:2:1: YAML: expected a single document");
  CHECK(mistakes("[a, b]: 1\n") ==
        "r.yaml:1:1: YAML: expected a word as key; is a bracket not closed?");
  CHECK(mistakes("a: " + std::string(40, '[') + std::string(40, ']')) ==
        "r.yaml:1:35: YAML: nested deeper than 32");
  std::string many = "a: [";
  for (int i = 0; i < 10'000; ++i) many += "1,";
  CHECK_THAT(mistakes(many + "]"), Catch::EndsWith("YAML: more than 10000 keys and values"));
}

TEST_CASE("a recipe is UTF-8 without control characters", "[recipe][yaml]") {
  const std::string message = "expected UTF-8 text without control characters";
  CHECK(mistakes("a: 1\nb: \xff\n") == "r.yaml:2:4: " + message);
  CHECK(mistakes(std::string("a: 1\nb: 2 \x04\nc: 3", 17)) == "r.yaml:2:6: " + message);
  CHECK(mistakes("a: größe\n") == "");
}

TEST_CASE("an override replaces what is there and adds what is not", "[recipe][override]") {
  const RecipeNode root = overridden("loss: {kl: 1, ce: 2}\nseed: 3\n",
                                     {"loss.kl=5", "train.a.b=[x, y]", "seed={c: d}", "loss.kl=6"});
  CHECK(root.find("loss")->find("kl")->text == "6");
  CHECK(root.find("loss")->find("ce")->text == "2");
  CHECK(root.find("train")->find("a")->find("b")->children.at(1).text == "y");
  CHECK(root.find("seed")->find("c")->text == "d");
}

TEST_CASE("an override may be null, hold an equals sign, or go below a scalar",
          "[recipe][override]") {
  const RecipeNode root = overridden("a: 1\nb: 2\nc: 3\n", {"a=null", "b=x=y", "c.d=4"});
  CHECK(root.find("a")->kind == RecipeNode::Kind::kNull);
  CHECK(root.find("b")->text == "x=y");
  CHECK(root.find("c")->find("d")->text == "4");
}

TEST_CASE("an override with nothing behind is refused, at any depth", "[recipe][override]") {
  const std::string message = ": expected section.key=value, got no value; null is the default";
  for (const std::string override :
       {"a.b=", "a.b= ", "a.b=#5", "a={b: }", "a={b: , c: ~}", "a={b}", "a=[~, {b: }]", "a=!"}) {
    INFO(override);
    CHECK_THAT(override_mistakes(override), Catch::StartsWith("--set " + override + ": "));
  }
  CHECK(override_mistakes("a.b=") == "--set a.b=" + message);
  const RecipeNode root = overridden("", {"a=~", "b={c: null, d: Null, e: NULL, f: ~}", "g={}"});
  CHECK(root.find("a")->kind == RecipeNode::Kind::kNull);
  CHECK(root.find("b")->children.size() == 4);
}

TEST_CASE("an override is not cut at what would be a comment", "[recipe][override]") {
  CHECK(override_mistakes("a.b=run #2") ==
        "--set a.b=run #2: expected quotes around a value with #");
  CHECK(overridden("", {"a='run #2'"}).find("a")->text == "run #2");
  CHECK(overridden("", {"a=run#2"}).find("a")->text == "run#2");
}

TEST_CASE("a broken override is named by itself", "[recipe][override]") {
  CHECK(override_mistakes("train.max_steps") ==
        "--set train.max_steps: expected section.key=value");
  CHECK(override_mistakes("=3") == "--set =3: expected section.key=value");
  CHECK(override_mistakes("a..b=3") == "--set a..b=3: expected section.key=value");
  CHECK(override_mistakes("a.b=[1") ==
        "--set a.b: YAML: expected a word as key; is a bracket not closed?");
  CHECK(override_mistakes("a={b: 1, b: 2}") == "--set a.b: given twice");
}

TEST_CASE("large hostile recipes are refused quickly and without deep recursion",
          "[recipe][yaml]") {
  for (const char* piece :
       {"[", "{", "- ", "? ", "a: [", "a: {", "[\n", "&a [", "!t ", "a: ", "- &a\n"}) {
    std::string yaml;
    while (yaml.size() < 1'000'000) yaml += piece;
    CHECK(mistakes(yaml) != "");
  }
}

TEST_CASE("a recipe cut short anywhere is read or refused, never worse", "[recipe][yaml]") {
  const std::string yaml =
      "a: {b: [1, 'x', \"y\\n\"], c: |\n  text\n? k\n: v\n- !t &q z\n%YAML 1.2\n---\n";
  for (std::size_t begin = 0; begin < yaml.size(); ++begin) {
    for (std::size_t size = 0; begin + size <= yaml.size(); ++size) {
      CHECK_NOTHROW(mistakes(yaml.substr(begin, size)));
    }
  }
}
