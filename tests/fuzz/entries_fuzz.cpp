#include "data/text/entries.h"
#include "tests/fuzz/target.h"

using namespace dualpath;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const char* name : {"a.jsonl", "a.tsv"}) {
    fuzz::judge(data, size, [&](std::string_view content) {
      data::for_each_entry_in(
          std::string(content), name, [](const data::Entry&) {}, [](const Error&) {});
    });
  }
  return 0;
}
