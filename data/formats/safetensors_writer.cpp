#include "data/formats/safetensors_writer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/files/checksum.h"

// The layout is drawn in safetensors.cpp.

namespace dualpath::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::string_view kChecksumKey = "data_sha256";
constexpr std::size_t kChecksumDigits = 64;

std::uint64_t size_in_bytes(const TensorInfo& tensor, const std::filesystem::path& path) {
  const std::optional<std::int64_t> numel = checked_numel(tensor.shape);
  std::uint64_t size = 0;
  if (!numel ||
      __builtin_mul_overflow(static_cast<std::uint64_t>(*numel), size_of(tensor.dtype), &size)) {
    throw Error("{}: {}: [{}] is no shape", path.string(), tensor.name,
                fmt::join(tensor.shape, ", "));
  }
  return size;
}

/// The length and the JSON, padded so that the data begins at a multiple of 8.
std::string header_bytes(const nlohmann::ordered_json& header, const std::filesystem::path& path) {
  std::string json;
  try {
    json = header.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error("{}: expected tensor names and metadata in UTF-8", path.string());
  }
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = json.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + json;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(std::filesystem::path path, std::vector<TensorInfo> tensors,
                                     std::map<std::string, std::string> metadata)
    : path_(std::move(path)), file_(path_) {
  std::ranges::stable_sort(tensors, std::greater<>(),
                           [](const TensorInfo& t) { return size_of(t.dtype); });
  metadata["format"] = "pt";
  metadata[std::string(kChecksumKey)] = std::string(kChecksumDigits, '0');
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  std::uint64_t end = 0;
  for (const TensorInfo& tensor : tensors) {
    const Slot slot{end, size_in_bytes(tensor, path_)};
    end += slot.size;
    if (tensor.name == "__metadata__" || !slots_.emplace(tensor.name, slot).second) {
      throw Error("{}: {}: expected each tensor under a name of its own", path_.string(),
                  tensor.name);
    }
    header[tensor.name] = {{"dtype", name_of(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {slot.begin, end}}};
  }
  const std::string bytes = header_bytes(header, path_);
  const std::string mark = fmt::format("\"{}\":\"", kChecksumKey);
  checksum_begin_ = bytes.find(mark) + mark.size();
  data_begin_ = bytes.size();
  file_.write(std::as_bytes(std::span(bytes)));
}

void SafetensorsWriter::append(std::string_view name, std::span<const std::byte> bytes) {
  const auto slot = slots_.find(name);
  if (slot == slots_.end() || slot->second.written) {
    throw Error("{}: {}: {}", path_.string(), name,
                slot == slots_.end() ? "is not in the header" : "is written twice");
  }
  if (bytes.size() != slot->second.size) {
    throw Error("{}: {}: expected {} bytes, got {}", path_.string(), name, slot->second.size,
                bytes.size());
  }
  file_.write_at(data_begin_ + slot->second.begin, bytes);
  slot->second.written = true;
}

void SafetensorsWriter::commit() {
  const auto missing =
      std::ranges::find_if(slots_, [](const auto& slot) { return !slot.second.written; });
  if (missing != slots_.end())
    throw Error("{}: {}: was not written", path_.string(), missing->first);
  const std::string checksum = sha256_file(file_.temporary_path(), data_begin_);
  file_.write_at(checksum_begin_, std::as_bytes(std::span(checksum)));
  file_.commit();
}

void write_safetensors(const std::filesystem::path& path,
                       const std::vector<std::pair<std::string, TensorView>>& tensors,
                       std::map<std::string, std::string> metadata) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) infos.push_back({name, tensor.dtype, tensor.shape});
  SafetensorsWriter writer(path, std::move(infos), std::move(metadata));
  for (const auto& [name, tensor] : tensors) writer.append(name, tensor.bytes);
  writer.commit();
}

}  // namespace dualpath::data
