#include "trainer/experiment/texts.h"

#include <algorithm>

#include "data/base/error.h"
#include "data/base/recipe_mistakes.h"
#include "data/process/interrupt.h"
#include "data/process/progress.h"
#include "data/process/standard_streams.h"
#include "data/samples/media_samples.h"
#include "data/text/text.h"
#include "modules/model/media_readers.h"

namespace dualpath::trainer {
namespace {

using Documents = std::span<const data::Document>;

/// Makes samples of all texts of a recipe, all of one kind.
class SampleMaker {
 public:
  SampleMaker(const data::DataOptions& options, const modules::Model& model,
              const std::vector<data::Document>& documents,
              const std::vector<data::Document>& out_of_domain)
      : options_(options), model_(model) {
    if (!data::have_media(documents) && !data::have_media(out_of_domain)) return;
    readers_ = std::make_shared<data::MediaReaders>(modules::media_readers(model));
    progress_.emplace("read", std::ssize(documents) + std::ssize(out_of_domain), "samples");
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

/// A text's documents, each with its answers if only those are trained on.
std::vector<data::Document> read_documents(const std::filesystem::path& path,
                                           const data::DataOptions& options,
                                           const modules::Model& model) {
  const data::ConversationWriter writer(model.path, model.tokenizer, options.assistant_only_loss);
  std::vector<data::Document> documents = data::read_documents(path, writer);
  for (const data::Document& document : documents) {
    if (options.assistant_only_loss && !document.is_conversation)
      throw Error("{}: expected messages or conversations, since data.assistant_only_loss is true",
                  document.origin);
  }
  return documents;
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
  const std::vector<data::Document> documents = read_documents(options.train, options, model);
  std::vector<data::Document> out_of_domain;
  if (!options.out_of_domain.empty())
    out_of_domain = read_documents(options.out_of_domain, options, model);
  const auto [train, selection, test] = options.split;
  const data::DocumentSplit split =
      data::split_documents(documents, {.train = train, .selection = selection, .test = test});
  SampleMaker samples(options, model, documents, out_of_domain);
  Texts texts{samples(split.train), samples(split.selection), samples(split.test), nullptr};
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
