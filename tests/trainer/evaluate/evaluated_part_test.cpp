#include "trainer/evaluate/evaluated_part.h"

#include <memory>

#include "data/samples/media_samples.h"
#include "modules/model/media_readers.h"
#include "tests/support/catch.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/evaluate/evaluation.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;

namespace {

/// The small model's samples of all modalities.
data::MediaSamples samples_for(const modules::Model& model) {
  const data::ConversationWriter writer(model.path, model.tokenizer, /*finds_answers=*/false);
  return {model.tokenizer, data::read_documents(kReference / "composition/samples.jsonl", writer),
          512, std::make_shared<data::MediaReaders>(media_readers(model)), [] {}};
}

/// The model's weights, those of its alignment layers a little larger.
std::shared_ptr<MemoryStore> changed_weights(const modules::Model& model) {
  modules::NamedTensors tensors;
  for (const std::string& name : model.weights->names()) {
    const at::Tensor weight = model.weights->get(name);
    tensors[name] = name.find("alignment") == name.npos ? weight : weight * 1.1;
  }
  tensors["lm_head.weight"] = model.weights->get("lm_head.weight");  // tied, so it is not listed
  return std::make_shared<MemoryStore>(std::move(tensors));
}

/// The relative distance of all frames of a batch, and their number.
Sum frames_apart(const modules::Network& network, modules::Executor& fp, modules::Executor& row,
                 const data::Batch& batch) {
  modules::State exact = modules::make_state(batch, at::kCPU), other = exact;
  modules::run(network, fp, exact);
  modules::run(network, row, other);
  Sum sum;
  for (const auto& [modality, tower] : exact.towers) {
    const at::Tensor f = tower.hidden.to(at::kDouble),
                     q = other.towers.at(modality).hidden.to(at::kDouble);
    const at::Tensor apart = (q - f).square().sum(-1) / f.square().sum(-1);
    const at::Tensor mask = tower.mask.defined() ? tower.mask : at::ones_like(apart, at::kBool);
    sum.add(apart.masked_select(mask).sum().item<double>(), mask.sum().item<double>());
  }
  return sum;
}

}  // namespace

TEST_CASE("a sample's frames are compared file by file, as far as they are real",
          "[trainer][evaluate]") {
  const modules::Model model = modules::open_model(kReference / "composition/model");
  const data::MediaSamples samples = samples_for(model);
  modules::FloatExecutor fp(model.weights, at::kFloat), row(changed_weights(model), at::kFloat);
  const auto sums =
      evaluate_rows(model.network, {{"fp", &fp}, {"row", &row}}, samples,
                    {.num_tokens = 1 << 20, .batch_size = 3}, Processes::alone(), [](auto) {});
  REQUIRE(sums[1].samples.size() == samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Sum expected = frames_apart(model.network, fp, row, samples.batch(std::span(&i, 1)));
    const Sum found = sums[1].samples[i][Quantity::kFrames];
    INFO("sample " << i);
    CHECK(found.count == expected.count);
    CHECK(found.value == Approx(expected.value).epsilon(1e-4));
    CHECK((expected.count > 0) == !samples.sample(i).files->empty());
    CHECK(sums[0].samples[i][Quantity::kFrames].value == 0.0);
  }
}

TEST_CASE("a set is divided by what its samples hold beside text", "[trainer][evaluate]") {
  const modules::Model model = modules::open_model(kReference / "composition/model");
  const data::MediaSamples samples = samples_for(model);
  const std::vector<EvaluatedPart> parts = parts_of(samples, /*has_towers=*/true);
  std::size_t all = 0;
  std::vector<std::string> modalities;
  for (const EvaluatedPart& part : parts) {
    modalities.push_back(part.modality);
    all += part.samples.size();
    for (std::size_t i = 0; i < part.samples.size(); ++i)
      CHECK(data::kind_of(*part.samples.sample(i).files) == part.modality);
  }
  CHECK(modalities == std::vector<std::string>{"text", "image", "audio", "image and audio"});
  CHECK(all == samples.size());
  CHECK(parts[1].samples.batch(std::vector<std::size_t>{0}).images);
  CHECK(parts[1].samples.targets(0) > 0);
}

TEST_CASE("text of a model with towers is a part, without towers all of a set is one",
          "[trainer][evaluate]") {
  const auto windows = made_windows(3, 20);
  CHECK(parts_of(windows, /*has_towers=*/true).at(0).modality == "text");
  const auto parts = parts_of(windows, /*has_towers=*/false);
  REQUIRE(parts.size() == 1);
  CHECK(parts[0].modality.empty());
  CHECK(parts[0].samples.size() == 3);
}
