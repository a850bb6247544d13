"""A small random Glm4vForConditionalGeneration, pictures of odd sizes through its image processor, and what it makes of them.

Makes in --out: the directory tiny/ (config, weights, tokenizer, preprocessor_config.json) and tiny.safetensors:
  ids, mask                   [2, T] int64 and bool  two texts, the second with two pictures, padded on the right
  patches.<i>, grid           [N, 1176] float32, [3, 2] int64  of the pictures in order: rows and columns of patches
  positions                   [3, 2, T] int64  transformers' own, at real tokens
  features                    [M, H] float32  what the vision tower makes of all pictures
  logits                      [2, T, V] float32, by eager attention
  attention_difference        [1] the largest difference to those of fused attention at real tokens
  prompt, greedy              [P], [32] int64  a text with one picture (the first), continued past any end of text
  sample_nll                  [8] float32  of each line of samples.jsonl, beside which its pictures are: the mean over its words and
                              the end of text
  sample_greedy               [32] int64  behind the second of them, continued past any end of text
and 9b/: config.json of transformers' own default values, which are GLM-4.1V-9B's but for what ROTATION_9B says, with weights in
bfloat16, without weights, and parameters.json, the shape of every parameter by name.
"""

import json

import torch
from common import HANDBOOK_NAME, parse_arguments, read_texts, save
from PIL import Image
from pictures import make_picture
from tiny import DEFAULTS, SEED, fill, save_tokenizer, train_tokenizer
from tokenizers import AddedToken
from transformers import Glm4vConfig, Glm4vForConditionalGeneration, Glm4vImageProcessor

SIZES = [(150, 90), (57, 200), (84, 84)]  # width, height
IMAGE, IMAGE_TOKEN = "<|image|>", 512
SAMPLE_SIZES = [[(120, 60)], [(84, 150)], [(70, 70), (30, 100)], [(200, 56)]]
STEPS = 32
TEXT = DEFAULTS | {
    "vocab_size": 514,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 50000.0,
        "partial_rotary_factor": 0.5,
        "mrope_section": [1, 1, 2],
    },
    "tie_word_embeddings": False,
}
# The default sections are 32 pairs, half of a head's, as in GLM-4-9B; transformers' default rotates it all and cannot run.
ROTATION_9B = {
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "partial_rotary_factor": 0.5,
        "mrope_section": [8, 12, 12],
    },
    "max_position_embeddings": 65536,
}
VISION = {
    "depth": 2,
    "hidden_size": 48,
    "num_heads": 3,
    "image_size": 70,
    "out_hidden_size": 64,
    "intermediate_size": 96,
    "attention_bias": True,
}


