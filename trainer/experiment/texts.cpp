#include "trainer/experiment/texts.h"

#include <algorithm>

#include "data/base/error.h"
#include "data/base/recipe_mistakes.h"
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
std::vector<data::Document> read_documents(const std::filesystem::path& path,
                                           const data::DataOptions& options,
                                           const modules::Model& model) {
  const data::ConversationWriter writer(model.path, model.tokenizer, options.assistant_only_loss);
  return data::read_documents(path, writer);
}

/// One of the sources of data.train, and its parts.
struct SourceTexts {
  std::vector<data::Document> documents;
  data::DocumentSplit split;  ///< views of the documents
  std::int64_t ratio;
};

std::vector<SourceTexts> read_sources(const data::DataOptions& options,
                                      const modules::Model& model) {
  const auto [train, selection, test] = options.split;
  std::vector<SourceTexts> sources;
  for (const auto& [path, ratio] : data::blend_sources(options.train)) {
    std::vector<data::Document> documents = read_documents(path, options, model);
    const data::DocumentSplit split =
        data::split_documents(documents, {.train = train, .selection = selection, .test = test});
    sources.push_back({std::move(documents), split, ratio});
  }
  return sources;
}

/// Makes the samples of one part of all sources.
std::unique_ptr<data::Samples> blended(const std::vector<SourceTexts>& sources,
                                       Documents data::DocumentSplit::*part, SampleMaker& samples) {
  if (sources.size() == 1) return samples(sources.front().split.*part);
  std::vector<data::BlendedSamples::Source> parts;
  for (const SourceTexts& source : sources)
    parts.push_back({samples(source.split.*part), source.ratio});
  return std::make_unique<data::BlendedSamples>(std::move(parts));
}

}  // namespace

void check_window(const data::DataOptions& options, const modules::ModelConfig& config) {
  if (options.window <= config.max_position_embeddings) return;
  throw RecipeMistakes(
      {{"data.window",
        fmt::format("expected at most {}, the model's max_position_embeddings, got {}",
                    config.max_position_embeddings, options.window)}});
}

Texts load_texts(const data::DataOptions& options, const modules::Model& model) {
  check_window(options, model.config);
  const std::vector<SourceTexts> sources = read_sources(options, model);
  std::vector<data::Document> out_of_domain;
  if (!options.out_of_domain.empty())
    out_of_domain = read_documents(options.out_of_domain, options, model);
  std::vector<Documents> all{out_of_domain};
  for (const SourceTexts& source : sources) all.emplace_back(source.documents);
  SampleMaker samples(options, model, all);
  Texts texts{blended(sources, &data::DocumentSplit::train, samples),
              blended(sources, &data::DocumentSplit::selection, samples),
              blended(sources, &data::DocumentSplit::test, samples), nullptr};
  if (!out_of_domain.empty()) texts.out_of_domain = samples(out_of_domain);
  return texts;
}

std::vector<data::Batch> spread_samples(const data::Samples& samples, std::size_t n) {
  std::vector<data::Batch> batches;
  for (const std::size_t sample : data::evenly_spaced(samples.size(), n))
    batches.push_back(samples.batch(std::span(&sample, 1)));
  return batches;
}

}  // namespace dualpath::trainer
