#include <webp/decode.h>

#include <cstddef>
#include <vector>

#include "data/base/error.h"
#include "data/media/decoders.h"

namespace dualpath::data {

Image decode_webp(const std::string& bytes, const std::string& name) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK)
    throw Error("{}: expected a WebP picture, got a damaged header", name);
  if (features.has_animation != 0)
    throw Error("{}: expected one WebP picture, got an animation", name);
  Image image = blank_image(name, features.width, features.height);
  std::vector<std::uint8_t> rgba(std::size_t{4} * image.width * image.height);
  if (WebPDecodeRGBAInto(data, bytes.size(), rgba.data(), rgba.size(), 4 * image.width) == nullptr)
    throw Error("{}: expected a whole WebP picture, got a damaged one", name);
  composite_on_white(rgba, image);
  return image;
}

}  // namespace dualpath::data
