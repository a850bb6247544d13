#include "trainer/train/run_log.h"

#include "data/files/file.h"
#include "tests/support/catch.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::testing;
using dualpath::trainer::RunLog;

TEST_CASE("a line is in the log as soon as it is written", "[trainer][log]") {
  const TemporaryDirectory folder;
  RunLog log(folder / "log.jsonl", 0);
  CHECK(log.last().empty());
  log.write({{"step", 1}, {"loss", 0.5}});
  CHECK(read_file(folder / "log.jsonl") == "{\"loss\":0.5,\"step\":1}\n");
  CHECK(log.last()["loss"] == 0.5);
}

TEST_CASE("a resumed log drops later lines and one that was cut off", "[trainer][log]") {
  const TemporaryDirectory folder;
  const std::string two = "{\"step\":1}\n{\"step\":2}\n";
  write_plain(folder / "log.jsonl", two + "{\"step\":3}\n{\"step\":4}\n{\"st");
  RunLog log(folder / "log.jsonl", 2);
  CHECK(read_file(folder / "log.jsonl") == two);
  CHECK(log.last()["step"] == 2);
  log.write({{"step", 3}});
  CHECK(read_file(folder / "log.jsonl") == two + "{\"step\":3}\n");
}

TEST_CASE("a log begun anew keeps nothing", "[trainer][log]") {
  const TemporaryDirectory folder;
  write_plain(folder / "log.jsonl", "{\"step\":1}\nno JSON\n[1]\n{\"loss\":1}\n");
  RunLog(folder / "log.jsonl", 0);
  CHECK(read_file(folder / "log.jsonl") == "");
}
