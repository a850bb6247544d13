#include "data/process/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace dualpath {
namespace {

using namespace std::chrono_literals;
constexpr auto kBarInterval = 100ms;
constexpr auto kLineInterval = 10s;
constexpr int kBarWidth = 24;

ProgressStyle resolve(ProgressStyle style, std::FILE* out) {
  if (style != ProgressStyle::kAutomatic) return style;
  return ::isatty(::fileno(out)) == 1 ? ProgressStyle::kBar : ProgressStyle::kLines;
}

/// "2:03" or "1:02:03".
std::string clock_text(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds + 0.5);
  const std::int64_t hours = s / 3600, minutes = s / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, s % 60)
                   : fmt::format("{}:{:02}", minutes, s % 60);
}

std::string bar_text(std::int64_t done, std::int64_t total) {
  const auto filled =
      std::clamp<std::int64_t>(total > 0 ? done * kBarWidth / total : 0, 0, kBarWidth);
  return fmt::format("[{:#<{}}{:.<{}}] ", "", filled, "", kBarWidth - filled);
}

}  // namespace

std::string progress_text(const ProgressState& s) {
  std::string text = fmt::format("{}  {}", s.label, s.done);
  if (s.total > 0) text += fmt::format("/{}", s.total);
  text += fmt::format(" {}", s.unit);
  if (s.total > 0) text += fmt::format("  {} %", 100 * s.done / s.total);
  const double rate = s.seconds > 0 ? static_cast<double>(s.done - s.resumed) / s.seconds : 0;
  if (rate > 0) text += fmt::format("  {:.3g} {}/s", rate, s.unit);
  if (rate > 0 && s.done < s.total) {
    text += fmt::format("  {} left", clock_text(static_cast<double>(s.total - s.done) / rate));
  }
  if (s.total > 0 && s.done >= s.total) text += fmt::format("  in {}", clock_text(s.seconds));
  if (!s.note.empty()) text += fmt::format("  {}", s.note);
  return text;
}

Progress::Progress(std::string label, std::int64_t total, std::string unit, ProgressStyle style,
                   std::FILE* out)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      style_(resolve(style, out)),
      out_(out),
      start_(Clock::now()),
      last_shown_(start_) {}

Progress::~Progress() { finish(); }

void Progress::resume_at(std::int64_t done) { done_ = resumed_ = done; }

void Progress::advance(std::int64_t n, std::string_view note) {
  done_ += n;
  if (!note.empty()) note_ = note;
  const auto interval =
      style_ == ProgressStyle::kBar ? Clock::duration(kBarInterval) : kLineInterval;
  if (!finished_ && Clock::now() - last_shown_ >= interval) show();
}

bool Progress::advance_part(std::size_t parts) {
  if (++parts_ < parts) return false;
  parts_ = 0;
  advance(1);
  return true;
}

void Progress::finish() {
  if (std::exchange(finished_, true)) return;
  show();
  if (style_ == ProgressStyle::kBar) std::fputs("\n", out_);
}

double Progress::elapsed_seconds() const {
  return std::chrono::duration<double>(Clock::now() - start_).count();
}

void Progress::show() {
  last_shown_ = Clock::now();
  if (style_ == ProgressStyle::kSilent) return;
  std::string text =
      progress_text({label_, unit_, note_, done_, total_, resumed_, elapsed_seconds()});
  if (style_ == ProgressStyle::kBar) {
    // The end clears the rest of a longer line.
    text = fmt::format("\r{}{}\x1b[K", bar_text(done_, total_), text);
  } else {
    text += "\n";
  }
  std::fputs(text.c_str(), out_);  // not fmt::print, which throws when the terminal is gone
  std::fflush(out_);
}

}  // namespace dualpath
