#include "trainer/experiment/texts.h"

#include <algorithm>

#include "data/base/error.h"
#include "data/base/recipe_mistakes.h"
#include "data/files/places.h"
#include "data/process/interrupt.h"
#include "data/process/progress.h"
#include "data/process/standard_streams.h"
#include "data/samples/blended_samples.h"
#include "data/samples/media_samples.h"
#include "data/text/blend.h"
#include "data/text/text.h"
#include "modules/model/media_readers.h"

namespace dualpath::trainer {
namespace {

namespace fs = std::filesystem;

using Documents = std::span<const data::Document>;

/// Makes samples of all texts of a recipe, all of one kind.
class SampleMaker {
 public:
  SampleMaker(const data::DataOptions& options, const modules::Model& model,
              const std::vector<Documents>& all)
      : options_(options), model_(model) {
    if (std::ranges::none_of(all, data::have_media)) return;
    readers_ = std::make_shared<data::MediaReaders>(modules::media_readers(model));
    std::ptrdiff_t count = 0;
    for (const Documents documents : all) count += std::ssize(documents);
    progress_.emplace("read", count, "samples");
  }

  std::unique_ptr<data::Samples> operator()(Documents documents) {
    if (!readers_) return windows_of(documents);
    auto samples = std::make_unique<data::MediaSamples>(model_.tokenizer, documents,
                                                        options_.window, readers_, [this] {
                                                          throw_if_interrupted();
                                                          progress_->advance(1);
                                                        });
    say_left_out(samples->left_out());
    return samples;
  }

 private:
  std::unique_ptr<data::Samples> windows_of(Documents documents) const {
    data::Windows windows = data::make_windows(model_.tokenizer, documents, options_.window);
    for (std::size_t i = 0; i < windows.size(); ++i)
      modules::require_no_placeholder(model_, windows[i].ids);
    return std::make_unique<data::WindowSamples>(std::move(windows));
  }

  void say_left_out(const data::LeftOut& left_out) {
    if (left_out.too_long > 0) {
      write_notice(fmt::format(
          "{} samples are left out: their images and audio do not fit into a window of {} tokens "
          "(the first is {})\n",
          left_out.too_long, options_.window, left_out.first_too_long));
    }
    if (left_out.without_target > 0) {
      write_notice(fmt::format("{} samples are left out: nothing in them is to be predicted\n",
                               left_out.without_target));
    }
  }

