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

/// A file that TensorBoard reads, "events.out.tfevents.<seconds>.<host>.<pid>": TFRecord records,
/// each an Event of TensorFlow's event.proto. Only writes, and only scalars.
///   EventFile events(run / "train", /*first_step=*/1);
///   events.write(1, {{"train/loss", 2.5}});
/// An event is in the file as soon as it is written. A directory's files are one curve, read in the
/// order of their names; a new file's name comes after all others.
class EventFile {
 public:
  /// Makes the directory if it is missing. TensorBoard no longer shows the older files' values from
  /// first_step on: a resumed run writes them again.
  EventFile(const std::filesystem::path& directory, std::int64_t first_step);

  void write(std::int64_t step, const std::vector<Scalar>& scalars);

 private:
  void append(const std::string& event);

  FileDescriptor file_;
  std::uint64_t end_ = 0;
};

}  // namespace dualpath::data
