#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace dualpath {

/// kAutomatic: a bar where the output is a terminal, else plain lines.
enum class ProgressStyle { kAutomatic, kBar, kLines, kSilent };

/// Shows how far a long job is, how fast it goes and when it will end, on stderr.
///   Progress progress("calibrate", windows, "windows");
///   progress.advance(1, "loss 2.31");
/// A bar is redrawn ten times a second at most; plain lines come every ten seconds and at the end.
class Progress {
 public:
  /// total: 0 if it is not known.
  Progress(std::string label, std::int64_t total, std::string unit,
           ProgressStyle style = ProgressStyle::kAutomatic, std::FILE* out = stderr);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Counts the work of an earlier run: part of the total, not of the throughput.
  void resume_at(std::int64_t done);
  /// note: a text shown behind the figures until the next note comes.
  void advance(std::int64_t n, std::string_view note = {});
  /// Counts one of the `parts` that make up one. Returns whether one is complete now.
  bool advance_part(std::size_t parts);
  /// Shows the last state and ends the line; the destructor does it too. Nothing moves afterwards.
  void finish();

  std::int64_t done() const { return done_; }
  double elapsed_seconds() const;

 private:
  using Clock = std::chrono::steady_clock;
  void show();

  std::string label_, unit_, note_;
  std::int64_t total_, done_ = 0, resumed_ = 0;
  std::size_t parts_ = 0;  ///< of the next one
  ProgressStyle style_;
  std::FILE* out_;
  Clock::time_point start_, last_shown_;
  bool finished_ = false;
};

/// The content of a line. Seconds count from the start of this run, which did `done - resumed`.
struct ProgressState {
  std::string_view label, unit, note;
  std::int64_t done, total, resumed;
  double seconds;
};
/// "train  120/500 steps  24 %  3.1 steps/s  2:03 left  loss 2.31"
std::string progress_text(const ProgressState& state);

}  // namespace dualpath
