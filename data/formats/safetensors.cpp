#include "data/formats/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/base/error.h"
#include "data/files/checksum.h"
#include "data/formats/json.h"
#include "data/formats/stand_in.h"

// Layout of a .safetensors file:
//   8 bytes     N, the length of the header, little-endian
//   N bytes     JSON, padded with spaces:
//               {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …,
//                "__metadata__": {"key": "text", …}}
//   the rest    the data; offsets count from its begin, and tensors cover it without gap or overlap

namespace dualpath::data {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's limit
constexpr std::string_view kMetadata = "__metadata__";

/// The header's text. Checks the length that stands before it.
std::string_view header_text(const MappedFile& file) {
  const std::span<const std::byte> bytes = file.bytes();
  std::uint64_t length = 0;
  if (bytes.size() < kLengthBytes) {
    refuse_stand_in(file.path(), bytes);
    throw Error("{}: expected a safetensors file, got {} bytes", file.path().string(),
                bytes.size());
  }
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes || length > bytes.size() - kLengthBytes) {
    refuse_stand_in(file.path(), bytes);
    throw Error("{}: expected a safetensors header within the file's {} bytes, got a length of {}",
                file.path().string(), bytes.size(), length);
  }
  return {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, length};
}

/// Reads sizes. -0 is an integer of JSON's, but not of the format's.
std::vector<std::int64_t> read_sizes(const JsonObject& entry, const char* key) {
  std::vector<std::int64_t> sizes = entry.integers(key, kNonNegative);
  for (const nlohmann::json& size : entry.raw()[key]) {
    if (!size.is_number_unsigned())
      throw Error("{}.{}: expected non-negative integers, got -0", entry.where(), key);
  }
  return sizes;
}

/// One entry of the header as a view of its bytes.
TensorView read_entry(const JsonObject& entry, std::span<const std::byte> data) {
  const std::string dtype_name = entry.string("dtype");
  const std::optional<DType> dtype = dtype_named(dtype_name);
  if (!dtype) throw Error("{}.dtype: {} is not supported", entry.where(), printable(dtype_name));

  std::vector<std::int64_t> shape = read_sizes(entry, "shape");
  const std::vector<std::int64_t> offsets = read_sizes(entry, "data_offsets");
  if (offsets.size() != 2 || offsets[0] > offsets[1] || !std::in_range<std::size_t>(offsets[1]) ||
      static_cast<std::size_t>(offsets[1]) > data.size()) {
    throw Error("{}.data_offsets: expected [begin, end] within {} bytes of data, got [{}]",
                entry.where(), data.size(), fmt::join(offsets, ", "));
  }
  const std::int64_t size = offsets[1] - offsets[0];
  const std::optional<std::int64_t> numel = checked_numel(shape);
  if (!numel || *numel != size / static_cast<std::int64_t>(size_of(*dtype)) ||
      size % static_cast<std::int64_t>(size_of(*dtype)) != 0) {
    throw Error("{}: shape [{}] of {} does not take the {} bytes it has", entry.where(),
                fmt::join(shape, ", "), dtype_name, size);
  }
  return {*dtype, std::move(shape),
          data.subspan(static_cast<std::size_t>(offsets[0]), static_cast<std::size_t>(size))};
}

using Tensors = std::map<std::string, TensorView, std::less<>>;

/// Every byte of data belongs to exactly one tensor.
void check_coverage(const Tensors& tensors, std::span<const std::byte> data,
                    const std::string& path) {
  std::vector<std::pair<std::span<const std::byte>, std::string_view>> pieces;
  for (const auto& [name, tensor] : tensors) pieces.emplace_back(tensor.bytes, name);
  std::ranges::sort(pieces, {}, [](const auto& piece) {
    return std::pair(piece.first.data(), piece.first.size());
  });
  const std::byte* covered = data.data();
  for (const auto& [bytes, name] : pieces) {
    if (bytes.data() != covered) {
      throw Error("{}: {}: its data {}", path, printable(name),
                  bytes.data() < covered ? "overlaps another tensor's" : "follows a gap");
    }
    covered += bytes.size();
  }
  if (covered != data.data() + data.size()) {
    throw Error("{}: expected {} bytes of data, got {}", path, covered - data.data(), data.size());
  }
}

}  // namespace

SafetensorsReader::SafetensorsReader(const std::filesystem::path& path)
    : file_(std::make_shared<const MappedFile>(path)) {
  const std::string_view text = header_text(*file_);
  data_ = file_->bytes().subspan(kLengthBytes + text.size());
  const JsonObject header = JsonObject::parse(text, path.string());
  for (const std::string& name : header.keys()) {
    if (name == kMetadata) continue;
    tensors_.emplace(name, read_entry(header.object(name), data_));
    names_.push_back(name);
  }
  check_coverage(tensors_, data_, path.string());
  if (const std::optional<JsonObject> metadata = header.object_if(kMetadata)) {
    for (const std::string& key : metadata->keys()) metadata_[key] = metadata->string(key);
  }
}

const TensorView& SafetensorsReader::tensor(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error("{}: has no tensor {}", file_->path().string(), name);
  return found->second;
}

void SafetensorsReader::verify() const {
  const auto expected = metadata_.find("data_sha256");
  if (expected == metadata_.end()) return;
  const auto begin = static_cast<std::uint64_t>(data_.data() - file_->bytes().data());
  const std::string got = sha256_file(file_->path(), begin);
  if (got != expected->second) {
    throw Error("{}: the data is damaged: expected SHA-256 {}, got {}", file_->path().string(),
                printable(expected->second), got);
  }
}

}  // namespace dualpath::data
