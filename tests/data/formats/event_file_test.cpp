#include "data/formats/event_file.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "data/files/checksum.h"
#include "data/files/file.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::data;
using namespace dualpath::testing;
using namespace std::string_literals;
namespace fs = std::filesystem;

namespace {

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> files(fs::directory_iterator(directory), {});
  std::sort(files.begin(), files.end());
  return files;
}

template <class T>
T number_at(const std::string& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// The payloads of a file of records, with the checks of data's CRCs.
std::vector<std::string> events_of(const fs::path& file) {
  const auto masked = [](const std::string& bytes) {
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(bytes)));
    return (crc >> 15 | crc << 17) + 0xa282ead8U;
  };
  const std::string bytes = read_file(file);
  std::vector<std::string> events;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto size = number_at<std::uint64_t>(bytes, at);
    CHECK(number_at<std::uint32_t>(bytes, at + 8) == masked(bytes.substr(at, 8)));
    events.push_back(bytes.substr(at + 12, size));
    CHECK(number_at<std::uint32_t>(bytes, at + 12 + size) == masked(events.back()));
    at += 16 + size;
  }
  return events;
}

/// An event without its wall time, which comes first: a key and eight bytes.
std::string timeless(const std::string& event) {
  CHECK(event[0] == '\x09');
  CHECK(number_at<double>(event, 1) > 1.7e9);
  return event.substr(9);
}

}  // namespace

TEST_CASE("an event file begins as TensorFlow's own do", "[formats][events]") {
  const TemporaryDirectory folder;
  const EventFile events(folder / "runs/train", 1);
  const std::string bytes = read_file(files_in(folder / "runs/train").at(0));
  // The length of the first record, 24, and its masked CRC; then a wall time, and the version.
  CHECK(bytes.substr(0, 13) == "\x18\0\0\0\0\0\0\0\xa3\x7fK\"\x09"s);
  CHECK(bytes.substr(21, 15) ==
        "\x1a\x0d"
        "brain.Event:2");
}

TEST_CASE("scalars are in the file as soon as they are written", "[formats][events]") {
  const TemporaryDirectory folder;
  EventFile events(folder.path(), 301);
  events.write(301, {{"train/loss", 0.5}, {"a", -2.0}});
  const std::vector<std::string> written = events_of(files_in(folder.path()).at(0));
  REQUIRE(written.size() == 3);
  CHECK(timeless(written[1]) ==
        "\x10\xad\x02"
        "\x3a\x02\x08\x01"s);  // step 301, START
  CHECK(timeless(written[2]) ==
        "\x10\xad\x02"
        "\x2a\x1d"
        "\x0a\x11"
        "\x0a\x0a"
        "train/loss"
        "\x15\0\0\0\x3f"
        "\x0a\x08"
        "\x0a\x01"
        "a"
        "\x15\0\0\0\xc0"s);
}

TEST_CASE("a later file's name comes after all that are there", "[formats][events]") {
  const TemporaryDirectory folder;
  write_plain(folder / "events.out.tfevents.9000000000.host.1", "");
  write_plain(folder / "other", "");
  { const EventFile first(folder.path(), 1); }
  const EventFile second(folder.path(), 1);
  const auto files = files_in(folder.path());
  REQUIRE(files.size() == 4);
  CHECK(files[1].filename().string().starts_with("events.out.tfevents.9000000001."));
  CHECK(files[2].filename().string().starts_with("events.out.tfevents.9000000002."));
}
