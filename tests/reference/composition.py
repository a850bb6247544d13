"""A small random model of our own composition: the ViT of vit.py, the Parakeet encoder of conformer.py and a Llama, joined by
alignment layers in plain torch.

Makes in --out: model/ (config.json, model.safetensors, tokenizer), torchaudio/, the same with the Conformer of torchaudio instead
of Parakeet's, others/, the same with the DINOv2 of vit.py and the encoder of a whole Whisper of whisper.py, and model.safetensors and
others.safetensors:
  ids, mask                  [2, T] int64 and bool  texts with two pictures and two clips, padded on the right
  pixels                     [2, 3, 64, 64] float32
  features, features_mask    [2, F, mels] float32 and [2, F] bool; of a Whisper, what lies behind a clip is an input, too
  aligned_images             [2, 4, H] float32  behind the alignment layers, before the decoder
  aligned_audio              [2, Q, H] float32
  logits                     [2, T, V] float32, by eager attention
  attention_difference       [1] the largest difference to those of fused attention at real tokens
  sample_nll                 [8] float32  of each line of samples.jsonl, beside which its pictures and clips are: the mean over its
                             words and the end of text
"""

import json

import soundfile
import torch
from common import HANDBOOK_NAME, parse_arguments, read_texts, save
from PIL import Image
from pictures import make_picture
from safetensors.torch import load_file, save_file
from tiny import DEFAULTS, SEED, fill, save_tokenizer, train_tokenizer
from tokenizers import AddedToken
from transformers import (
    Dinov2Model,
    LlamaConfig,
    LlamaForCausalLM,
    ParakeetEncoder,
    ParakeetFeatureExtractor,
    ViTImageProcessor,
    ViTModel,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
)

IMAGE, IMAGE_TOKEN = "<|image|>", 512
AUDIO, AUDIO_TOKEN = "<|audio|>", 513
FRAMES = (67, 50)
WIDTH, QUERIES, HEADS = DEFAULTS["hidden_size"], 3, 4
IMAGE_ALIGNMENT = {"merge_size": 2, "intermediate_size": 80}
IMAGE_PROCESSOR = ViTImageProcessor(size={"height": 64, "width": 64})
FEATURE_EXTRACTORS = {
    "parakeet": ParakeetFeatureExtractor(feature_size=32),
    "torchaudio": ParakeetFeatureExtractor(feature_size=48),
    "generation": WhisperFeatureExtractor(feature_size=32, chunk_length=2, return_attention_mask=True),
}
AUDIO_ALIGNMENT = {"merge_size": 3, "num_queries": QUERIES, "num_attention_heads": HEADS}


