#include "trainer/evaluate/answers.h"

#include <torch/torch.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "data/process/interrupt.h"
#include "data/text/answer_text.h"
#include "modules/model/stop_tokens.h"
#include "modules/runtime/answer_search.h"
#include "modules/weights/device_counts.h"

namespace dualpath::trainer {
namespace {

using nlohmann::json;

/// Limits of a closed vocabulary of answers.
constexpr std::size_t kMostAnswers = 1000, kLongestAnswer = 16;
/// References are looked for among so many of the likeliest answers.
constexpr std::size_t kRanked = 5;
constexpr std::size_t kShownChanges = 12;
constexpr std::size_t kMostAtOnce = 64;

using Batches = std::vector<std::vector<std::size_t>>;  // numbers of questions

/// Whether nothing of a conversation is behind its last answer: ends of turns and white space
/// alone.
bool is_end(const modules::Model& model, const std::set<std::int64_t>& stop_tokens,
            std::span<const std::int32_t> ids) {
  return std::ranges::all_of(ids, [&](std::int32_t id) {
    return stop_tokens.contains(id) ||
           data::normalized_answer(model.tokenizer.decode(std::span(&id, 1))).empty();
  });
}

std::optional<Question> question_of(const modules::Model& model,
                                    const std::set<std::int64_t>& stop_tokens,
                                    const data::Sample& sample) {
  const auto& [ids, targets] = sample.tokens;
  if (sample.files == nullptr || sample.files->empty() || targets.empty()) return std::nullopt;
  const auto last = std::find(targets.rbegin(), targets.rend(), 1);
  const auto first = std::find(last, targets.rend(), 0);
  const auto end = static_cast<std::size_t>(targets.rend() - last),
             begin = static_cast<std::size_t>(targets.rend() - first);
  if (begin == 0 || !is_end(model, stop_tokens, ids.subspan(end))) return std::nullopt;
  Question question{.prompt = begin};
  const auto answer = ids.subspan(begin, end - begin);
  const auto stop =
      std::ranges::find_if(answer, [&](std::int32_t id) { return stop_tokens.contains(id); });
  question.answer.assign(answer.begin(), stop);
  question.reference = data::normalized_answer(
      model.tokenizer.decode(std::vector<std::int32_t>(answer.begin(), stop)));
  if (question.reference.empty()) return std::nullopt;
  return question;
}

/// The different answers of a set, each with its number.
std::map<std::string, std::size_t> vocabulary_of(const std::vector<Question>& questions) {
  std::map<std::string, std::size_t> numbers;
  for (const Question& question : questions)
    numbers.try_emplace(question.reference, numbers.size());
  return numbers;
}

std::int64_t longest_of(const std::vector<Question>& questions) {
  std::size_t longest = 0;
  for (const Question& question : questions) longest = std::max(longest, question.answer.size());
  return static_cast<std::int64_t>(longest);
}

Judgement judgement_of(const std::vector<Question>& questions, const std::string& modality) {
  if (modality == "audio") return {.transcribes = true};
  const std::size_t answers = vocabulary_of(questions).size();
  const bool is_closed =
      answers <= kMostAnswers && std::ranges::all_of(questions, [](const Question& question) {
        return question.answer.size() <= kLongestAnswer;
      });
  return {.ranks = is_closed, .ranks_five = is_closed && answers > kRanked};
}

/// Puts questions of equal length together, with as many tokens at once as batch_size windows have.
/// Pictures of a decoder that turns by their rows and
/// columns are read one by one.
Batches batches_of(const modules::Model& model, const data::Samples& samples,
                   const std::vector<Question>& questions, std::size_t tokens_at_once) {
  std::map<std::pair<std::size_t, std::size_t>, std::vector<std::size_t>> open;
  Batches batches;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const bool is_alone = !model.config.rotation.sections.empty() &&
                          !samples.sample(questions[i].sample).files->images.empty();
    std::vector<std::size_t>& batch = open[{questions[i].prompt, is_alone ? i + 1 : 0}];
    batch.push_back(i);
    if (batch.size() <
        std::clamp(tokens_at_once / questions[i].prompt, std::size_t{1}, kMostAtOnce))
      continue;
    batches.push_back(std::move(batch));
    batch.clear();
  }
  for (auto& [length, batch] : open)
    if (!batch.empty()) batches.push_back(std::move(batch));
  return batches;
}

/// Reads the prompts of some questions.
data::Batch prompts_of(const data::Samples& samples, const std::vector<Question>& questions,
                       std::span<const std::size_t> numbers) {
  std::vector<data::TokenSpan> prompts;
  std::vector<const data::MediaFiles*> files;
  for (const std::size_t number : numbers) {
    const data::Sample sample = samples.sample(questions[number].sample);
    prompts.push_back(sample.tokens.subspan(0, questions[number].prompt));
    files.push_back(sample.files);
  }
  return data::make_batch(prompts, files, *samples.readers());
}

/// Lets rows answer batches of questions.
class Asking {
 public:
  Asking(const modules::Model& model, const Questions& questions)
      : model_(model),
        questions_(questions),
        numbers_(vocabulary_of(questions.all)),
        stop_tokens_(modules::stop_tokens(model)) {
    for (const Question& question : questions.all)
      tree_.add(question.answer, numbers_.at(question.reference));
  }

