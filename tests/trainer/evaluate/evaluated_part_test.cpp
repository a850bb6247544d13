#include "trainer/evaluate/evaluated_part.h"

#include <memory>

#include "data/samples/media_samples.h"
#include "modules/model/media_readers.h"
#include "tests/support/catch.h"
#include "tests/trainer/tiny_experiment.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;

TEST_CASE("a set is divided by what its samples hold beside text", "[trainer][evaluate]") {
  const modules::Model model = modules::open_model(kReference / "composition/model");
  const data::ConversationWriter writer(model.path, model.tokenizer, /*finds_answers=*/false);
  const data::MediaSamples samples(
      model.tokenizer, data::read_documents(kReference / "composition/samples.jsonl", writer), 512,
      std::make_shared<data::MediaReaders>(media_readers(model)), [] {});
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
