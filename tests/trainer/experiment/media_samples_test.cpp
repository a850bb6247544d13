#include "data/samples/media_samples.h"

#include <torch/torch.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "modules/model/media_readers.h"
#include "modules/network/batch_state.h"
#include "tests/support/catch.h"
#include "tests/support/error_message.h"
#include "tests/support/plain_file.h"
#include "tests/support/temporary_directory.h"
#include "tests/trainer/tiny_experiment.h"
#include "trainer/evaluate/evaluation.h"
#include "trainer/evaluate/metrics.h"
#include "trainer/experiment/texts.h"

using namespace dualpath;
using namespace dualpath::trainer;
using namespace dualpath::testing;

namespace {

constexpr std::int64_t kWindow = 512;

struct Multimodal {
  explicit Multimodal(const std::string& script, const std::string& name = "tiny")
      : folder(kReference / script), model(modules::open_model(folder / name)) {}

  data::MediaSamples samples(const std::filesystem::path& texts,
                             std::int64_t window = kWindow) const {
    const auto readers = std::make_shared<data::MediaReaders>(media_readers(model));
    const data::ConversationWriter writer(model.path, model.tokenizer, /*finds_answers=*/false);
    return {model.tokenizer, data::read_documents(texts, writer), window, readers, [] {}};
  }
  /// The message for one line of JSON, beside which rgb.jpg lies.
  std::string message(const nlohmann::json& line, std::int64_t window = kWindow) const {
    const TemporaryDirectory files;
    write_plain(files / "line.jsonl", line.dump() + "\n");
    std::filesystem::copy(kReference / "images" / "rgb.jpg", files / "rgb.jpg");
    write_plain(files / "broken.png", "\x89PNG\r\n\x1a\n");
    std::string text = error_message([&] { samples(files / "line.jsonl", window); });
    const std::string place = files.path().string() + "/";
    for (auto at = text.find(place); at != std::string::npos; at = text.find(place))
      text.erase(at, place.size());
    return text;
  }

  std::filesystem::path folder;
  modules::Model model;
};

std::vector<float> nll_of(const Multimodal& multimodal, std::int64_t batch_size) {
  const data::MediaSamples samples = multimodal.samples(multimodal.folder / "samples.jsonl");
  modules::FloatExecutor executor(multimodal.model.weights, at::kFloat);
  const auto rows = evaluate_rows(multimodal.model.network, {{"fp", &executor}}, samples,
                                  {.num_tokens = 1 << 20, .batch_size = batch_size},
                                  Processes::alone(), [](std::int64_t) {});
  std::vector<float> nll;
  for (const SampleSums& sample : rows[0].samples)
    nll.push_back(static_cast<float>(sample[Quantity::kNll].mean()));
  return nll;
}

}  // namespace

TEST_CASE("samples with pictures and clips are scored as transformers scores them",
          "[trainer][media]") {
  const auto [script, name] = GENERATE(table<std::string, std::string>(
      {{"glm4v", "tiny"}, {"composition", "model"}, {"composition", "others"}}));
  INFO(script << " " << name);
  const Multimodal multimodal(script, name);
  const at::Tensor expected =
      expected_tensors(script + "/" + name + ".safetensors").at("sample_nll");
  const at::Tensor alone = torch::tensor(nll_of(multimodal, 1)),
                   together = torch::tensor(nll_of(multimodal, 3));
  REQUIRE(alone.sizes() == expected.sizes());
  CHECK(largest_difference(alone, expected) < 1e-4f);
  CHECK(largest_difference(together, expected) < 1e-4f);
}

TEST_CASE("placeholders are no targets, and samples are cut behind the window",
          "[trainer][media]") {
  const Multimodal multimodal("glm4v");
  const data::MediaSamples whole = multimodal.samples(multimodal.folder / "samples.jsonl"),
                           cut = multimodal.samples(multimodal.folder / "samples.jsonl", 40);
  const std::vector<std::size_t> second{1};
  const data::Batch batch = whole.batch(second);
  CHECK((batch.ids == 512).sum().item<int>() > 1);
  CHECK((batch.targets == 512).sum().item<int>() == 0);
  CHECK(cut.batch(second).ids.equal(batch.ids.narrow(1, 0, 40)));
  CHECK(whole.targets(1) > cut.targets(1));
  CHECK(cut.targets(1) == cut.batch(second).counted());
}

