#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/samples/samples.h"
#include "modules/model/model.h"
#include "trainer/evaluate/metrics.h"
#include "trainer/evaluate/row.h"
#include "trainer/evaluate/table.h"
#include "trainer/processes/processes.h"
#include "trainer/recipe/options.h"

namespace dualpath::trainer {

/// A sample that rows answer: what stands before its last answer, and that answer.
struct Question {
  std::size_t sample = 0;                 ///< its number
  std::size_t prompt = 0;                 ///< tokens before the answer
  std::vector<std::int64_t> answer = {};  ///< its tokens, without the end of the turn
  std::string reference = {};             ///< the answer's text, normalized; not empty
};

/// Lists the samples that can be answered: those with files that end with an assistant's answer
/// which is marked (data.assistant_only_loss) and not cut off by the window.
std::vector<Question> questions_of(const modules::Model& model, const data::Samples& samples,
                                   std::int64_t window);

/// A row's answer to a question.
struct Answer {
  std::string text;
  /// Its reference's place among all answers of the set, best first; none if it is not among the
  /// first five, or if ranks are not asked for.
  std::optional<std::size_t> rank = {};
};

/// The way in which a set's answers are judged.
struct Judgement {
  bool ranks = false;        ///< top1
  bool ranks_five = false;   ///< top5, too
  bool transcribes = false;  ///< wer and cer, else exact
};

/// The questions of one set and modality, and how their answers are judged.
struct Questions {
  std::vector<Question> all = {};     ///< their answers are what references are ranked among
  std::vector<Question> chosen = {};  ///< evenly spaced, options.num_answers at most
  Judgement judgement = {};
  /// An answer's length. Twice that of the longest reference will do for a closed vocabulary.
  std::int64_t max_tokens = 0;
  std::size_t tokens_at_once = 0;  ///< of prompts in a batch: those of options.batch_size windows
};

/// Samples with pictures are ranked among all different answers of the set, if these are at most
/// 1 000 of at most 16 tokens; top 5 needs six. Samples with clips alone are transcriptions.
Questions questions_for(const modules::Model& model, const data::Samples& samples,
                        const std::string& modality, const EvaluateOptions& options,
                        std::int64_t window);

/// Lets every row answer the chosen questions, several of equal length at once. Result: [row]
/// [question]. Processes share the work; each returns all. progress: called with numbers of
/// questions.
std::vector<std::vector<Answer>> answer(const modules::Model& model, const std::vector<Row>& rows,
                                        const data::Samples& samples, const Questions& questions,
                                        Processes& processes,
                                        const std::function<void(std::int64_t)>& progress);

/// The number of questions that this process asks itself.
std::size_t answered_here(const modules::Model& model, const data::Samples& samples,
                          const Questions& questions, const Processes& processes);

/// Judges one answer.
SampleSums judged(const Question& question, const Answer& answer, const Judgement& judgement);

/// Picks samples that the named rows answer differently once normalized, a few at most.
std::vector<ChangedSample> changed_samples(const data::Samples& samples, const Questions& questions,
                                           const std::vector<Row>& rows,
                                           const std::vector<std::vector<Answer>>& answers);

}  // namespace dualpath::trainer
