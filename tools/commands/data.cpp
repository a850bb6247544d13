#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "data/samples/data_check.h"
#include "modules/model/media_readers.h"
#include "tools/commands/command.h"

namespace dualpath::tools {
namespace {

using nlohmann::json;

struct DataArguments {
  std::vector<std::filesystem::path> files;
  std::string model;
  std::int64_t window = 0;  // tokens; 0: as many as the model was trained for
  bool assistant_only_loss = true;
  bool json = false;
};

/// A model with what its data is read by.
struct OpenModel {
  explicit OpenModel(const DataArguments& arguments)
      : model(modules::open_model(arguments.model)),
        readers(modules::media_readers(model)),
        writer(model.path, model.tokenizer, arguments.assistant_only_loss) {}

  modules::Model model;
  data::MediaReaders readers;
  data::ConversationWriter writer;
};

data::DataCheck check(const DataArguments& arguments) {
  if (arguments.model.empty()) return data::check_data(arguments.files, std::nullopt);
  const OpenModel open(arguments);
  const std::int64_t window =
      arguments.window > 0 ? arguments.window : open.model.config.max_position_embeddings;
  return data::check_data(
      arguments.files, data::CheckModel{open.model.tokenizer, open.writer, open.readers, window});
}

json counts_json(const data::SampleCounts& counts, bool has_tokens) {
  json result{{"samples", counts.samples},   {"conversations", counts.conversations},
              {"pictures", counts.pictures}, {"clips", counts.clips},
              {"seconds", counts.seconds},   {"tokens", nullptr},
              {"targets", nullptr},          {"cut", nullptr}};
  if (has_tokens) {
    result["tokens"] = counts.tokens;
    result["targets"] = counts.targets;
    result["cut"] = counts.cut;
  }
  return result;
}

json result_json(const data::DataCheck& found, const DataArguments& arguments) {
  const bool has_tokens = !arguments.model.empty();
  json kinds = json::object(), files = json::array();
  for (const auto& [kind, counts] : found.kinds) kinds[kind] = counts_json(counts, has_tokens);
  for (const auto& file : arguments.files) files.push_back(file.string());
  return {{"files", files},
          {"kinds", kinds},
          {"all", counts_json(found.all(), has_tokens)},
          {"empty_texts", found.empty_texts},
          {"notes", found.notes},
          {"mistakes", found.mistakes}};
}

std::string row_text(const std::string& kind, const data::SampleCounts& counts, bool has_tokens) {
  std::string row = fmt::format("{:<16} {:>9} {:>9} {:>9} {:>10.1f}", kind, counts.samples,
                                counts.pictures, counts.clips, counts.seconds);
  if (has_tokens)
    row += fmt::format(" {:>11} {:>11} {:>7}", counts.tokens, counts.targets, counts.cut);
  return row + "\n";
}

std::string text_of(const data::DataCheck& found, bool has_tokens) {
  std::string text;
  for (const std::string& mistake : found.mistakes) text += mistake + "\n";
  if (!text.empty()) text += "\n";
  text +=
      fmt::format("{:<16} {:>9} {:>9} {:>9} {:>10}", "", "samples", "pictures", "clips", "seconds");
  if (has_tokens) text += fmt::format(" {:>11} {:>11} {:>7}", "tokens", "targets", "cut");
  text += "\n";
  for (const auto& [kind, counts] : found.kinds) text += row_text(kind, counts, has_tokens);
  if (found.kinds.size() > 1) text += row_text("all", found.all(), has_tokens);
  for (const auto& [note, times] : found.notes)
    text += fmt::format("without effect: {} ({} times)\n", note, times);
  if (found.empty_texts > 0)
    text += fmt::format("{} empty texts are left out\n", found.empty_texts);
  return text + (found.mistakes.empty() ? "no mistakes"
                                        : fmt::format("{} mistakes", found.mistakes.size()));
}

}  // namespace

void add_data(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "looks at data before anything is trained on it");
  data->require_subcommand(1);
  auto arguments = std::make_shared<DataArguments>();
  CLI::App* command = data->add_subcommand(
      "check", "names file and line of every bad sample, and counts the good ones by modality");
  command->add_option("files", arguments->files, "files or directories, as in data.train")
      ->required();
  CLI::Option* model = command->add_option(
      "--model", arguments->model, "the model: its template, tokenizer and encoders judge, too");
  command->add_option("--window", arguments->window, "tokens of a sample, as in data.window")
      ->check(CLI::PositiveNumber)
      ->needs(model);
  command
      ->add_flag("--assistant-only-loss,!--whole-conversations", arguments->assistant_only_loss,
                 "as data.assistant_only_loss: of conversations only answers are trained on, which "
                 "is the default, "
                 "or all of them")
      ->needs(model);
  command->add_flag("--json", arguments->json, "print the result as JSON");
  command->footer(
      "Example:\n  dualpath data check build/assets/multimodal/images/train.jsonl --json\n"
      "Exit: 0 no mistakes, 1 mistakes");
  command->callback([arguments] {
    const data::DataCheck found = check(*arguments);
    print(result_json(found, *arguments), arguments->json,
          text_of(found, !arguments->model.empty()));
    if (!found.mistakes.empty()) throw Ended{kFailure};
  });
}

}  // namespace dualpath::tools