TEST_CASE("of a conversation with a picture the answers alone are targets", "[trainer][media]") {
  const TemporaryDirectory files;
  std::filesystem::copy(kReference / "glm4v" / "tiny", files / "model");
  write_plain(files / "model/chat_template.jinja",
              "{% for m in messages %}{{ m.role }}!{% for part in m.content %}"
              "{{ '<|image|>' if part.type == 'image' else part.text }}{% endfor %}!{% endfor %}"
              "{% if add_generation_prompt %}assistant!{% endif %}");
  std::filesystem::copy(kReference / "images" / "rgb.jpg", files / "rgb.jpg");
  const std::string line = nlohmann::json::parse(R"({"images": ["rgb.jpg"], "messages": [
      {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]},
      {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]}]})")
                               .dump();
  write_plain(files / "talks.jsonl", line + "\n" + line + "\n" + line + "\n");
  const modules::Model model = modules::open_model(files / "model");
  data::DataOptions options;
  options.train = files / "talks.jsonl";
  options.assistant_only_loss = true;
  const Texts texts = load_texts(options, model);
  const data::Batch batch = texts.train->batch(std::vector<std::size_t>{0});
  CHECK((batch.ids == 512).sum().item<int>() > 1);
  CHECK(batch.images);
  std::vector<std::int32_t> answer;
  const at::Tensor targets = batch.targets.masked_select(batch.targets != data::kNoTarget);
  for (std::int64_t i = 0; i < targets.size(0); ++i)
    answer.push_back(targets[i].item<std::int32_t>());
  CHECK(model.tokenizer.decode(answer) == "A cat.!");
  CHECK(texts.train->targets(0) == std::ssize(answer));
}

TEST_CASE("what is in a picture is part of the samples' hash", "[trainer][media]") {
  const Multimodal multimodal("glm4v");
  const TemporaryDirectory files;
  write_plain(files / "line.jsonl", R"({"text": "<|image|> a", "images": ["p"]})");
  const auto hash = [&](const char* picture) {
    std::filesystem::copy_file(kReference / "images" / picture, files / "p",
                               std::filesystem::copy_options::overwrite_existing);
    Sha256 sum;
    multimodal.samples(files / "line.jsonl").update(sum);
    return sum.hex();
  };
  CHECK(hash("rgb.png") != hash("gray.png"));
  CHECK(hash("rgb.png") == hash("rgb.png"));
}

TEST_CASE("what is wrong with a sample is named by its line", "[trainer][media]") {
  const Multimodal multimodal("glm4v");
  CHECK(multimodal.message({{"text", "a"}, {"images", {"rgb.jpg"}}}) ==
        "line.jsonl:1: the text has 0 image tokens (id 512), but 1 image files are named");
  CHECK(multimodal.message({{"text", "<|image|><|image|>"}, {"images", {"rgb.jpg"}}}) ==
        "line.jsonl:1: the text has 2 image tokens (id 512), but 1 image files are named");
  CHECK(multimodal.message({{"text", "a"}, {"audio", {"a.wav"}}}) ==
        "line.jsonl:1: audio files are named, but the model takes none");
  CHECK(multimodal.message({{"text", "<|image|> a"}, {"images", {"none.jpg"}}})
            .starts_with("line.jsonl:1: none.jpg: "));
  CHECK(multimodal.message({{"text", "<|image|> a"}, {"images", {"broken.png"}}})
            .starts_with("line.jsonl:1: broken.png: "));
  CHECK(multimodal.message({{"text", "<|image|> a"}, {"images", {"rgb.jpg"}}}, 3) ==
        "line.jsonl:1: its images and audio do not fit into a window of 3 tokens");
  CHECK(multimodal.message({{"text", "<|image|> a"}, {"images", "rgb.jpg"}})
            .starts_with("line.jsonl:1: images: expected an array"));
}