  std::vector<Answer> operator()(modules::Executor& executor, const data::Batch& prompts,
                                 std::span<const std::size_t> numbers) const {
    modules::DeviceCounts counts;
    const modules::ReadPrompts read(model_.network, executor, prompts);
    const std::int64_t room = model_.config.max_position_embeddings - prompts.ids.size(1);
    std::vector<Answer> answers;
    for (const modules::TokenIds& tokens : read.greedy(
             stop_tokens_, std::max<std::int64_t>(1, std::min(questions_.max_tokens, room)))) {
      answers.push_back(
          {model_.tokenizer.decode(std::vector<std::int32_t>(tokens.begin(), tokens.end()))});
    }
    if (questions_.judgement.ranks) rank(read, numbers, answers);
    counts.check();
    return answers;
  }

 private:
  void rank(const modules::ReadPrompts& read, std::span<const std::size_t> numbers,
            std::vector<Answer>& answers) const {
    std::vector<std::size_t> wanted;
    for (const std::size_t number : numbers)
      wanted.push_back(numbers_.at(questions_.chosen[number].reference));
    const std::size_t limit = questions_.judgement.ranks_five ? kRanked : 1;
    const auto ranks = modules::ranks_of(wanted, tree_, read, stop_tokens_, limit);
    for (std::size_t i = 0; i < answers.size(); ++i) answers[i].rank = ranks[i];
  }

  const modules::Model& model_;
  const Questions& questions_;
  std::map<std::string, std::size_t> numbers_;
  modules::AnswerTree tree_;
  std::set<std::int64_t> stop_tokens_;
};

/// Bytes that are no UTF-8 do not come from decode(), so answers travel as JSON.
json to_json(const Answer& answer) {
  return json::array({answer.text, answer.rank ? json(*answer.rank) : json()});
}

Answer answer_in(const json& answer) {
  Answer read{answer[0].get<std::string>()};
  if (!answer[1].is_null()) read.rank = answer[1].get<std::size_t>();
  return read;
}

/// Whether rows differ in their answers to a question. The control is no repair.
bool is_changed(const std::vector<Row>& rows, const std::vector<std::vector<Answer>>& answers,
                std::size_t question) {
  std::set<std::string> texts;
  for (std::size_t row = 0; row < rows.size(); ++row)
    if (rows[row].name != kControl)
      texts.insert(data::normalized_answer(answers[row][question].text));
  return texts.size() > 1;
}

ChangedSample changed_sample(const data::Samples& samples, const Question& question,
                             const std::vector<Row>& rows,
                             const std::vector<std::vector<Answer>>& answers, std::size_t number) {
  ChangedSample changed{.reference = question.reference};
  for (std::size_t row = 0; row < rows.size(); ++row)
    changed.answers[rows[row].name] = answers[row][number].text;
  const data::MediaFiles& files = *samples.sample(question.sample).files;
  for (const data::MediaFile& image : files.images) changed.images.push_back(image.name());
  for (const std::filesystem::path& clip : files.audio) changed.audio.push_back(clip.string());
  return changed;
}

}  // namespace

std::vector<Question> questions_of(const modules::Model& model, const data::Samples& samples,
                                   std::int64_t window) {
  const std::set<std::int64_t> stop_tokens = modules::stop_tokens(model);
  std::vector<Question> questions;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const data::Sample sample = samples.sample(i);
    if (std::ssize(sample.tokens.ids) >= window) continue;  // may be cut
    if (auto question = question_of(model, stop_tokens, sample)) {
      question->sample = i;
      questions.push_back(std::move(*question));
    }
  }
  return questions;
}

