#include "trainer/train/checkpoint.h"

#include <torch/torch.h>

#include "data/files/file.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::testing;
using namespace dualpath::trainer;
namespace fs = std::filesystem;

namespace {

/// An optimizer over one tensor, after one step.
struct Trained {
  explicit Trained(float value) : tensor(torch::full({4}, value).requires_grad_()) {
    tensor.mutable_grad() = torch::ones(4);
    optimizer.step(0);
  }
  torch::Tensor tensor;
  Optimizer optimizer{{{{{"p", tensor}}, 0.1, 0.0}}, TrainOptions{}};
};

}  // namespace

TEST_CASE("the newest checkpoint comes back, values and moments", "[trainer][checkpoint]") {
  const TemporaryDirectory run;
  std::filesystem::create_directory(run / "control");
  const Checkpoints checkpoints(run / "control", /*save_total_limit=*/9);
  Trained first(1.0f), second(2.0f), loaded(0.0f);
  CHECK(checkpoints.load_last(loaded.optimizer, "f") == 0);
  checkpoints.save(9, first.optimizer, "f");
  checkpoints.save(10, second.optimizer, "f");  // sorted by number, not by name
  CHECK(checkpoints.load_last(loaded.optimizer, "f") == 10);
  CHECK(loaded.tensor.equal(second.tensor));
  CHECK(loaded.optimizer.state().at("p.exp_avg").equal(second.optimizer.state().at("p.exp_avg")));
}

TEST_CASE("saving a step again replaces it", "[trainer][checkpoint]") {
  const TemporaryDirectory run;
  const Checkpoints checkpoints(run.path(), 9);
  Trained first(1.0f), second(2.0f), loaded(0.0f);
  checkpoints.save(5, first.optimizer, "f");
  checkpoints.save(5, second.optimizer, "f");
  checkpoints.load_last(loaded.optimizer, "f");
  CHECK(loaded.tensor.equal(second.tensor));
  CHECK(std::distance(fs::directory_iterator(run.path()), {}) == 1);
}

TEST_CASE("only the newest save_total_limit checkpoints are kept", "[trainer][checkpoint]") {
  const TemporaryDirectory run;
  const Checkpoints checkpoints(run.path(), 2);
  Trained trained(1.0f);
  for (const std::int64_t step : {8, 9, 10, 11}) checkpoints.save(step, trained.optimizer, "f");
  CHECK(checkpoints.steps() == std::vector<std::int64_t>{10, 11});
  Checkpoints(run.path(), 1).prune();
  CHECK(checkpoints.steps() == std::vector<std::int64_t>{11});
}

TEST_CASE("only whole checkpoints count", "[trainer][checkpoint]") {
  const TemporaryDirectory run;
  for (const char* name : {"checkpoint-7.tmp-123", "checkpoint-", "checkpoint-x", "checkpoint"}) {
    fs::create_directory(run / name);
  }
  CHECK(Checkpoints(run.path(), 2).steps().empty());
  CHECK(Checkpoints(run / "missing", 2).steps().empty());
}

TEST_CASE("a damaged checkpoint is passed over for the one before it", "[trainer][checkpoint]") {
  const std::string name = GENERATE("trained.safetensors", "optimizer.safetensors", "state.json");
  const TemporaryDirectory run;
  const Checkpoints checkpoints(run.path(), 2);
  Trained first(1.0f), second(2.0f), loaded(0.0f);
  checkpoints.save(3, first.optimizer, "f");
  checkpoints.save(4, second.optimizer, "f");
  const fs::path file = run / "checkpoint-4" / name;
  SECTION("one bit") {
    std::string bytes = read_file(file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_plain(file, bytes);
  }
  SECTION("cut short") { fs::resize_file(file, fs::file_size(file) / 2); }
  SECTION("missing") { fs::remove(file); }
  CHECK(checkpoints.load_last(loaded.optimizer, "f") == 3);
  CHECK(loaded.tensor.equal(first.tensor));
}

TEST_CASE("where no checkpoint is whole, an Error names the damaged file",
          "[trainer][checkpoint]") {
  const TemporaryDirectory run;
  const Checkpoints checkpoints(run.path(), 2);
  Trained trained(1.0f);
  checkpoints.save(3, trained.optimizer, "f");
  const fs::path file = run / "checkpoint-3/trained.safetensors";
  fs::resize_file(file, fs::file_size(file) - 1);
  CHECK(error_message([&] { checkpoints.load_last(trained.optimizer, "f"); }) ==
        file.string() +
            ": damaged: its checksum is not the one in state.json; no whole checkpoint is left");
}

TEST_CASE("a checkpoint of another run is refused", "[trainer][checkpoint]") {
  const TemporaryDirectory run;
  const Checkpoints checkpoints(run.path(), 2);
  Trained trained(1.0f);
  checkpoints.save(3, trained.optimizer, "here");
  CHECK(error_message([&] { checkpoints.load_last(trained.optimizer, "elsewhere"); }) ==
        (run / "checkpoint-3").string() +
            ": made from another model, calibration or text; --restart starts anew");
}
