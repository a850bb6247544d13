#include "data/formats/event_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <span>
#include <string_view>

#include "data/files/checksum.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "events.out.tfevents.";

// A message of protobuf is a row of fields: their number and kind, then the value.
enum class Wire : std::uint64_t { kVarint = 0, k64Bit = 1, kBytes = 2, k32Bit = 5 };

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

std::string key(std::uint64_t number, Wire wire) {
  return varint(number << 3 | static_cast<std::uint64_t>(wire));
}

std::string field(std::uint64_t number, std::uint64_t value) {
  return key(number, Wire::kVarint) + varint(value);
}
std::string field(std::uint64_t number, double value) {
  return key(number, Wire::k64Bit) + little_endian(std::bit_cast<std::uint64_t>(value));
}
std::string field(std::uint64_t number, float value) {
  return key(number, Wire::k32Bit) + little_endian(std::bit_cast<std::uint32_t>(value));
}
std::string field(std::uint64_t number, std::string_view bytes) {
  return key(number, Wire::kBytes) + varint(bytes.size()).append(bytes);
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Event: wall_time = 1, step = 2, then one of file_version = 3, summary = 5, session_log = 7.
std::string version_event() {
  return field(1, now()) + field(3, std::string_view("brain.Event:2"));
}

std::string start_event(std::int64_t step) {
  constexpr std::uint64_t kStart = 1;  // SessionLog: status = 1
  return field(1, now()) + field(2, static_cast<std::uint64_t>(step)) + field(7, field(1, kStart));
}

std::string summary_event(std::int64_t step, const std::vector<Scalar>& scalars) {
  std::string summary;  // value = 1, each with tag = 1, simple_value = 2
  for (const auto& [tag, value] : scalars)
    summary += field(1, field(1, tag) + field(2, static_cast<float>(value)));
  return field(1, now()) + field(2, static_cast<std::uint64_t>(step)) + field(5, summary);
}

/// A CRC over bytes that hold CRCs says little, so TFRecord turns it round.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(std::as_bytes(std::span(bytes)));
  return std::rotr(crc, 15) + 0xa282ead8U;
}

std::string record(const std::string& event) {
  const std::string length = little_endian<std::uint64_t>(event.size());
  return length + little_endian(masked_crc(length)) + event + little_endian(masked_crc(event));
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

/// The seconds in an event file's name; 0 for any other file.
std::int64_t seconds_of(const std::string& name) {
  std::int64_t seconds = 0;
  if (name.starts_with(kPrefix))
    std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), seconds);
  return seconds;
}

fs::path next_file(const fs::path& directory) {
  fs::create_directories(directory);
  auto seconds = static_cast<std::int64_t>(now());
  for (const auto& entry : fs::directory_iterator(directory))
    seconds = std::max(seconds, seconds_of(entry.path().filename().string()) + 1);
  return directory / fmt::format("{}{:010}.{}.{}", kPrefix, seconds, host_name(), ::getpid());
}

}  // namespace

EventFile::EventFile(const fs::path& directory, std::int64_t first_step)
    : file_(next_file(directory), O_WRONLY | O_CREAT | O_EXCL) {
  append(version_event());
  append(start_event(first_step));
}

void EventFile::write(std::int64_t step, const std::vector<Scalar>& scalars) {
  append(summary_event(step, scalars));
}

void EventFile::append(const std::string& event) {
  const std::string bytes = record(event);
  file_.write_at(end_, std::as_bytes(std::span(bytes)));
  end_ += bytes.size();
}

}  // namespace dualpath::data