TEST_CASE("pictures for a model of text alone are an error", "[trainer][media]") {
  const TemporaryDirectory files;
  std::string lines;
  for (int i = 0; i < 3; ++i)
    lines += R"({"text": "a", "images": ["rgb.jpg"]})"
             "\n";
  write_plain(files / "texts.jsonl", lines);
  const modules::Model model = tiny_llama("tied");
  data::DataOptions options;
  options.train = files / "texts.jsonl";
  CHECK(error_message([&] { load_texts(options, model); }) ==
        (files / "texts.jsonl").string() + ":1: image files are named, but the model takes none");
}

namespace {

/// Glm4v's directory with another preprocessor_config.json.
struct ChangedProcessor {
  ChangedProcessor(const char* key, const nlohmann::json& value) {
    for (const auto& entry : std::filesystem::directory_iterator(kReference / "glm4v" / "tiny"))
      std::filesystem::copy(entry.path(), directory / entry.path().filename().string());
    nlohmann::json config = data::read_json(directory / "preprocessor_config.json");
    config[key] = value;
    write_plain(directory / "preprocessor_config.json", config.dump());
  }
  TemporaryDirectory directory;
};

}  // namespace

TEST_CASE("an image processor that its encoder does not agree with is an error",
          "[trainer][media]") {
  const auto message = [](const char* key, const nlohmann::json& value) {
    const ChangedProcessor changed(key, value);
    const modules::Model model = modules::open_model(changed.directory.path());
    return error_message([&] { media_readers(model); })
        .substr(changed.directory.path().string().size());
  };
  CHECK(message("merge_size", 4) == ": merge_size: the image processor has 4, the encoder 2");
  CHECK(message("patch_size", 7) == ": patch_size: the image processor has 7, the encoder 14");
  CHECK(message("temporal_patch_size", 1) ==
        ": temporal_patch_size: the image processor has 1, the encoder 2");
}

TEST_CASE("a Whisper's feature extractor fills clips up to the encoder's length, or is refused",
          "[trainer][media]") {
  const TemporaryDirectory directory;
  for (const auto& entry : std::filesystem::directory_iterator(kReference / "composition/others"))
    std::filesystem::copy(entry.path(), directory / entry.path().filename().string());
  nlohmann::json config = data::read_json(directory / "processor_config.json");
  config["feature_extractor"]["chunk_length"] = 3;
  write_plain(directory / "processor_config.json", config.dump());
  const modules::Model model = modules::open_model(directory.path());
  CHECK(error_message([&] { media_readers(model); }) ==
        directory.path().string() +
            ": the feature extractor makes 300 frames of a clip, the encoder takes 200");
}

TEST_CASE("a clip's silence takes no tokens if the feature extractor tells it apart",
          "[trainer][media]") {
  const modules::Model model = modules::open_model(kReference / "composition/others");
  const data::MediaReaders readers = media_readers(model);
  const std::vector<std::vector<float>> clip{std::vector<float>(9760, 0.1f)};
  CHECK(readers.audio->log_mel(clip).mask.sum().item<std::int64_t>() == 61);
}

TEST_CASE("how pictures are prepared is part of a model's fingerprint", "[trainer][media]") {
  const auto fingerprint = [](double mean) {
    const ChangedProcessor changed("image_mean", {mean, 0.5, 0.5});
    return model_fingerprint(modules::open_model(changed.directory.path()));
  };
  CHECK(fingerprint(0.4) != fingerprint(0.5));
  CHECK(fingerprint(0.5) == fingerprint(0.5));
}

TEST_CASE("a tower without a processor's configuration is an error that names the files",
          "[trainer][media]") {
  const TemporaryDirectory directory;
  for (const char* file : {"config.json", "model.safetensors", "tokenizer.json"})
    std::filesystem::copy(kReference / "glm4v" / "tiny" / file, directory / file);
  const modules::Model model = modules::open_model(directory.path());
  CHECK(error_message([&] { media_readers(model); }) ==
        directory.path().string() +
            ": expected processor_config.json with \"image_processor\", or "
            "preprocessor_config.json with \"image_processor_type\"");
}
