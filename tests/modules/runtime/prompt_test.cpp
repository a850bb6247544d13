#include "modules/runtime/prompt.h"

#include "tests/support/catch.h"
#include "tests/support/model.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::modules;
using namespace dualpath::testing;

namespace {

std::vector<std::int32_t> ids_of(const data::Batch& batch) {
  const at::Tensor ids = batch.ids.flatten().to(at::kInt);
  return {ids.data_ptr<std::int32_t>(), ids.data_ptr<std::int32_t>() + ids.numel()};
}

}  // namespace

TEST_CASE("a text stands behind what the tokenizer puts before every text", "[modules][prompt]") {
  const Model model = tiny_llama("tied");
  const data::Batch batch = make_prompt(model, {.text = "the model reads"});
  CHECK(batch.ids.size(0) == 1);
  CHECK(ids_of(batch) == model.tokenizer.encode_whole("the model reads"));
}

TEST_CASE("a chat's turn is what the template writes, what the model is told before it too",
          "[modules][prompt]") {
  const TemporaryDirectory folder;
  std::filesystem::copy(kReference / "tiny_llama/tied", folder / "model");
  write_plain(folder / "model/chat_template.jinja",
              "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}");
  const Model model = open_model(folder / "model");
  CHECK(ids_of(make_prompt(model, {.text = "the", .chat = true})) ==
        model.tokenizer.encode("user: the\n"));
  CHECK(ids_of(make_prompt(model, {.text = "the", .chat = true, .system = "a"})) ==
        model.tokenizer.encode("system: a\nuser: the\n"));
}

TEST_CASE("in a chat a picture stands before a turn that has no placeholder", "[modules][prompt]") {
  const TemporaryDirectory folder;
  std::filesystem::copy(kReference / "composition/model", folder / "model");
  write_plain(
      folder / "model/chat_template.jinja",
      "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}"
      "{% for p in m.content %}{{ '<|image|>' if p.type == 'image' else p.text }}{% endfor %}"
      "{% endif %}{% endfor %}");
  const Model model = open_model(folder / "model");
  const auto asked = [&](const std::string& text) {
    return make_prompt(model,
                       {.text = text,
                        .chat = true,
                        .files = {.images = {kReference / "composition/1.png"}, .audio = {}}});
  };
  const data::Batch batch = asked("the");
  CHECK(ids_of(batch) == ids_of(asked("<|image|>the")));
  CHECK(ids_of(batch) != ids_of(asked("the<|image|>")));
  CHECK(batch.images->values.size(0) == 1);
}

TEST_CASE("a file that the model has no eye for is an error", "[modules][prompt]") {
  const Model model = tiny_llama("tied");
  CHECK_THROWS_AS(
      make_prompt(model, {.text = "the", .files = {.images = {"none.png"}, .audio = {}}}), Error);
}
