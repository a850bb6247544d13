#include "data/media/read_image.h"

#include <string>
#include <string_view>

#include "data/base/error.h"
#include "data/media/decoders.h"

namespace dualpath::data {
namespace {

constexpr std::uint64_t kMaxImageBytes = std::uint64_t{256} << 20;

}  // namespace

Image read_image(const MediaFile& file) {
  const std::string bytes = read_bytes(file, kMaxImageBytes), name = file.name();
  const std::string_view view = bytes;
  if (view.starts_with("\xFF\xD8\xFF")) return decode_jpeg(bytes, name);
  if (view.starts_with("\x89PNG\r\n\x1A\n")) return decode_png(bytes, name);
  if (view.starts_with("RIFF") && view.substr(0, 12).ends_with("WEBP"))
    return decode_webp(bytes, name);
  throw Error("{}: expected a JPEG, PNG or WebP picture", name);
}

}  // namespace dualpath::data
