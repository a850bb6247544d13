#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/base/error.h"
#include "data/base/named.h"
#include "data/base/utf8.h"
#include "data/process/standard_streams.h"
#include "modules/runtime/prompt.h"
#include "modules/runtime/text_generation.h"
#include "tools/commands/command.h"
#include "trainer/experiment/device.h"
#include "trainer/experiment/text_source.h"
#include "trainer/recipe/recipe.h"

namespace dualpath::tools {
namespace {

using nlohmann::json;

struct GenerateArguments {
  std::string source;
  std::vector<std::string> overrides;
  std::string prompt, system;
  std::vector<std::string> rows;
  std::vector<std::string> images, audio;
  bool chat = false, compare = false, json = false;
  modules::GenerationOptions options;
};

/// The answer of one row, for the comparison and --json.
struct Said {
  std::string row;
  modules::GeneratedText text;
};

bool is_model(const std::filesystem::path& path) {
  return std::filesystem::is_directory(path) || path.extension() == ".gguf";
}

/// The recipe; a model has none, and only its device may be set.
trainer::Recipe recipe_of(const GenerateArguments& arguments) {
  if (!is_model(arguments.source))
    return trainer::load_recipe(arguments.source, arguments.overrides);
  for (const std::string& override : arguments.overrides) {
    if (!override.starts_with("device="))
      throw UsageError("--set: {} is a model, not a recipe: only device may be set",
                       arguments.source);
  }
  trainer::Recipe recipe;
  recipe.device = trainer::load_device(arguments.overrides);
  return recipe;
}

std::unique_ptr<trainer::TextSource> open_source(const GenerateArguments& arguments) {
  trainer::Recipe recipe = recipe_of(arguments);
  trainer::choose_device(recipe);
  const bool float_only = arguments.rows == std::vector<std::string>{trainer::kFp};
  auto source = is_model(arguments.source)
                    ? trainer::open_text_source(arguments.source, recipe.model.device)
                    : trainer::open_text_source(recipe, float_only);
  announce_kernel(recipe);
  return source;
}

modules::Prompt prompt_of(const GenerateArguments& arguments) {
  return {.text = arguments.prompt,
          .chat = arguments.chat,
          .system = arguments.system,
          .files = {{arguments.images.begin(), arguments.images.end()},
                    {arguments.audio.begin(), arguments.audio.end()}}};
}

trainer::Row row_named(const std::vector<trainer::Row>& rows, const std::string& name) {
  std::string known;
  for (const trainer::Row& row : rows) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + row.name;
  }
  throw UsageError("--row: there is no {} here, only {}", printable(name), known);
}

/// Chooses the rows to run: those asked for, or with --compare all but the control. Else the one
/// that is furthest on: the trained one, the quantized one or the float model.
std::vector<trainer::Row> chosen_rows(std::vector<trainer::Row> rows,
                                      const GenerateArguments& arguments) {
  std::vector<trainer::Row> chosen;
  for (const std::string& name : arguments.rows) chosen.push_back(row_named(rows, name));
  if (!chosen.empty()) return chosen;
  std::erase_if(rows, [](const auto& row) { return row.name == trainer::kControl; });
  return arguments.compare ? rows : std::vector{rows.back()};
}

/// The speed over the tokens after the first, since that one waits for the prompt to be read.
double tokens_per_second(const modules::GeneratedText& text) {
  const auto timed = static_cast<double>(text.tokens.size()) - 1.0;
  return text.seconds > 0.0 ? timed / text.seconds : 0.0;
}

/// The number of tokens that a and b both begin with.
std::size_t common_tokens(const modules::GeneratedText& a, const modules::GeneratedText& b) {
  const auto differs = std::ranges::mismatch(a.tokens, b.tokens).in1;
  return static_cast<std::size_t>(differs - a.tokens.begin());
}

void report_speed(const Said& said, std::size_t prompt_tokens) {
  write_notice(
      fmt::format("{}: {} tokens at {:.1f} tokens/s; prompt of {} read in {:.2f} s; end: {}\n",
                  said.row, said.text.tokens.size(), tokens_per_second(said.text), prompt_tokens,
                  said.text.first_token_seconds, name_in(modules::kFinishes, said.text.finish)));
}

void report_agreement(const std::vector<Said>& all) {
  for (std::size_t i = 1; i < all.size(); ++i) {
    write_notice(fmt::format("{}: its first {} tokens are {}'s\n", all[i].row,
                             common_tokens(all.front().text, all[i].text), all.front().row));
  }
}

json to_json(const std::vector<Said>& all, std::size_t prompt_tokens) {
  json rows = json::object();
  for (const auto& [row, text] : all) {
    rows[row] = {{"text", text.text},
                 {"tokens", text.tokens},
                 {"finish", name_in(modules::kFinishes, text.finish)},
                 {"common_tokens", common_tokens(all.front().text, text)},
                 {"first_token_seconds", text.first_token_seconds},
                 {"tokens_per_second", tokens_per_second(text)}};
  }
  return {{"prompt_tokens", prompt_tokens}, {"rows", rows}, {"compared_with", all.front().row}};
}

void check(const modules::GenerationOptions& options) {
  const auto expect = [](bool fits, const char* option, const char* expected, auto got) {
    if (!fits) throw UsageError("{}: expected {}, got {}", option, expected, got);
  };
  const auto& [temperature, top_k, top_p] = options.sampling;
  expect(options.max_tokens > 0, "--max-tokens", "a positive integer", options.max_tokens);
  expect(temperature >= 0.0 && std::isfinite(temperature), "--temperature",
         "0 or a positive number", temperature);
  expect(top_k >= 0, "--top-k", "0 or a positive integer", top_k);
  expect(top_p > 0.0 && top_p <= 1.0, "--top-p", "a number above 0, at most 1", top_p);
  for (const std::string& stop : options.stop)
    expect(!stop.empty(), "--stop", "a text", "an empty one");
}

/// Refuses bytes that are not UTF-8: a tokenizer would read U+FFFD there.
void check_text(const char* option, const std::string& text) {
  const std::size_t bad = data::find_invalid_utf8(text);
  if (bad < text.size()) throw UsageError("{}: byte {} is not UTF-8", option, bad + 1);
}

void check_texts(const GenerateArguments& arguments) {
  check_text("--prompt", arguments.prompt);
  check_text("--system", arguments.system);
  for (const std::string& stop : arguments.options.stop) check_text("--stop", stop);
}

void generate(const GenerateArguments& arguments) {
  check(arguments.options);
  check_texts(arguments);
  const std::unique_ptr<trainer::TextSource> source = open_source(arguments);
  const modules::Model& model = source->model();
  const data::Batch prompt = make_prompt(model, prompt_of(arguments));
  const auto prompt_tokens = static_cast<std::size_t>(prompt.ids.size(1));
  const std::vector<trainer::Row> rows = chosen_rows(source->rows(), arguments);
  std::vector<Said> all;
  for (const trainer::Row& row : rows) {
    if (!arguments.json && rows.size() > 1) write_output(fmt::format("--- {} ---\n", row.name));
    all.push_back({row.name, generate_text(model, *row.executor, prompt, arguments.options,
                                           [&](std::string_view text) {
                                             if (!arguments.json) write_output(text);
                                           })});
    if (!arguments.json) write_output("\n");
    report_speed(all.back(), prompt_tokens);
  }
  report_agreement(all);
  if (arguments.json) print(to_json(all, prompt_tokens), true, "");
}

void add_sampling(CLI::App& command, modules::GenerationOptions& options) {
  const auto number = [&](const char* name, auto& value, const char* about) {
    command.add_option(name, value, about)->capture_default_str();
  };
  number("--max-tokens", options.max_tokens, "end after so many tokens");
  number("--temperature", options.sampling.temperature,
         "divides the logits before a token is drawn; 0: always the most likely one");
  number("--top-k", options.sampling.top_k, "draw from so many of the most likely; 0: from all");
  number("--top-p", options.sampling.top_p,
         "draw from the fewest that together have this probability");
  number("--seed", options.seed, "of what is drawn: the same gives the same text");
  command.add_option("--stop", options.stop, "end before this text; may be given several times")
      ->allow_extra_args(false);
}

}  // namespace

