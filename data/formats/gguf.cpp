#include "data/formats/gguf.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "data/formats/dtype.h"
#include "data/formats/gguf_cursor.h"
#include "data/formats/stand_in.h"

// Layout of a .gguf file. All numbers are little-endian; a string is its length (uint64) and its
// bytes.
//   "GGUF", version (uint32), number of tensors, number of metadata pairs (uint64 each)
//   pairs       key (string), kind of value (uint32), value; an array: kind, count (uint64), values
//   tensors     name (string), n (uint32), n dimensions (uint64) with the innermost first,
//               type (uint32), offset (uint64) in the data
//   padding     to a multiple of general.alignment (32 if not said), as before each tensor
//   the rest    the data

namespace dualpath::data {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint32_t kMaxDimensions = 4;   // ggml's own limit
constexpr int kMaxArrayDepth = 4;
// An entry takes more memory than file; the largest models have some ten thousand tensors.
constexpr std::size_t kMaxEntries = 1 << 20;
constexpr std::size_t kLeastPairBytes = 8 + 4 + 1;
constexpr std::size_t kLeastTensorBytes = 8 + 4 + 4 + 8;

/// The kinds of metadata values, as the file numbers them.
enum class Kind : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

std::size_t least_bytes(Kind kind) {
  switch (kind) {
    case Kind::kU8:
    case Kind::kI8:
    case Kind::kBool:
      return 1;
    case Kind::kU16:
    case Kind::kI16:
      return 2;
    case Kind::kU32:
    case Kind::kI32:
    case Kind::kF32:
      return 4;
    case Kind::kU64:
    case Kind::kI64:
    case Kind::kF64:
    case Kind::kString:
      return 8;
    case Kind::kArray:
      return 12;
  }
  return 1;  // an unknown kind: its first value will be refused
}

GgufValue read_array(GgufCursor& cursor, std::string_view key, int depth);

GgufValue read_value(GgufCursor& cursor, Kind kind, std::string_view key, int depth = 0) {
  switch (kind) {
    case Kind::kU8:
      return {std::uint64_t{cursor.number<std::uint8_t>(key)}};
    case Kind::kI8:
      return {std::int64_t{cursor.number<std::int8_t>(key)}};
    case Kind::kU16:
      return {std::uint64_t{cursor.number<std::uint16_t>(key)}};
    case Kind::kI16:
      return {std::int64_t{cursor.number<std::int16_t>(key)}};
    case Kind::kU32:
      return {std::uint64_t{cursor.number<std::uint32_t>(key)}};
    case Kind::kI32:
      return {std::int64_t{cursor.number<std::int32_t>(key)}};
    case Kind::kF32:
      return {double{cursor.number<float>(key)}};
    case Kind::kBool:
      return {cursor.number<std::uint8_t>(key) != 0};
    case Kind::kString:
      return {cursor.string(key)};
    case Kind::kArray:
      return read_array(cursor, key, depth + 1);
    case Kind::kU64:
      return {cursor.number<std::uint64_t>(key)};
    case Kind::kI64:
      return {cursor.number<std::int64_t>(key)};
    case Kind::kF64:
      return {cursor.number<double>(key)};
  }
  cursor.refuse(key, fmt::format("expected a kind of value from 0 to 12, got {}",
                                 static_cast<std::uint32_t>(kind)));
}

GgufValue read_array(GgufCursor& cursor, std::string_view key, int depth) {
  if (depth > kMaxArrayDepth) cursor.refuse(key, "arrays are nested too deep");
  const auto kind = static_cast<Kind>(cursor.number<std::uint32_t>(key));
  const std::size_t count = cursor.array_count(least_bytes(kind), sizeof(GgufValue), key);
  GgufValue::Array array;
  array.reserve(count);
  for (std::size_t i = 0; i < count; ++i) array.push_back(read_value(cursor, kind, key, depth));
  return {std::move(array)};
}

struct Counts {
  std::size_t tensors, pairs;
};

Counts read_counts(GgufCursor& cursor, const MappedFile& file) {
  if (cursor.number<std::uint32_t>("magic") != kMagic) {
    refuse_stand_in(file.path(), file.bytes());
    cursor.refuse("magic", "this is no GGUF file");
  }
  const auto version = cursor.number<std::uint32_t>("version");
  if (version != 2 && version != 3) {
    cursor.refuse("version", fmt::format("expected 2 or 3, little-endian, got {}", version));
  }
  const auto count = [&](std::size_t least, std::string_view what) {
    const std::size_t n = cursor.count(least, what);
    if (n > kMaxEntries)
      cursor.refuse(what, fmt::format("expected at most {}, got {}", kMaxEntries, n));
    return n;
  };
  const std::size_t tensors = count(kLeastTensorBytes, "number of tensors");
  return {tensors, count(kLeastPairBytes, "number of metadata pairs")};
}

GgufReader::Metadata read_metadata(GgufCursor& cursor, std::size_t pairs) {
  GgufReader::Metadata metadata;
  for (std::size_t i = 0; i < pairs; ++i) {
    const std::string_view key = cursor.string("metadata key");
    const auto kind = static_cast<Kind>(cursor.number<std::uint32_t>(key));
    GgufValue value = read_value(cursor, kind, key);
    if (!metadata.emplace(key, std::move(value)).second) cursor.refuse(key, "is given twice");
  }
  return metadata;
}

/// A tensor's entry in the file.
struct Entry {
  std::string_view name;
  GgmlType type;
  std::vector<std::int64_t> shape;
  std::int64_t numel;
  std::uint64_t offset, size;  // bytes, in the data
};

std::vector<std::int64_t> read_shape(GgufCursor& cursor, std::string_view name) {
  const auto dimensions = cursor.number<std::uint32_t>(name);
  if (dimensions > kMaxDimensions) {
    cursor.refuse(
        name, fmt::format("expected at most {} dimensions, got {}", kMaxDimensions, dimensions));
  }
  std::vector<std::int64_t> shape(dimensions);
  for (std::int64_t& size : shape) size = cursor.number<std::int64_t>(name);
  std::ranges::reverse(shape);
  return shape;
}

GgmlType read_type(GgufCursor& cursor, std::string_view name) {
  const auto id = cursor.number<std::uint32_t>(name);
  const std::optional<GgmlType> type = ggml_type(id);
  if (!type) cursor.refuse(name, fmt::format("{} is not supported", ggml_type_name(id)));
  return *type;
}

Entry read_entry(GgufCursor& cursor) {
  Entry entry;
  entry.name = cursor.string("tensor name");
  entry.shape = read_shape(cursor, entry.name);
  entry.type = read_type(cursor, entry.name);
  entry.offset = cursor.number<std::uint64_t>(entry.name);

  const GgmlBlock block = block_of(entry.type);
  const std::optional<std::int64_t> numel = checked_numel(entry.shape);
  const std::int64_t row = entry.shape.empty() ? 1 : entry.shape.back();
  if (!numel || row % block.elements != 0 ||
      __builtin_mul_overflow(static_cast<std::uint64_t>(*numel / block.elements), block.bytes,
                             &entry.size)) {
    cursor.refuse(entry.name, fmt::format("[{}] is no shape for {}", fmt::join(entry.shape, ", "),
                                          ggml_type_name(static_cast<std::uint32_t>(entry.type))));
  }
  entry.numel = *numel;
  return entry;
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Checks the entries against the data and each other; leaves them sorted by offset.
void check_layout(std::vector<Entry>& entries, std::uint64_t data_size, std::uint64_t alignment,
                  const GgufCursor& cursor) {
  std::ranges::sort(entries, {}, [](const Entry& e) { return std::pair(e.offset, e.size); });
  std::uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.offset % alignment != 0) {
      cursor.refuse(entry.name, fmt::format("expected its offset {} to be a multiple of {}",
                                            entry.offset, alignment));
    }
    if (entry.offset > data_size || entry.size > data_size - entry.offset) {
      cursor.refuse(entry.name, "its data does not lie within the file");
    }
    if (entry.offset < end) cursor.refuse(entry.name, "its data overlaps another tensor's");
    end = entry.offset + entry.size;
  }
}

}  // namespace

