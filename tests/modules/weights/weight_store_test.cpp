#include "modules/weights/weight_store.h"

#include <torch/utils.h>

#include "modules/execute/compute_weights.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/layered_store.h"
#include "tests/support/model.h"

using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

std::shared_ptr<const WeightStore> two_weights() {
  return std::make_shared<MemoryStore>(
      NamedTensors{{"a.weight", at::tensor({1.0f, 2.0f})}, {"b.weight", at::tensor({3.0f, 4.0f})}});
}

std::shared_ptr<const WeightStore> tied(std::shared_ptr<const WeightStore> below) {
  return std::make_shared<TiedWeights>(
      std::move(below), std::map<std::string, std::string>{{"head.weight", "a.weight"}});
}

}  // namespace

TEST_CASE("a layer over a store forgets none of the store's methods", "[modules][weights]") {
  const auto below = std::make_shared<TellingStore>();
  check_tells(LayeredStore(below), *below);
  check_tells(TiedWeights(below, {{"head.weight", "plain.weight"}}), *below);
  check_tells(RenamedWeight(below, "theirs.weight", "ours.weight"), *below);
  check_tells(WeightOverlay(below), *below);
}

TEST_CASE("a layer asks the store below under the name that it has there", "[modules][weights]") {
  const auto below = std::make_shared<TellingStore>();
  const TiedWeights tied(below, {{"head.weight", "trained.weight"}});
  CHECK(tied.is_trained("head.weight"));
  CHECK(tied.file_with("head.weight") == "file of trained.weight");
  CHECK(TiedWeights(below, {{"head.weight", "changed.weight"}}).is_changed("head.weight"));
  const RenamedWeight renamed(below, "trained.weight", "ours.weight");
  CHECK(renamed.is_trained("ours.weight"));
  CHECK(renamed.canonical("ours.weight") == "ours.weight");
  CHECK(renamed.file_with("ours.weight") == "file of trained.weight");
}

TEST_CASE("a tied name gives the tensor it stands for and is not listed", "[modules][weights]") {
  const auto weights = tied(two_weights());
  CHECK(weights->names() == std::vector<std::string>{"a.weight", "b.weight"});
  CHECK(weights->contains("head.weight"));
  CHECK(weights->canonical("head.weight") == "a.weight");
  CHECK(weights->canonical("b.weight") == "b.weight");
  CHECK(weights->get("head.weight").is_same(weights->get("a.weight")));
  CHECK(weights->info("head.weight").shape == std::vector<std::int64_t>{2});
  CHECK(weights->canonical("head.weight_scale") == "a.weight_scale");
}

TEST_CASE("a file's own copy of a tied tensor is neither listed nor read", "[modules][weights]") {
  const auto below = std::make_shared<MemoryStore>(
      NamedTensors{{"a.weight", at::tensor({1.0f})}, {"head.weight", at::tensor({2.0f})}});
  const auto weights = tied(below);
  CHECK(weights->names() == std::vector<std::string>{"a.weight"});
  CHECK(weights->get("head.weight").item<float>() == 1.0f);
}

TEST_CASE("a renamed tensor has its new name alone", "[modules][weights]") {
  const RenamedWeight weights(two_weights(), "a.weight", "c.weight");
  CHECK(weights.names() == std::vector<std::string>{"b.weight", "c.weight"});
  CHECK(weights.contains("c.weight"));
  CHECK_FALSE(weights.contains("a.weight"));
  CHECK(weights.get("c.weight").equal(at::tensor({1.0f, 2.0f})));
  CHECK(weights.info("c.weight").shape == std::vector<std::int64_t>{2});
}

TEST_CASE("an overlay shows what is trained and leaves the store below alone",
          "[modules][weights]") {
  const auto below = tied(two_weights());
  WeightOverlay overlay(below);
  overlay.set("head.weight", at::tensor({7.0f, 8.0f}));
  CHECK(overlay.get("head.weight").equal(at::tensor({7.0f, 8.0f})));
  CHECK(overlay.get("a.weight").equal(at::tensor({7.0f, 8.0f})));  // one tensor, two names
  CHECK(overlay.get("b.weight").equal(at::tensor({3.0f, 4.0f})));
  CHECK(below->get("a.weight").equal(at::tensor({1.0f, 2.0f})));
  CHECK(overlay.trained().size() == 1);
  CHECK(overlay.names() == below->names());
}

TEST_CASE("an overlay of another shape is refused", "[modules][weights]") {
  WeightOverlay overlay(two_weights());
  CHECK_THROWS_WITH(overlay.set("a.weight", at::zeros(3)),
                    Catch::Contains("a.weight: the overlay has another shape"));
}

