"""Audio as files of every kind that we read, and the samples that soundfile and torchaudio read from them.

Makes --out, a folder:
  pcm16.wav pcm24.wav float.wav stereo.wav extensible.wav rf64.wav    16 kHz
  mono.flac stereo.flac vorbis.ogg opus.ogg                           16 kHz
  chirp.wav             44.1 kHz, nothing near 8 kHz
  streamed.flac         mono.flac, whose header does not say how long it is
  hour.flac             an hour of silence
  hour_streamed.flac    hour.flac, whose header does not say how long it is
  expected.safetensors
    <file>              [L] float32 by soundfile, channels averaged; chirp.wav at 16 kHz by torchaudio
Checked here: torchaudio's chirp is the one that we asked for, at 16 kHz.
"""

import math
from pathlib import Path

import numpy
import soundfile
import torch
import torchaudio
from common import parse_arguments, save

SEED = 43
RATE = 16000
SAMPLES = 12345
FILES = {  # name: channels, subtype, format
    "pcm16.wav": (1, "PCM_16", "WAV"),
    "pcm24.wav": (1, "PCM_24", "WAV"),
    "float.wav": (1, "FLOAT", "WAV"),
    "stereo.wav": (2, "PCM_16", "WAV"),
    "extensible.wav": (3, "PCM_16", "WAVEX"),
    "rf64.wav": (1, "PCM_16", "RF64"),
    "mono.flac": (1, "PCM_16", "FLAC"),
    "stereo.flac": (2, "PCM_24", "FLAC"),
    "vorbis.ogg": (2, "VORBIS", "OGG"),
    "opus.ogg": (1, "OPUS", "OGG"),
}
CHIRP_RATE, CHIRP_SECONDS = 44100, 1
# torchaudio's kaiser_best: a wide filter, flat to 0.9 of the band.
BEST = {
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "resampling_method": "sinc_interp_kaiser",
    "beta": 14.769656459379492,
}


def make_clip(channels: int) -> numpy.ndarray:
    """Makes a tone for each channel, and noise. Returns [SAMPLES, channels]."""
    time = numpy.arange(SAMPLES)[:, None] / RATE
    tones = numpy.sin(2 * numpy.pi * 300 * (1 + numpy.arange(channels)) * time)
    return 0.3 * tones + numpy.random.default_rng(SEED).normal(scale=0.05, size=(SAMPLES, channels))


def chirp(rate: int) -> numpy.ndarray:
    """A rising tone from 100 to 4100 Hz. Returns [rate * CHIRP_SECONDS]."""
    time = numpy.arange(rate * CHIRP_SECONDS) / rate
    return 0.5 * numpy.sin(2 * math.pi * (100 + 2000 * time / CHIRP_SECONDS) * time)


def without_length(flac: bytes) -> bytes:
    """Zeroes STREAMINFO's 36 bits of the number of samples: unknown, as from encoders that write to a pipe."""
    return flac[:21] + bytes([flac[21] & 0xF0, 0, 0, 0, 0]) + flac[26:]


def make_files(out: Path) -> None:
    for name, (channels, subtype, kind) in FILES.items():
        soundfile.write(out / name, make_clip(channels), RATE, subtype=subtype, format=kind)
    soundfile.write(out / "chirp.wav", chirp(CHIRP_RATE), CHIRP_RATE, subtype="FLOAT")
    soundfile.write(out / "hour.flac", numpy.zeros(3600 * 8000, numpy.int16), 8000)
    (out / "streamed.flac").write_bytes(without_length((out / "mono.flac").read_bytes()))
    (out / "hour_streamed.flac").write_bytes(without_length((out / "hour.flac").read_bytes()))


def read(path: Path) -> torch.Tensor:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE, (path, rate)
    return torch.from_numpy(samples).double().mean(1).float()


def resampled_chirp() -> torch.Tensor:
    samples = torch.from_numpy(chirp(CHIRP_RATE)).float().double()
    resampled = torchaudio.functional.resample(samples, CHIRP_RATE, RATE, **BEST).float()
    inside = slice(RATE // 20, -RATE // 20)
    error = resampled.numpy()[inside] - chirp(RATE)[inside]
    assert numpy.abs(error).max() < 1e-4, "torchaudio's chirp is another"
    return resampled


def main() -> None:
    arguments = parse_arguments(__doc__, "folder to write")
    arguments.out.mkdir(parents=True, exist_ok=True)
    make_files(arguments.out)
    tensors = {name: read(arguments.out / name) for name in FILES}
    tensors["chirp.wav"] = resampled_chirp()
    save(arguments.out / "expected.safetensors", tensors, __file__, seed=SEED)


if __name__ == "__main__":
    main()
