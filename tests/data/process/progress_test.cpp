#include "data/process/progress.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <string>

using namespace dualpath;

namespace {

/// What is printed by `work` done on a Progress of 4 steps.
template <class Work>
std::string printed(ProgressStyle style, Work work) {
  std::FILE* out = std::tmpfile();
  {
    Progress progress("train", 4, "steps", style, out);
    work(progress);
  }
  std::string text(static_cast<std::size_t>(std::ftell(out)), '\0');
  std::rewind(out);
  const std::size_t size = std::fread(text.data(), 1, text.size(), out);
  std::fclose(out);
  return text.substr(0, size);
}

}  // namespace

TEST_CASE("a progress line says how far, how fast, how long still, and the note",
          "[base][progress]") {
  CHECK(progress_text({"train", "steps", "loss 2.31", 120, 500, 0, 60}) ==
        "train  120/500 steps  24 %  2 steps/s  3:10 left  loss 2.31");
  CHECK(progress_text({"train", "steps", "", 500, 500, 0, 3723}) ==
        "train  500/500 steps  100 %  0.134 steps/s  in 1:02:03");
}

TEST_CASE("a progress line without a total says only what is known", "[base][progress]") {
  CHECK(progress_text({"read", "lines", "", 50, 0, 0, 10}) == "read  50 lines  5 lines/s");
  CHECK(progress_text({"read", "lines", "", 0, 0, 0, 0}) == "read  0 lines");
}

TEST_CASE("work of an earlier run counts as done but not as speed", "[base][progress]") {
  CHECK(progress_text({"train", "steps", "", 120, 200, 100, 10}) ==
        "train  120/200 steps  60 %  2 steps/s  0:40 left");
}

TEST_CASE("lines style prints a plain line at the end, once", "[base][progress]") {
  const std::string text = printed(ProgressStyle::kLines, [](Progress& progress) {
    progress.resume_at(1);
    progress.advance(1, "loss 3");
    progress.advance(1);
    CHECK(progress.done() == 3);
    CHECK(progress.elapsed_seconds() >= 0);
    progress.finish();
    progress.finish();
  });
  CHECK_THAT(text, Catch::StartsWith("train  3/4 steps  75 %"));
  CHECK_THAT(text, Catch::EndsWith("loss 3\n"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
}

TEST_CASE("bar style redraws its line and ends it", "[base][progress]") {
  const std::string text =
      printed(ProgressStyle::kBar, [](Progress& progress) { progress.advance(2); });
  CHECK_THAT(text, Catch::StartsWith("\r[############............] train  2/4 steps  50 %"));
  CHECK_THAT(text, Catch::EndsWith("\n"));
}

TEST_CASE("without a terminal kAutomatic means lines", "[base][progress]") {
  const auto nothing = [](Progress&) {};
  CHECK_THAT(printed(ProgressStyle::kAutomatic, nothing), Catch::StartsWith("train  0/4"));
}
