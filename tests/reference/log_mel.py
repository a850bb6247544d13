"""Log-mel features of synthetic clips, by transformers' and torchaudio's front ends.

Makes in --out (a .safetensors file): clip.0, clip.1, clip.2 [L] float32, 16 kHz, of different lengths: a rising tone over noise,
which begins and ends in silence. Then
  parakeet, parakeet_128           [3, T, mels] float32: ParakeetFeatureExtractor on the batch, its defaults; 128 bands, no preemphasis
  parakeet_mask                    [3, T] bool; the last frame is real in none
  whisper, whisper_128             [3, T, mels] float32: WhisperFeatureExtractor on the batch, its defaults; 128 bands, 10 s
  whisper_mask                     [3, T] bool; T is 3000, for the defaults
  torchaudio.0, …, torchaudio.2    [T, 64] float32: log(MelSpectrogram + 2^-24) of a clip, n_fft 512, window 400, hop 160
  torchaudio_slaney.0, …           [T, 80] float32: Slaney's scale and norm, n_fft 400, hop 200
Checked here: the bands tell clips apart.
"""

import math

import torch
import torchaudio
from common import parse_arguments, save
from transformers import ParakeetFeatureExtractor, WhisperFeatureExtractor

RATE = 16000
SEED = 20
LENGTHS = (24000, 16123, 9999)
LOG_ZERO_GUARD = 2**-24

PARAKEET = {"parakeet": {}, "parakeet_128": {"feature_size": 128, "preemphasis": None}}
WHISPER = {"whisper": {}, "whisper_128": {"feature_size": 128, "chunk_length": 10}}
TORCHAUDIO = {
    "torchaudio": {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 64},
    "torchaudio_slaney": {"n_fft": 400, "hop_length": 200, "n_mels": 80, "mel_scale": "slaney", "norm": "slaney"},
}


def make_clip(index: int, length: int, generator: torch.Generator) -> torch.Tensor:
    time = torch.arange(length, dtype=torch.float64) / RATE
    tone = torch.sin(2 * math.pi * (200.0 + 900.0 * (index + 1) * time) * time)
    clip = 0.3 * tone + 0.02 * torch.randn(length, generator=generator)
    clip[:800] = clip[-400:] = 0.0
    return clip.to(torch.float32)


def by_transformers(clips: list[torch.Tensor], options: dict) -> tuple[torch.Tensor, torch.Tensor]:
    extractor = ParakeetFeatureExtractor(**options)
    batch = extractor([clip.numpy() for clip in clips], sampling_rate=RATE, return_tensors="pt")
    return batch["input_features"], batch["attention_mask"]


def by_whisper(clips: list[torch.Tensor], options: dict) -> tuple[torch.Tensor, torch.Tensor]:
    extractor = WhisperFeatureExtractor(**options)
    samples = [clip.numpy() for clip in clips]
    batch = extractor(samples, sampling_rate=RATE, return_tensors="pt", return_attention_mask=True)
    return batch["input_features"].transpose(1, 2), batch["attention_mask"].bool()


def by_torchaudio(clip: torch.Tensor, options: dict) -> torch.Tensor:
    bands = torchaudio.transforms.MelSpectrogram(sample_rate=RATE, **options)(clip)
    return torch.log(bands + LOG_ZERO_GUARD).T


def main() -> None:
    arguments = parse_arguments(__doc__, "the .safetensors file")
    generator = torch.Generator().manual_seed(SEED)
    clips = [make_clip(index, length, generator) for index, length in enumerate(LENGTHS)]
    tensors = {f"clip.{index}": clip for index, clip in enumerate(clips)}
    for name, options in PARAKEET.items():
        tensors[name], tensors["parakeet_mask"] = by_transformers(clips, options)
    for name, options in WHISPER.items():
        tensors[name], mask = by_whisper(clips, options)
        if not options:
            tensors["whisper_mask"] = mask
    for name, options in TORCHAUDIO.items():
        tensors |= {f"{name}.{index}": by_torchaudio(clip, options) for index, clip in enumerate(clips)}
    assert not tensors["parakeet_mask"][:, -1].any()
    assert (tensors["torchaudio.0"][:62] - tensors["torchaudio.1"][:62]).abs().mean() > 0.5, "the clips are nearly alike"
    save(arguments.out, tensors, __file__, seed=SEED)


if __name__ == "__main__":
    main()