Questions questions_for(const modules::Model& model, const data::Samples& samples,
                        const std::string& modality, const EvaluateOptions& options,
                        std::int64_t window) {
  if (options.num_answers == 0) return {};
  Questions questions{.all = questions_of(model, samples, window),
                      .tokens_at_once = static_cast<std::size_t>(options.batch_size * window)};
  if (questions.all.empty()) return {};
  const std::size_t n =
      std::min(questions.all.size(), static_cast<std::size_t>(options.num_answers));
  for (const std::size_t i : data::evenly_spaced(questions.all.size(), n))
    questions.chosen.push_back(questions.all[i]);
  questions.judgement = judgement_of(questions.all, modality);
  questions.max_tokens = questions.judgement.ranks
                             ? std::min(options.max_answer_tokens, 2 * longest_of(questions.all))
                             : options.max_answer_tokens;
  return questions;
}

std::size_t answered_here(const modules::Model& model, const data::Samples& samples,
                          const Questions& questions, const Processes& processes) {
  const Batches batches = batches_of(model, samples, questions.chosen, questions.tokens_at_once);
  const ProcessShare share = share_of(processes, batches.size());
  std::size_t count = 0;
  for (std::size_t i = share.begin; i < share.end; ++i) count += batches[i].size();
  return count;
}

std::vector<std::vector<Answer>> answer(const modules::Model& model, const std::vector<Row>& rows,
                                        const data::Samples& samples, const Questions& questions,
                                        Processes& processes,
                                        const std::function<void(std::int64_t)>& progress) {
  const torch::NoGradGuard no_grad;
  const Asking ask(model, questions);
  const Batches batches = batches_of(model, samples, questions.chosen, questions.tokens_at_once);
  const ProcessShare share = share_of(processes, batches.size());
  json own = json::array();  // of this process's batches: each row's answers
  for (std::size_t i = share.begin; i < share.end; ++i) {
    throw_if_interrupted();
    const data::Batch prompts = prompts_of(samples, questions.chosen, batches[i]);
    json by_row = json::array();
    for (const Row& row : rows) {
      json answers = json::array();
      for (const Answer& one : ask(*row.executor, prompts, batches[i]))
        answers.push_back(to_json(one));
      by_row.push_back(std::move(answers));
    }
    own.push_back(std::move(by_row));
    progress(std::ssize(batches[i]));
  }
  std::vector<std::vector<Answer>> all(rows.size(), std::vector<Answer>(questions.chosen.size()));
  auto batch = batches.begin();
  for (const std::string& theirs : processes.gather("answers", own.dump())) {
    for (const json& by_row : json::parse(theirs)) {
      for (std::size_t row = 0; row < rows.size(); ++row)
        for (std::size_t i = 0; i < batch->size(); ++i)
          all[row][(*batch)[i]] = answer_in(by_row[row][i]);
      ++batch;
    }
  }
  return all;
}

SampleSums judged(const Question& question, const Answer& answer, const Judgement& judgement) {
  SampleSums sums;
  const std::string text = data::normalized_answer(answer.text);
  if (judgement.transcribes) {
    const auto add = [&](Quantity quantity, const auto& reference, const auto& said) {
      sums[quantity].add(static_cast<double>(data::edit_distance(reference, said)),
                         static_cast<double>(reference.size()));
    };
    add(Quantity::kWords, data::words_of(question.reference), data::words_of(text));
    add(Quantity::kCharacters, data::characters_of(question.reference), data::characters_of(text));
    return sums;
  }
  sums[Quantity::kExact].add(text == question.reference ? 1.0 : 0.0);
  if (judgement.ranks) sums[Quantity::kTop1].add(answer.rank == 0 ? 1.0 : 0.0);
  if (judgement.ranks_five) sums[Quantity::kTop5].add(answer.rank ? 1.0 : 0.0);
  return sums;
}

std::vector<ChangedSample> changed_samples(const data::Samples& samples, const Questions& questions,
                                           const std::vector<Row>& rows,
                                           const std::vector<std::vector<Answer>>& answers) {
  std::vector<ChangedSample> changed;
  for (std::size_t i = 0; i < questions.chosen.size() && changed.size() < kShownChanges; ++i) {
    if (is_changed(rows, answers, i))
      changed.push_back(changed_sample(samples, questions.chosen[i], rows, answers, i));
  }
  return changed;
}

}  // namespace dualpath::trainer