GgufReader::GgufReader(const std::filesystem::path& path)
    : file_(std::make_shared<const MappedFile>(path)) {
  GgufCursor cursor(*file_);
  const Counts counts = read_counts(cursor, *file_);
  metadata_ = read_metadata(cursor, counts.pairs);

  std::vector<Entry> entries;
  for (std::size_t i = 0; i < counts.tensors; ++i) entries.push_back(read_entry(cursor));

  const auto alignment = get_or<std::uint32_t>("general.alignment", 32);
  if (!std::has_single_bit(alignment)) refuse("general.alignment", "a power of two");
  const std::span<const std::byte> bytes = file_->bytes();
  const std::size_t data_begin = std::min(round_up(cursor.position(), alignment), bytes.size());
  const std::span<const std::byte> data = bytes.subspan(data_begin);
  check_layout(entries, data.size(), alignment, cursor);

  for (Entry& e : entries) {
    GgufTensor tensor{e.type, std::move(e.shape), e.numel, data.subspan(e.offset, e.size)};
    if (!tensors_.emplace(e.name, std::move(tensor)).second)
      cursor.refuse(e.name, "is given twice");
  }
  for (const auto& [name, tensor] : tensors_) names_.push_back(name);
}

const GgufTensor& GgufReader::tensor(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error("{}: has no tensor {}", file_->path().string(), name);
  return found->second;
}

const GgufValue* GgufReader::find(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

void GgufReader::refuse(std::string_view key, std::string_view expected) const {
  const GgufValue* value = find(key);
  throw Error("{}: {}: expected {}, {}", file_->path().string(), key, expected,
              value == nullptr ? "but the key is missing" : "got " + describe(*value));
}

}  // namespace dualpath::data
