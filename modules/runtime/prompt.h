#pragma once

#include <string>

#include "data/samples/batch.h"
#include "data/text/text.h"
#include "modules/model/model.h"

namespace dualpath::modules {

/// A question to a model: a text to go on with or a turn of a conversation, with the pictures and
/// clips that belong to it.
struct Prompt {
  std::string text;
  bool chat = false;            ///< the text is the user's turn, which the chat template writes
  std::string system = {};      ///< what the model is told before the turn, if anything
  data::MediaFiles files = {};  ///< one for each placeholder token of the text
};

/// The prompt's tokens as a batch of one text, its files read. A text alone stands behind what the
/// tokenizer puts before every text; a chat template says itself how a conversation begins. In a
/// chat whose turn has no placeholder, pictures and clips stand before the turn's text. Files and
/// placeholders that do not match are an Error, and so is a chat without a template.
data::Batch make_prompt(const Model& model, const Prompt& prompt);

}  // namespace dualpath::modules