void add_generate(CLI::App& app) {
  auto arguments = std::make_shared<GenerateArguments>();
  CLI::App* command = app.add_subcommand(
      "generate", "what a model says behind a prompt: in float, quantized, corrected");
  command
      ->add_option("source", arguments->source,
                   "a recipe, whose run is taken; an export; or a model in float")
      ->required();
  command->add_option("--prompt", arguments->prompt, "the text to go on with")->required();
  const auto files = [&](const char* name, std::vector<std::string>& value, const char* about) {
    command->add_option(name, value, about)->allow_extra_args(false);
  };
  files("--image", arguments->images,
        "a picture for the prompt's next placeholder token, or with --chat before a prompt without "
        "any; may be given several times");
  files("--audio", arguments->audio, "a clip, in the same way");
  CLI::Option* chat = command->add_flag("--chat", arguments->chat,
                                        "the prompt is a turn of a conversation, "
                                        "written as the model's chat template says");
  command->add_option("--system", arguments->system, "what the model is told before the turn")
      ->needs(chat);
  CLI::Option* row = command
                         ->add_option("--row,--path", arguments->rows,
                                      "a row of the table: fp, quantized, smoothed, corrected, "
                                      "smoothed_corrected, control; may be given several times")
                         ->allow_extra_args(false);
  command->add_flag("--compare", arguments->compare, "every row, one under the other")
      ->excludes(row);
  add_sampling(*command, arguments->options);
  command->add_option("--set", arguments->overrides, "override a key: section.key=value")
      ->allow_extra_args(false);
  command->add_flag("--json", arguments->json, "print the result as JSON, at the end");
  command->footer(
      "Example:\n  dualpath generate recipes/quickstart.yaml --compare --chat --prompt "
      "\"What is free software?\"\n  dualpath generate recipes/multimodal_w4a8.yaml --compare "
      "--chat "
      "--image cat.png --prompt \"What is in the picture?\"");
  command->callback([arguments] { generate(*arguments); });
}

}  // namespace dualpath::tools
