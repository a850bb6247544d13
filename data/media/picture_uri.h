#pragma once

#include <string>

#include "data/media/image.h"

namespace dualpath::data {

/// Makes a data URI of a picture for a page: a PNG, shrunk to at most `most` pixels a side.
std::string picture_uri(const Image& image, int most);

}  // namespace dualpath::data
