#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/files/file_descriptor.h"

namespace dualpath::data {

/// A number at a step. TensorBoard draws those of one tag as one curve.
struct Scalar {
  std::string tag;  ///< "train/loss"
  double value = 0.0;
};

/// A file that TensorBoard reads, "events.out.tfevents.<seconds>.<host>.<pid>": records of
/// TFRecord, each an Event of TensorFlow's event.proto. It only writes, and only scalars.
///   EventFile events(run / "train", /*first_step=*/1);
///   events.write(1, {{"train/loss", 2.5}});
/// An event is in the file as soon as it is written. A directory's files are one curve, read in the
/// order of their names: a new one's comes after those of all that are there.
class EventFile {
 public:
  /// Makes the directory where there is none. What the files before this one say of first_step and
  /// later steps is no longer shown: a resumed run writes it again.
  EventFile(const std::filesystem::path& directory, std::int64_t first_step);

  void write(std::int64_t step, const std::vector<Scalar>& scalars);

 private:
  void append(const std::string& event);

  FileDescriptor file_;
  std::uint64_t end_ = 0;
};

}  // namespace dualpath::data
