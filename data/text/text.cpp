#include "data/text/text.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/base/error.h"
#include "data/base/utf8.h"

namespace dualpath::data {
namespace {

namespace fs = std::filesystem;

/// The boundary from `least` to `most` with the characters before it closest to `target`; before[i]
/// counts those of the first i documents.
std::size_t nearest_boundary(const std::vector<double>& before, double target, std::size_t least,
                             std::size_t most) {
  std::size_t best = least;
  for (std::size_t i = least; i <= most; ++i) {
    if (std::abs(before[i] - target) < std::abs(before[best] - target)) best = i;
  }
  return best;
}

void check(const SplitFractions& f) {
  const bool positive = f.train > 0 && f.selection > 0 && f.test > 0;
  if (!positive || std::abs(f.train + f.selection + f.test - 1) > 1e-6) {
    throw Error("split: expected three fractions above 0 that sum to 1, got {}, {} and {}", f.train,
                f.selection, f.test);
  }
}

}  // namespace

Document write_document(Entry entry, const ConversationWriter& writer) {
  Document document{.text = {}, .origin = std::move(entry.origin), .media = std::move(entry.media)};
  if (auto* text = std::get_if<std::string>(&entry.content)) {
    document.text = std::move(*text);
    return document;
  }
  try {
    auto [text, answers] = writer.write(std::get<Conversation>(entry.content));
    document.text = std::move(text);
    document.answers = std::move(answers);
  } catch (const Error& error) {
    throw Error("{}: {}", document.origin, error.what());
  }
  document.is_conversation = true;
  return document;
}

std::vector<Document> read_documents(const fs::path& path, const ConversationWriter& writer) {
  std::vector<Document> documents;
  const auto add = [&](Entry entry) {
    Document document = write_document(std::move(entry), writer);
    if (!document.text.empty()) documents.push_back(std::move(document));
  };
  for_each_entry(path, add, [](const Error&) { throw; });
  if (documents.empty()) throw Error("{}: there is no text in it", path.string());
  return documents;
}

DocumentSplit split_documents(std::span<const Document> documents,
                              const SplitFractions& fractions) {
  check(fractions);
  if (documents.size() < 3) {
    throw Error("split: expected at least 3 documents (training, selection, test), got {}",
                documents.size());
  }
  std::vector<double> before{0};
  for (const Document& document : documents) {
    before.push_back(before.back() + static_cast<double>(count_code_points(document.text)));
  }
  const double total = before.back();
  const std::size_t n = documents.size();
  const std::size_t selection = nearest_boundary(before, fractions.train * total, 1, n - 2);
  const std::size_t test = nearest_boundary(before, (fractions.train + fractions.selection) * total,
                                            selection + 1, n - 1);
  return {.train = documents.first(selection),
          .selection = documents.subspan(selection, test - selection),
          .test = documents.subspan(test)};
}

}  // namespace dualpath::data
