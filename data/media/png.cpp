#include <png.h>

#include <csetjmp>
#include <cstddef>
#include <cstring>
#include <vector>

#include "data/base/error.h"
#include "data/media/decoders.h"

namespace dualpath::data {
namespace {

struct Source {
  const std::string& bytes;
  std::size_t at = 0;
  char message[200] = "";
};

[[noreturn]] void fail(png_structp png, png_const_charp message) {
  auto* source = static_cast<Source*>(png_get_error_ptr(png));
  std::strncpy(source->message, message, sizeof source->message - 1);
  png_longjmp(png, 1);
}

void ignore(png_structp, png_const_charp) {}

void read(png_structp png, png_bytep out, std::size_t size) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (size > source->bytes.size() - source->at) png_error(png, "it ends early");
  std::memcpy(out, source->bytes.data() + source->at, size);
  source->at += size;
}

class PngDecoder {
 public:
  PngDecoder(const std::string& bytes, const std::string& name) : name_(name), source_{bytes} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, fail, ignore);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw Error("{}: not enough memory to read it", name_);
    }
  }
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  void read_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) throw_error();
    png_set_read_fn(png_, &source_, read);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // we have our own
    png_read_info(png_, info_);
    png_set_expand(png_);
    png_set_strip_16(png_);
    png_set_gray_to_rgb(png_);
    png_set_add_alpha(png_, 255, PNG_FILLER_AFTER);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }

  std::uint64_t width() const { return png_get_image_width(png_, info_); }
  std::uint64_t height() const { return png_get_image_height(png_, info_); }

  /// Reads into rows of width * 4 bytes each, RGBA.
  void read_pixels(std::vector<png_bytep>& rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) throw_error();
    png_read_image(png_, rows.data());
    png_read_end(png_, nullptr);
  }

 private:
  [[noreturn]] void throw_error() const {
    throw Error("{}: expected a whole PNG picture: {}", name_, printable(source_.message));
  }

  const std::string& name_;
  Source source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

Image decode_png(const std::string& bytes, const std::string& name) {
  PngDecoder decoder(bytes, name);
  decoder.read_header();
  Image image = blank_image(name, decoder.width(), decoder.height());
  std::vector<png_byte> rgba(4 * decoder.width() * decoder.height());
  std::vector<png_bytep> rows;
  for (std::size_t y = 0; y < decoder.height(); ++y)
    rows.push_back(rgba.data() + 4 * decoder.width() * y);
  decoder.read_pixels(rows);
  composite_on_white(rgba, image);
  return image;
}

}  // namespace dualpath::data
