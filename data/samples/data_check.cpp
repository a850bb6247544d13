#include "data/samples/data_check.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "data/base/error.h"
#include "data/process/interrupt.h"
#include "data/process/progress.h"
#include "data/process/threads.h"
#include "data/samples/media_samples.h"
#include "data/text/blend.h"
#include "data/text/document_tokens.h"
#include "data/text/entries.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;

/// An entry on its way through the check. A mistake ends it.
struct Checked {
  std::string mistake = {};
  Document document = {};
  MediaSizes sizes = {};
  bool is_conversation = false;
};

class DataChecker {
 public:
  explicit DataChecker(const std::optional<CheckModel>& model) : model_(model) {}

  void read(const fs::path& path) {
    for_each_entry(
        path, [&](Entry entry) { take(std::move(entry)); },
        [&](const Error& error) {
          if (dynamic_cast<const Interrupted*>(&error) != nullptr) throw;
          checked_.push_back({.mistake = error.what()});
        });
  }

  void decode() {
    Progress progress("check", std::ssize(checked_), "samples");
    for_each_in_threads(
        checked_.size(), [&](std::size_t i) { decode(checked_[i]); },
        [&](std::size_t ended) {
          throw_if_interrupted();
          progress.advance(static_cast<std::int64_t>(ended));
        });
  }

  DataCheck judge() {
    const bool are_windows = std::ranges::all_of(
        checked_, [](const Checked& one) { return one.document.media.empty(); });
    for (Checked& one : checked_) {
      if (one.mistake.empty()) count(one, are_windows);
      if (!one.mistake.empty()) result_.mistakes.push_back(std::move(one.mistake));
    }
    return std::move(result_);
  }

 private:
  void take(Entry entry) {
    throw_if_interrupted();
    for (const std::string& note : entry.notes) ++result_.notes[note];
    Checked one;
    one.is_conversation = std::holds_alternative<Conversation>(entry.content);
    if (model_) {
      one.document = write_document(std::move(entry), model_->writer);
    } else {
      one.document.origin = std::move(entry.origin);
      one.document.media = std::move(entry.media);
      if (!one.is_conversation) one.document.text = std::get<std::string>(std::move(entry.content));
    }
    if (one.document.text.empty() && (model_ || !one.is_conversation)) {
      ++result_.empty_texts;
    } else {
      checked_.push_back(std::move(one));
    }
  }

  void decode(Checked& one) const noexcept {
    if (!one.mistake.empty()) return;
    try {
      if (model_) require_taken(one.document.media, model_->readers);
      one.sizes = read_sizes(one.document.media, model_ ? model_->readers : MediaReaders{});
    } catch (const std::exception& error) {
      one.mistake = fmt::format("{}: {}", one.document.origin, error.what());
    }
  }

  void count(Checked& one, bool are_windows) {
    SampleCounts counts{.samples = 1,
                        .conversations = one.is_conversation,
                        .pictures = std::ssize(one.document.media.images),
                        .clips = std::ssize(one.document.media.audio),
                        .seconds = one.sizes.seconds};
    try {
      if (model_) count_tokens(one, are_windows, counts);
      result_.kinds[kind_of(one.document.media)].add(counts);
    } catch (const Error& error) {
      one.mistake = fmt::format("{}: {}", one.document.origin, error.what());
    }
  }

  void count_tokens(const Checked& one, bool are_windows, SampleCounts& counts) const {
    constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();
    const auto within = [&](std::int64_t window) {
      return tokens_within(model_->tokenizer, one.document, one.sizes, model_->readers, window);
    };
    const Tokens whole = within(kNoEnd).value();
    counts.tokens = std::ssize(whole.ids);
    counts.targets = count_targets(whole, model_->readers);
    if (are_windows) return;
    const auto kept = within(model_->window);
    if (!kept)
      throw Error("its images and audio do not fit into a window of {} tokens", model_->window);
    if (count_targets(*kept, model_->readers) == 0)
      throw Error("there is no token to predict within a window of {} tokens", model_->window);
    counts.cut = counts.tokens > std::ssize(kept->ids);
  }

  const std::optional<CheckModel>& model_;
  std::vector<Checked> checked_;
  DataCheck result_;
};

}  // namespace

void SampleCounts::add(const SampleCounts& more) {
  samples += more.samples;
  conversations += more.conversations;
  pictures += more.pictures;
  clips += more.clips;
  seconds += more.seconds;
  tokens += more.tokens;
  targets += more.targets;
  cut += more.cut;
}

SampleCounts DataCheck::all() const {
  SampleCounts sum;
  for (const auto& [kind, counts] : kinds) sum.add(counts);
  return sum;
}

DataCheck check_data(std::span<const fs::path> paths, const std::optional<CheckModel>& model) {
  DataChecker checker(model);
  for (const fs::path& path : paths) {
    for (const BlendSource& source : blend_sources(path)) checker.read(source.path);
  }
  checker.decode();
  return checker.judge();
}

}  // namespace dualpath::data
