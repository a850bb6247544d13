#include "trainer/train/frozen_towers.h"

#include <torch/torch.h>

#include <fstream>

#include "data/samples/media_samples.h"
#include "modules/execute/float_executor.h"
#include "modules/model/encoder_network.h"
#include "modules/model/media_readers.h"
#include "modules/model/model.h"
#include "modules/network/batch_state.h"
#include "tests/support/catch.h"
#include "tests/support/model.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::trainer;
using namespace dualpath::testing;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kRoom = 1 << 24;

/// A tiny model with an eye and an ear, both frozen.
struct Frozen {
  explicit Frozen(const std::string& name = "model")
      : model(modules::open_model(kReference / "composition" / name)),
        executor(model.weights, at::kFloat) {
    for (const modules::Tower& tower : model.config.towers)
      towers.push_back({tower.placeholder.modality, modules::encoder_of(model.network, tower),
                        tower.name, std::holds_alternative<modules::WhisperConfig>(tower.encoder)});
    const auto readers = std::make_shared<data::MediaReaders>(media_readers(model));
    const data::ConversationWriter writer(model.path, model.tokenizer, /*finds_answers=*/false);
    const auto texts = kReference / "composition" / "samples.jsonl";
    samples = std::make_unique<data::MediaSamples>(
        model.tokenizer, data::read_documents(texts, writer), 512, readers, [] {});
  }

  modules::State run(std::vector<std::size_t> chosen, FeatureStore* store) {
    const data::Batch batch = samples->batch(chosen);
    modules::State state = modules::make_state(batch, at::kCPU);
    FrozenTowers(towers, store).run(batch, executor, state);
    return state;
  }

  modules::Model model;
  modules::FloatExecutor executor;
  std::vector<FrozenTower> towers;
  std::unique_ptr<data::MediaSamples> samples;
};

using modules::Modality;

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  return files;
}

bool same_towers(const modules::State& a, const modules::State& b) {
  for (const Modality modality : {Modality::kImage, Modality::kAudio}) {
    const modules::Stream &x = a.stream(modality), &y = b.stream(modality);
    if (!x.hidden.equal(y.hidden) || !x.mask.equal(y.mask) || x.leading != y.leading) return false;
    if (x.grid.defined() != y.grid.defined()) return false;
    if (x.grid.defined() && !x.grid.equal(y.grid)) return false;
  }
  return true;
}

const std::vector<std::size_t> kAll{1, 2, 3, 6, 7};  // samples with pictures or clips

}  // namespace

TEST_CASE("A frozen tower's output for a clip has the same bits in every batch",
          "[trainer][frozen]") {
  const std::string name = GENERATE("model", "others");  // a Conformer, Whisper's encoder
  INFO(name);
  Frozen frozen(name);
  const modules::State together = frozen.run({2, 3, 6}, nullptr);
  const auto& clips = together.stream(Modality::kAudio);
  REQUIRE(clips.hidden.size(0) == 3);
  std::int64_t row = 0;
  for (const std::size_t sample : {2, 3, 6}) {
    const modules::State alone = frozen.run({sample}, nullptr);
    const at::Tensor& hidden = alone.stream(Modality::kAudio).hidden;
    const std::int64_t length = hidden.size(1);
    CHECK(clips.mask[row].sum().item<std::int64_t>() == length);
    CHECK(clips.hidden[row].narrow(0, 0, length).equal(hidden[0]));
    ++row;
  }
}

TEST_CASE("A frozen tower gives what its stages give", "[trainer][frozen]") {
  const std::string name = GENERATE("model", "others");
  INFO(name);
  Frozen frozen(name);
  const data::Batch batch = frozen.samples->batch(kAll);
  modules::State whole = modules::make_state(batch, at::kCPU);
  for (const FrozenTower& tower : frozen.towers) {
    for (const modules::Stage& stage : tower.network.stages)
      modules::run(stage, frozen.executor, whole);
  }
  const modules::State state = frozen.run(kAll, nullptr);
  for (const Modality modality : {Modality::kImage, Modality::kAudio}) {
    const modules::Stream &got = state.stream(modality), &expected = whole.stream(modality);
    const std::int64_t length = got.hidden.size(1);
    const at::Tensor mask = got.mask.unsqueeze(-1);
    CHECK(got.mask.equal(expected.mask.narrow(1, 0, length)));
    CHECK(got.mask.sum().item<std::int64_t>() == expected.mask.sum().item<std::int64_t>());
    CHECK(
        got.hidden.mul(mask).allclose(expected.hidden.narrow(1, 0, length).mul(mask), 1e-4, 1e-5));
    CHECK_FALSE(got.hidden.requires_grad());
  }
}

TEST_CASE("Features come from their folder as they were computed", "[trainer][frozen]") {
  Frozen frozen;
  const TemporaryDirectory folder;
  const modules::State computed = frozen.run(kAll, nullptr);
  for (int i = 0; i < 2; ++i) {  // written, then read
    FeatureFolder store(folder / "features", kRoom);
    CHECK(same_towers(frozen.run(kAll, &store), computed));
    CHECK(files_in(folder / "features").size() == 7);  // 3 pictures, 4 clips
  }
}

TEST_CASE("Features of another tower are not taken", "[trainer][frozen]") {
  Frozen frozen;
  MemoryFeatures store;
  frozen.run(kAll, &store);
  const at::Tensor before = frozen.run({1}, &store).stream(Modality::kImage).hidden;
  for (FrozenTower& tower : frozen.towers) {
    tower.fingerprint += "'";
    tower.network.stages.pop_back();
  }
  CHECK_FALSE(frozen.run({1}, &store).stream(Modality::kImage).hidden.equal(before));
}

TEST_CASE("A damaged file of features is made again", "[trainer][frozen]") {
  Frozen frozen;
  const TemporaryDirectory folder;
  FeatureFolder store(folder.path(), kRoom);
  const modules::State computed = frozen.run(kAll, &store);
  const std::vector<fs::path> files = files_in(folder.path());
  for (const fs::path& file : files) {
    std::fstream damaged(file, std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(-3, std::ios::end);
    damaged.put('\x55');
  }
  fs::resize_file(files.front(), 10);
  CHECK(same_towers(frozen.run(kAll, &store), computed));
  CHECK(same_towers(frozen.run(kAll, &store), computed));
  CHECK(fs::file_size(files.front()) > 10);
}

TEST_CASE("A full folder of features takes no more", "[trainer][frozen]") {
  Frozen frozen;
  const TemporaryDirectory folder;
  FeatureFolder first(folder.path(), kRoom);
  frozen.run({1}, &first);
  const auto held = static_cast<std::int64_t>(fs::file_size(files_in(folder.path()).front()));
  FeatureFolder full(folder.path(), held + 1000);
  CHECK(same_towers(frozen.run(kAll, &full), frozen.run(kAll, nullptr)));
  CHECK(files_in(folder.path()).size() == 1);
}