TEST_CASE("frozen weights are converted once, trained ones each time", "[modules][weights]") {
  const auto overlay = std::make_shared<WeightOverlay>(two_weights());
  at::Tensor trained = at::tensor({5.0f, 6.0f}).requires_grad_();
  overlay->set("a.weight", trained);
  ComputeWeights weights(overlay, at::kBFloat16);
  CHECK(weights.get("b.weight").scalar_type() == at::kBFloat16);
  CHECK(weights.get("b.weight").is_same(weights.get("b.weight")));
  {
    const torch::NoGradGuard no_grad;
    trained += 1.0;
  }
  CHECK(weights.get("a.weight").equal(at::tensor({6.0f, 7.0f}).to(at::kBFloat16)));
  weights.get("a.weight").sum().backward();
  CHECK(trained.grad().equal(at::ones(2)));
}

TEST_CASE("one conversion of a trained weight serves a whole step, and no longer",
          "[modules][weights]") {
  const auto overlay = std::make_shared<WeightOverlay>(two_weights());
  at::Tensor trained = at::tensor({5.0f, 6.0f}).requires_grad_();
  overlay->set("a.weight", trained);
  ComputeWeights weights(overlay, at::kBFloat16);
  at::Tensor without_graph;
  {
    const torch::NoGradGuard no_grad;
    without_graph = weights.get("a.weight");
    CHECK(weights.get("a.weight").is_same(without_graph));
  }
  const at::Tensor converted = weights.get("a.weight");
  CHECK(converted.requires_grad());  // a tensor made without a graph would let no gradient through
  CHECK(weights.get("a.weight").is_same(converted));
  {
    const torch::NoGradGuard no_grad;
    CHECK(weights.get("a.weight").is_same(converted));
  }
  // The step's two batches each flow through it.
  for (const double slope : {1.0, 3.0}) (weights.get("a.weight").sum() * slope).backward();
  CHECK(trained.grad().equal(at::tensor({4.0f, 4.0f})));
  {
    const torch::NoGradGuard no_grad;
    trained += 1.0;
  }
  CHECK_FALSE(weights.get("a.weight").is_same(converted));
  CHECK(weights.get("a.weight", at::kHalf).scalar_type() == at::kHalf);
  CHECK(weights.get("a.weight").scalar_type() == at::kBFloat16);
  CHECK(weights.get("a.weight", at::kFloat).is_same(trained));

  overlay->set("a.weight", at::tensor({8.0f, 9.0f}).requires_grad_());
  CHECK(weights.get("a.weight").equal(at::tensor({8.0f, 9.0f}).to(at::kBFloat16)));
}

TEST_CASE("a conversion that changes nothing shares the store's memory", "[modules][weights]") {
  const auto store = two_weights();
  ComputeWeights weights(store, at::kFloat);
  CHECK(weights.get("a.weight").data_ptr() == store->get("a.weight").data_ptr());
}

TEST_CASE("what is not trained is converted once for both paths", "[modules][weights]") {
  const auto store = two_weights();
  const auto overlay = std::make_shared<WeightOverlay>(store);
  overlay->set("a.weight", at::tensor({5.0f, 6.0f}));
  const auto reference = std::make_shared<ComputeWeights>(store, at::kBFloat16);
  ComputeWeights trained(overlay, reference);
  CHECK(trained.get("b.weight").is_same(reference->get("b.weight")));
  CHECK(trained.get("a.weight").equal(at::tensor({5.0f, 6.0f}).to(at::kBFloat16)));
  CHECK(reference->get("a.weight").equal(at::tensor({1.0f, 2.0f}).to(at::kBFloat16)));
}

TEST_CASE("weights are read onto the device that is asked for", "[modules][weights]") {
  const auto store = two_weights();
  const auto overlay = std::make_shared<WeightOverlay>(store);
  overlay->set("b.weight", at::tensor({5.0f, 6.0f}).requires_grad_());
  // A device without memory stands for any.
  const auto on_meta =
      std::make_shared<ComputeWeights>(store, at::dtype(at::kBFloat16).device(at::kMeta));
  ComputeWeights over(overlay, on_meta);
  CHECK(on_meta->device() == at::kMeta);
  CHECK(over.device() == at::kMeta);
  for (const char* name : {"a.weight", "b.weight"}) {
    CHECK(over.get(name).device() == at::kMeta);
    CHECK(over.get(name).scalar_type() == at::kBFloat16);
    CHECK(over.get(name).is_same(over.get(name)));
  }
  CHECK(over.get("b.weight", at::kFloat).device() == at::kMeta);
  CHECK(on_meta->prepared("a.weight") == nullptr);
}