  const data::DataOptions& options_;
  const modules::Model& model_;
  std::shared_ptr<const data::MediaReaders> readers_;  // null if there is only text
  std::optional<Progress> progress_;
};

/// A text's documents. Conversations have their answers, if only those are trained on.
std::vector<data::Document> read_documents(const fs::path& path, const data::DataOptions& options,
                                           const modules::Model& model) {
  const data::ConversationWriter writer(model.path, model.tokenizer, options.assistant_only_loss);
  return data::read_documents(path, writer);
}

/// One source of some data.
struct SourceText {
  std::vector<data::Document> documents;
  std::int64_t ratio = 1;
};
using SourceTexts = std::vector<SourceText>;

SourceTexts read_training_sources(const data::DataOptions& options, const modules::Model& model) {
  SourceTexts sources;
  for (const auto& [path, ratio] : data::blend_sources(options.train))
    sources.push_back({read_documents(path, options, model), ratio});
  return sources;
}

/// Reads data that is not trained on: all of it, in the sources' order. An empty path has none.
SourceTexts read_listed_sources(const fs::path& path, const data::DataOptions& options,
                                const modules::Model& model) {
  SourceTexts sources;
  if (path.empty()) return sources;
  for (const fs::path& source : data::listed_sources(path))
    sources.push_back({read_documents(source, options, model)});
  return sources;
}

/// Makes the samples of all sources, each source's of some of its documents.
template <class Part>
std::unique_ptr<data::Samples> blended(const SourceTexts& sources, SampleMaker& samples,
                                       const Part& part) {
  if (sources.size() == 1) return samples(part(sources.front().documents));
  std::vector<data::BlendedSamples::Source> parts;
  for (const SourceText& source : sources)
    parts.push_back({samples(part(source.documents)), source.ratio});
  return std::make_unique<data::BlendedSamples>(std::move(parts));
}

std::unique_ptr<data::Samples> blended(const SourceTexts& sources, SampleMaker& samples) {
  if (sources.empty()) return nullptr;
  return blended(sources, samples, [](Documents all) { return all; });
}

/// Splits each source by itself.
void split_all(const SourceTexts& sources, const std::array<double, 3>& shares,
               SampleMaker& samples, Texts& texts) {
  const auto [train, selection, test] = shares;
  const data::SplitFractions fractions{.train = train, .selection = selection, .test = test};
  const auto part = [&](Documents data::DocumentSplit::*which) {
    return blended(sources, samples,
                   [&](Documents all) { return data::split_documents(all, fractions).*which; });
  };
  texts.train = part(&data::DocumentSplit::train);
  texts.selection = part(&data::DocumentSplit::selection);
  texts.test = part(&data::DocumentSplit::test);
}

bool is_same_file(const fs::path& a, const fs::path& b) {
  return is_or_lies_in(a, b) && is_or_lies_in(b, a);
}

/// Refuses data that shall not be trained on, but is.
void check_apart(const data::DataOptions& options, const std::vector<EvaluateSet>& sets) {
  std::vector<std::pair<std::string, fs::path>> others{{"data.selection", options.selection},
                                                       {"data.test", options.test}};
  for (const EvaluateSet& set : sets) others.emplace_back("evaluate.sets." + set.name, set.path);
  std::vector<RecipeMistake> mistakes;
  for (const auto& [key, path] : others) {
    if (path.empty()) continue;
    for (const fs::path& source : data::listed_sources(path)) {
      const bool is_trained = std::ranges::any_of(
          data::blend_sources(options.train),
          [&](const auto& trained) { return is_same_file(trained.path, source); });
      if (is_trained) {
        mistakes.push_back({key, fmt::format("expected data that is not trained on, but {} is "
                                             "data.train's",
                                             source.string())});
      }
    }
  }
  if (!mistakes.empty()) throw RecipeMistakes(mistakes);
}

}  // namespace

void check_window(const data::DataOptions& options, const modules::ModelConfig& config) {
  if (options.window <= config.max_position_embeddings) return;
  throw RecipeMistakes(
      {{"data.window",
        fmt::format("expected at most {}, the model's max_position_embeddings, got {}",
                    config.max_position_embeddings, options.window)}});
}

Texts load_texts(const data::DataOptions& options, const modules::Model& model,
                 const std::vector<EvaluateSet>& sets) {
  check_window(options, model.config);
  check_apart(options, sets);
  const auto read = [&](const fs::path& path) { return read_listed_sources(path, options, model); };
  const SourceTexts train = read_training_sources(options, model),
                    selection = read(options.selection), test = read(options.test),
                    out_of_domain = read(options.out_of_domain);
  std::vector<SourceTexts> more;
  for (const EvaluateSet& set : sets) more.push_back(read(set.path));

  std::vector<Documents> all;
  const auto list = [&](const SourceTexts& sources) {
    for (const SourceText& source : sources) all.emplace_back(source.documents);
  };
  for (const SourceTexts* sources : {&out_of_domain, &train, &selection, &test}) list(*sources);
  for (const SourceTexts& sources : more) list(sources);
  SampleMaker samples(options, model, all);

  Texts texts;
  if (options.has_own_parts()) {
    texts.train = blended(train, samples);
    texts.selection = blended(selection, samples);
    texts.test = blended(test, samples);
  } else {
    split_all(train, options.split, samples, texts);
  }
  texts.out_of_domain = blended(out_of_domain, samples);
  for (std::size_t i = 0; i < sets.size(); ++i)
    texts.sets.push_back({sets[i].name, blended(more[i], samples)});
  return texts;
}

std::vector<data::Batch> spread_samples(const data::Samples& samples, std::size_t n) {
  std::vector<data::Batch> batches;
  for (const std::size_t sample : data::evenly_spaced(samples.size(), n))
    batches.push_back(samples.batch(std::span(&sample, 1)));
  return batches;
}

}  // namespace dualpath::trainer
