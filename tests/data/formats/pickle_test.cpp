#include "data/formats/pickle.h"

#include <catch2/catch.hpp>

#include "data/files/atomic_file.h"
#include "tests/support/error_message.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;

TEST_CASE("a pickle is refused with the command that converts its directory", "[formats]") {
  const TemporaryDirectory directory;
  for (const std::string name : {"pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"}) {
    const std::string message = error_message([&] { refuse_pickle(directory / name); });
    CHECK_THAT(message, Catch::StartsWith((directory / name).string() + ": is a pickle"));
    CHECK_THAT(message, Catch::Contains("from_pretrained('" + directory.path().string() + "')"));
  }
}

TEST_CASE("a directory is refused only if pickles are all it has", "[formats]") {
  const TemporaryDirectory directory;
  refuse_pickle(directory.path());
  write_file(directory / "config.json", "{}");
  write_file(directory / "pytorch_model-00001-of-00002.bin", "?");
  CHECK_THAT(error_message([&] { refuse_pickle(directory.path()); }),
             Catch::StartsWith(directory.path().string() + ": is a pickle"));
  write_file(directory / "model.safetensors", "?");
  refuse_pickle(directory.path());
  refuse_pickle(directory / "model.safetensors");
}