class Alignment(torch.nn.Module):
    def __init__(self, width: int, merged: int, intermediate: int, queries: int = 0) -> None:
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)
        self.fc1 = torch.nn.Linear(merged * width, intermediate)
        self.fc2 = torch.nn.Linear(intermediate, WIDTH)
        self.modality = torch.nn.Parameter(torch.empty(1, 1, WIDTH))
        if queries:
            self.queries = torch.nn.Parameter(torch.empty(1, queries, WIDTH))
            for name in ("query", "key", "value", "output"):
                setattr(self, name, torch.nn.Linear(WIDTH, WIDTH))

    def project(self, x):
        return self.fc2(torch.nn.functional.gelu(self.fc1(x)))

    def resample(self, x):
        """Resamples x [T, WIDTH] of one clip, without padding."""
        q, k, v = (layer(y).view(-1, HEADS, WIDTH // HEADS).transpose(0, 1) for layer, y in (
            (self.query, self.queries[0]), (self.key, x), (self.value, x)))
        weights = (q @ k.transpose(1, 2) * (WIDTH // HEADS) ** -0.5).softmax(-1)
        return self.queries[0] + self.output((weights @ v).transpose(0, 1).flatten(1))


def align_images(layer: Alignment, hidden: torch.Tensor) -> torch.Tensor:
    """Aligns hidden [B, 1 + 16, width]. torch's unfold lays a square out as [width, rows, columns], as we do."""
    plane = layer.norm(hidden[:, 1:]).transpose(1, 2).unflatten(2, (4, 4))
    squares = torch.nn.functional.unfold(plane, kernel_size=2, stride=2).transpose(1, 2)
    return layer.project(squares) + layer.modality


def align_audio(layer: Alignment, hidden: torch.Tensor, lengths: list[int]) -> torch.Tensor:
    """Aligns clip by clip, so that there is no padding but the zeros behind a clip's last frames."""
    clips = []
    for clip, length in zip(hidden, lengths):
        frames = layer.norm(clip[:length])
        frames = torch.nn.functional.pad(frames, (0, 0, 0, -length % 3)).unflatten(0, (-1, 3)).flatten(1)
        clips.append(layer.resample(layer.project(frames)))
    return torch.stack(clips) + layer.modality


def hear(audio: torch.nn.Module, features: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
    """Hidden states of features [B, F, mels] with mask [B, F], and how many of them each clip has."""
    if isinstance(audio, ParakeetEncoder):
        heard = audio(features, attention_mask=mask)
        return heard.last_hidden_state, heard.attention_mask.sum(1).tolist()
    return audio(features.transpose(1, 2)).last_hidden_state, ((mask.sum(1) + 1) // 2).tolist()


def make_parts(vision, audio, generator) -> dict[str, torch.nn.Module]:
    made = {
        "language_model": LlamaForCausalLM(LlamaConfig(**DEFAULTS | {"vocab_size": 514})),
        "vision_alignment": Alignment(vision.config.hidden_size, 4, IMAGE_ALIGNMENT["intermediate_size"]),
        "audio_alignment": Alignment(audio.config.hidden_size, 3, WIDTH, QUERIES),
    }
    for part in made.values():
        fill(part, generator)
    return {name: part.eval() for name, part in (made | {"vision_tower": vision, "audio_tower": audio}).items()}


def save_model(directory, parts, tokenizer, vision, audio) -> None:
    """Saves the encoders' tensors under the names of their own files, which differ from transformers' names in memory."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {name: part.state_dict() for name, part in parts.items()}
    decoder = tensors["language_model"]
    tensors["language_model"] = {key.removeprefix("model."): decoder[key] for key in decoder if key != "lm_head.weight"}
    tensors["vision_tower"] = load_file(vision / "model.safetensors")
    tensors["audio_tower"] = load_file(audio / "model.safetensors")
    named = {f"{part}.{name}": value.contiguous() for part, own in tensors.items() for name, value in own.items()}
    save_file(named, directory / "model.safetensors")
    config = {
        "model_type": "dualpath_multimodal",
        "dtype": "float32",
        "text_config": parts["language_model"].config.to_dict(),
        "vision_config": read_config(vision),
        "image_token_id": IMAGE_TOKEN,
        "vision_alignment": IMAGE_ALIGNMENT,
        "audio_config": read_config(audio),
        "audio_token_id": AUDIO_TOKEN,
        "audio_alignment": AUDIO_ALIGNMENT,
    }
    (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    save_tokenizer(tokenizer, directory)
    processors = {
        "image_processor": IMAGE_PROCESSOR.to_dict(),
        "feature_extractor": FEATURE_EXTRACTORS[audio.name].to_dict(),
    }
    (directory / "processor_config.json").write_text(json.dumps(processors, indent=1) + "\n", encoding="utf-8")


def read_config(directory) -> dict:
    return json.loads((directory / "config.json").read_text(encoding="utf-8"))


def make_texts(tokens: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    image, clip = [IMAGE_TOKEN] * 4, [AUDIO_TOKEN] * QUERIES
    rows = [tokens[:5] + image + tokens[5:9] + clip + tokens[9:20], tokens[20:24] + clip + image + tokens[24:30]]
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    return ids, torch.arange(ids.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]


def write_samples(out, texts: list[str]) -> list[dict]:
    """Texts with nothing, a picture, a clip, and both."""
    samples = []
    for i in range(8):
        words = " ".join(texts[i].split()[:25])
        sample = {"text": words}
        if i % 2:
            make_picture(60 + 9 * i, 100 - 7 * i).save(out / f"{i}.png")
            sample |= {"text": f"Seen: {IMAGE} " + sample["text"], "images": [f"{i}.png"]}
        if i % 4 > 1:
            time = torch.arange(8000 + 1600 * i) / 16000
            soundfile.write(out / f"{i}.wav", (0.3 * torch.sin(3000 * time * (1 + time))).numpy(), 16000, "FLOAT")
            sample |= {"text": f"Heard: {AUDIO} " + sample["text"], "audio": [f"{i}.wav"]}
        samples.append(sample)
    lines = "".join(json.dumps(sample) + "\n" for sample in samples)
    (out / "samples.jsonl").write_text(lines, encoding="utf-8")
    return samples


@torch.no_grad()
def sample_nll(parts, extractor, tokenizer, out, sample) -> torch.Tensor:
    counts = {IMAGE_TOKEN: 4, AUDIO_TOKEN: QUERIES}
    ids = [i for token in tokenizer.encode(sample["text"]).ids for i in [token] * counts.get(token, 1)] + [0]
    ids = torch.tensor([ids])
    embedded = parts["language_model"].get_input_embeddings()(ids)
    for name in sample.get("images", []):
        pixels = IMAGE_PROCESSOR(Image.open(out / name), return_tensors="pt")["pixel_values"]
        images = align_images(parts["vision_alignment"], parts["vision_tower"](pixels).last_hidden_state)
        embedded = embedded.masked_scatter((ids == IMAGE_TOKEN)[..., None], images)
    for name in sample.get("audio", []):
        clip, rate = soundfile.read(out / name, dtype="float32")
        batch = extractor([clip], sampling_rate=rate, return_tensors="pt", return_attention_mask=True)
        features = batch["input_features"]
        features = features.transpose(1, 2) if isinstance(extractor, WhisperFeatureExtractor) else features
        heard, real = hear(parts["audio_tower"], features, batch["attention_mask"].bool())
        audio = align_audio(parts["audio_alignment"], heard, real)
        embedded = embedded.masked_scatter((ids == AUDIO_TOKEN)[..., None], audio)
    logits = parts["language_model"](inputs_embeds=embedded).logits
    targets = ids[0, 1:]
    targets = targets.masked_fill((targets == IMAGE_TOKEN) | (targets == AUDIO_TOKEN), -100)
    return torch.nn.functional.cross_entropy(logits[0, :-1], targets)


@torch.no_grad()
def expected_values(parts, tokens, frames, generator) -> dict[str, torch.Tensor]:
    """frames: of every clip, where silence fills it up; else the longest's."""
    ids, mask = make_texts(tokens)
    pixels = torch.randn(2, 3, 64, 64, generator=generator)
    features_mask = torch.arange(frames) < torch.tensor(FRAMES)[:, None]
    features = torch.randn(2, frames, parts["audio_tower"].config.num_mel_bins, generator=generator)
    if isinstance(parts["audio_tower"], ParakeetEncoder):
        features *= features_mask[..., None]

    def run(attention):
        for name in ("language_model", "vision_tower", "audio_tower"):
            parts[name].set_attn_implementation(attention)
        images = align_images(parts["vision_alignment"], parts["vision_tower"](pixels).last_hidden_state)
        heard, real = hear(parts["audio_tower"], features, features_mask)
        audio = align_audio(parts["audio_alignment"], heard, real)
        decoder = parts["language_model"]
        embedded = decoder.get_input_embeddings()(ids)
        embedded = embedded.masked_scatter((ids == IMAGE_TOKEN)[..., None], images)
        embedded = embedded.masked_scatter((ids == AUDIO_TOKEN)[..., None], audio)
        return images, audio, decoder(inputs_embeds=embedded, attention_mask=mask.long(), use_cache=False).logits

    (images, audio, eager), (_, _, sdpa) = run("eager"), run("sdpa")
    return {
        "ids": ids,
        "mask": mask,
        "pixels": pixels,
        "features": features,
        "features_mask": features_mask,
        "aligned_images": images,
        "aligned_audio": audio,
        "logits": eager,
        "attention_difference": (eager - sdpa).abs()[mask].max().reshape(1),
    }


def main() -> None:
    arguments = parse_arguments(
        __doc__,
        "folder for the model's directory and expected values",
        vit="what vit.py made",
        conformer="and conformer.py",
        whisper="and whisper.py",
    )
    generator = torch.Generator().manual_seed(SEED)
    texts = read_texts(arguments.assets / HANDBOOK_NAME)
    tokenizer = train_tokenizer(texts)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in (IMAGE, AUDIO)])
    assert [tokenizer.token_to_id(token) for token in (IMAGE, AUDIO)] == [IMAGE_TOKEN, AUDIO_TOKEN]
    tokens = tokenizer.encode(max(texts, key=len)[:500]).ids
    arguments.out.mkdir(parents=True, exist_ok=True)
    samples = write_samples(arguments.out, texts)
    vit, parakeet = arguments.vit / "huggingface", arguments.conformer / "parakeet"
    dinov2, whisper = arguments.vit / "dinov2", arguments.whisper / "generation"

    def make(name, vision, audio, extractor, frames):
        parts = make_parts(vision, audio, generator)
        expected = expected_values(parts, tokens, frames, generator)
        expected["sample_nll"] = torch.stack(
            [sample_nll(parts, extractor, tokenizer, arguments.out, sample) for sample in samples]
        )
        assert expected["logits"].std(-1).min() > 0.3, f"{name}: the logits are nearly alike"
        save(arguments.out / f"{name}.safetensors", expected, __file__, text=HANDBOOK_NAME, seed=SEED)
        return parts

    vision = ViTModel.from_pretrained(vit, add_pooling_layer=False)
    audio = ParakeetEncoder.from_pretrained(parakeet)
    parts = make("model", vision, audio, FEATURE_EXTRACTORS["parakeet"], max(FRAMES))
    save_model(arguments.out / "model", parts, tokenizer, vit, parakeet)
    save_model(arguments.out / "torchaudio", parts, tokenizer, vit, arguments.conformer / "torchaudio")

    audio = WhisperForConditionalGeneration.from_pretrained(whisper).get_encoder()
    frames = 2 * audio.config.max_source_positions
    parts = make("others", Dinov2Model.from_pretrained(dinov2), audio, FEATURE_EXTRACTORS["generation"], frames)
    save_model(arguments.out / "others", parts, tokenizer, dinov2, whisper)


if __name__ == "__main__":
    main()
