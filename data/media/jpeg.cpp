#include <csetjmp>
#include <cstddef>
#include <cstdio>
// libjpeg's header needs the two above.
#include <jpeglib.h>

#include <utility>

#include "data/base/error.h"
#include "data/media/decoders.h"
#include "data/media/exif_orientation.h"

namespace dualpath::data {
namespace {

struct Handler {
  jpeg_error_mgr manager;  // first: libjpeg knows only this
  std::jmp_buf failed;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void fail(j_common_ptr common) {
  auto* handler = reinterpret_cast<Handler*>(common->err);
  handler->manager.format_message(common, handler->message);
  std::longjmp(handler->failed, 1);
}

/// Warnings mean damage too: libjpeg would fill up missing parts with gray.
void emit(j_common_ptr common, int level) {
  if (level < 0) fail(common);
}

class JpegDecoder {
 public:
  explicit JpegDecoder(const std::string& name) : name_(name) {
    info_.err = jpeg_std_error(&handler_.manager);
    handler_.manager.error_exit = fail;
    handler_.manager.emit_message = emit;
    if (setjmp(handler_.failed) != 0) throw_error();
    jpeg_create_decompress(&info_);
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  void read_header(const std::string& bytes) {
    if (setjmp(handler_.failed) != 0) throw_error();
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&info_, TRUE);
  }

  /// Reads into an image of the header's size.
  void read_pixels(Image& image) {
    if (setjmp(handler_.failed) != 0) throw_error();
    info_.out_color_space = JCS_RGB;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = image.rgb.data() + std::size_t{3} * info_.output_width * info_.output_scanline;
      jpeg_read_scanlines(&info_, &row, 1);
    }
    jpeg_finish_decompress(&info_);
  }

  int orientation() const {
    for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next)
      if (const int found = exif_orientation({marker->data, marker->data_length}); found != 1)
        return found;
    return 1;
  }

  const jpeg_decompress_struct& info() const { return info_; }

 private:
  [[noreturn]] void throw_error() const {
    throw Error("{}: expected a whole JPEG picture: {}", name_, printable(handler_.message));
  }

  const std::string& name_;
  Handler handler_{};
  jpeg_decompress_struct info_{};
};

}  // namespace

Image decode_jpeg(const std::string& bytes, const std::string& name) {
  JpegDecoder decoder(name);
  decoder.read_header(bytes);
  if (decoder.info().num_components == 4)
    throw Error("{}: expected a gray or RGB picture, got a CMYK one: convert it first", name);
  Image image = blank_image(name, decoder.info().image_width, decoder.info().image_height);
  const int orientation = decoder.orientation();  // libjpeg forgets it when it finishes
  decoder.read_pixels(image);
  return upright(std::move(image), orientation);
}

}  // namespace dualpath::data