def with_pictures(tokens: list[int], grids: list[list[int]]) -> list[int]:
    """Puts a few words before, between and behind the pictures, with a token a merged square."""
    ids, words = [], iter(range(0, len(tokens), 7))
    for rows, columns in grids:
        start = next(words)
        ids += tokens[start : start + 7] + [IMAGE_TOKEN] * (rows * columns // 4)
    return ids + tokens[next(words) :]


def padded(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    return ids, torch.arange(ids.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]


@torch.no_grad()
def greedy(model, ids, pixels, grid) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns tokens, past any end of text, and each token's logit less the runner-up's."""
    tokens, margins = [], []
    inputs = {"pixel_values": pixels, "image_grid_thw": grid, "mm_token_type_ids": (ids == IMAGE_TOKEN).int()}
    cache = None
    for _ in range(STEPS):
        output = model(input_ids=ids, past_key_values=cache, use_cache=True, **inputs)
        best, runner_up = output.logits[0, -1].topk(2).values
        margins.append(best - runner_up)
        ids, cache, inputs = output.logits[:, -1:].argmax(-1), output.past_key_values, {}
        tokens.append(ids.item())
    return torch.tensor(tokens), torch.stack(margins)


@torch.no_grad()
def expected_values(model, processed, tokens) -> dict[str, torch.Tensor]:
    pixels, thw = processed["pixel_values"], processed["image_grid_thw"]
    grid = thw[:, 1:]
    counts = thw.prod(-1).tolist()
    texts = [with_pictures(tokens[:40], grid[:1].tolist()), with_pictures(tokens[40:72], grid[1:].tolist())]
    ids, mask = padded(texts)
    inputs = {
        "input_ids": ids,
        "attention_mask": mask.long(),
        "pixel_values": pixels,
        "image_grid_thw": thw,
        "mm_token_type_ids": (ids == IMAGE_TOKEN).int(),
    }

    def logits(attention):
        model.set_attn_implementation(attention)
        return model(**inputs, use_cache=False).logits

    eager, sdpa = logits("eager"), logits("sdpa")
    positions, _ = model.model.get_rope_index(
        ids, mm_token_type_ids=inputs["mm_token_type_ids"], image_grid_thw=thw, attention_mask=inputs["attention_mask"]
    )
    prompt = torch.tensor([texts[0]])
    tokens_made, margins = greedy(model, prompt, pixels[: counts[0]], thw[:1])
    difference = (eager - sdpa).abs()[mask].max().reshape(1)
    assert margins.min() > 10 * difference, "a near tie: no reference for greedy tokens"
    assert len(set(tokens_made.tolist())) > 8, "the greedy tokens repeat themselves"
    blind = model(input_ids=ids[:1], attention_mask=inputs["attention_mask"][:1]).logits
    assert (blind - eager[:1])[0, mask[0]].abs().max() > 0.1, "the pictures tell nothing"
    return {
        "ids": ids,
        "mask": mask,
        "grid": grid,
        **{f"patches.{i}": part for i, part in enumerate(pixels.split(counts))},
        "positions": positions * mask,
        "features": torch.cat(model.model.get_image_features(pixels, thw).pooler_output),
        "logits": eager,
        "attention_difference": difference,
        "prompt": prompt[0],
        "greedy": tokens_made,
    }


def write_samples(out, texts: list[str]) -> list[dict]:
    """Texts with no, one and two pictures."""
    samples = []
    for i in range(8):
        sizes = SAMPLE_SIZES[i // 2] if i % 2 else []
        words = " ".join(texts[i].split()[:25])
        names = [f"{i}-{j}.png" for j in range(len(sizes))]
        for name, size in zip(names, sizes):
            make_picture(*size).save(out / name)
        samples.append({"text": f"What is this? {IMAGE} " * len(names) + words, "images": names})
    lines = "".join(json.dumps(sample) + "\n" for sample in samples)
    (out / "samples.jsonl").write_text(lines, encoding="utf-8")
    return samples


def inputs_of(tokenizer, processor, out, sample) -> tuple[torch.Tensor, dict]:
    """The ids [1, T] of a line, without an end of text, and its pictures as the model's input."""
    inputs, grids = {}, []
    if sample["images"]:
        inputs = dict(processor([Image.open(out / name) for name in sample["images"]], return_tensors="pt"))
        grids = inputs["image_grid_thw"].prod(-1).tolist()
    ids, counts = [], iter(grids)
    for token in tokenizer.encode(sample["text"]).ids:
        ids += [token] * (next(counts) // 4 if token == IMAGE_TOKEN else 1)
    return torch.tensor([ids]), inputs


@torch.no_grad()
def sample_nll(model, tokenizer, processor, out, sample) -> torch.Tensor:
    ids, inputs = inputs_of(tokenizer, processor, out, sample)
    ids = torch.nn.functional.pad(ids, (0, 1), value=DEFAULTS["eos_token_id"])
    logits = model(input_ids=ids, mm_token_type_ids=(ids == IMAGE_TOKEN).int(), **inputs).logits
    targets = ids[0, 1:].masked_fill(ids[0, 1:] == IMAGE_TOKEN, -100)
    return torch.nn.functional.cross_entropy(logits[0, :-1], targets)


def make_9b(directory) -> None:
    config = Glm4vConfig(
        text_config=ROTATION_9B, architectures=["Glm4vForConditionalGeneration"], dtype="bfloat16"
    )
    with torch.device("meta"):
        model = Glm4vForConditionalGeneration(config)
    config.save_pretrained(directory)
    shapes = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    (directory / "parameters.json").write_text(json.dumps(shapes), encoding="utf-8")


def main() -> None:
    arguments = parse_arguments(__doc__, "folder for the directories and expected values")
    texts = read_texts(arguments.assets / HANDBOOK_NAME)
    tokenizer = train_tokenizer(texts)
    tokenizer.add_special_tokens([AddedToken(IMAGE, special=True, normalized=False)])
    assert tokenizer.token_to_id(IMAGE) == IMAGE_TOKEN
    directory = arguments.out / "tiny"
    config = Glm4vConfig(
        text_config=TEXT, vision_config=VISION, image_token_id=IMAGE_TOKEN, tie_word_embeddings=False
    )
    model = Glm4vForConditionalGeneration(config)
    fill(model, torch.Generator().manual_seed(SEED))
    model.save_pretrained(directory)
    save_tokenizer(tokenizer, directory)
    processor = Glm4vImageProcessor(size={"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 40})
    processor.save_pretrained(directory)
    processed = processor([make_picture(*size) for size in SIZES], return_tensors="pt")
    tokens = tokenizer.encode(max(texts, key=len)[:2_000]).ids
    loaded = Glm4vForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()
    expected = expected_values(loaded, processed, tokens)
    samples = write_samples(arguments.out, texts)
    nll = [sample_nll(loaded, tokenizer, processor, arguments.out, sample) for sample in samples]
    expected["sample_nll"] = torch.stack(nll)
    ids, inputs = inputs_of(tokenizer, processor, arguments.out, samples[1])
    expected["sample_greedy"], margins = greedy(loaded, ids, inputs["pixel_values"], inputs["image_grid_thw"])
    assert margins.min() > 10 * expected["attention_difference"], "a near tie: no reference for greedy tokens"
    assert expected["logits"].std(-1).min() > 0.3, "the logits are nearly alike"
    save(arguments.out / "tiny.safetensors", expected, __file__, text=HANDBOOK_NAME, seed=SEED)
    make_9b(arguments.out / "9b")


if __name__ == "__main__":
    main()
