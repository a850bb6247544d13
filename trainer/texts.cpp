#include "trainer/texts.h"

#include "data/batch.h"
#include "data/text.h"

namespace dualpath::trainer {

Texts load_texts(const data::DataOptions& options, const data::Tokenizer& tokenizer) {
  const std::vector<data::Document> documents = data::read_documents(options.train);
  const auto [train, selection, test] = options.split;
  const data::DocumentSplit split =
      data::split_documents(documents, {.train = train, .selection = selection, .test = test});
  const auto windows = [&](std::span<const data::Document> part) {
    return data::make_windows(tokenizer, part, options.window);
  };
  Texts texts{windows(split.train), windows(split.selection), windows(split.test), std::nullopt};
  if (!options.out_of_domain.empty())
    texts.out_of_domain = windows(data::read_documents(options.out_of_domain));
  return texts;
}

std::vector<at::Tensor> spread_windows(const data::Windows& windows, std::int64_t n) {
  std::vector<at::Tensor> chosen;
  for (const std::size_t window :
       data::evenly_spaced(windows.size(), static_cast<std::size_t>(n))) {
    chosen.push_back(data::make_batch(windows, std::array{window}).ids);
  }
  return chosen;
}

}  // namespace dualpath::trainer
