"""Clips: decoded and written as FLAC by FFmpeg's libraries, resampled and mixed by numpy."""

from __future__ import annotations

import wave
from functools import cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

RATE = 16000  # Hz
SHORTEST, LONGEST = 0.25, 20.0  # seconds
PHASES = 1024  # of a resampling filter, between two samples
WRITE_DOWN = "Write down what is said."


def decode(file: Path, form: str | None = None) -> tuple[np.ndarray, int]:
    """Mono samples in [-1, 1] and their rate. form: FFmpeg's name of a format without a header."""
    import av
    import numpy as np

    blocks = []
    with av.open(str(file), format=form) as container:
        stream = container.streams.audio[0]
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        rate = stream.codec_context.sample_rate
        for frame in container.decode(stream):
            block = frame.to_ndarray()
            whole = block.dtype.kind == "i"
            channels = len(frame.layout.channels)
            values = block.astype(np.float64) / (np.iinfo(block.dtype).max + 1.0 if whole else 1.0)
            by_channel = values if frame.format.is_planar else values.reshape(-1, channels).T
            blocks.append(by_channel.mean(axis=0))
    return np.concatenate(blocks) if blocks else np.zeros(0), rate


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> float:
    """Writes 16-bit FLAC; returns its seconds."""
    import av
    import numpy as np

    codes = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    with av.open(str(path), "w", format="flac", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("flac", rate=rate, layout="mono")
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        frame = av.AudioFrame.from_ndarray(codes.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return len(codes) / rate


def seconds_of_wave(file: Path) -> float:
    with wave.open(str(file)) as opened:
        return opened.getnframes() / opened.getframerate()


def seconds_of_vorbis(file: Path) -> float:
    """By the last page's granule position and the rate in the first packet."""
    content = file.read_bytes()
    rate = int.from_bytes(content[40:44], "little")
    last = content.rfind(b"OggS")
    return int.from_bytes(content[last + 6 : last + 14], "little") / rate


def resample(samples: np.ndarray, rate: int, wanted: int, speed: float = 1.0) -> np.ndarray:
    """By a windowed sinc of 16 zeros a side, cut below the lower of both Nyquist frequencies, in float64."""
    import numpy as np

    ratio = rate * speed / wanted
    if ratio == 1.0:
        return samples
    table = filter_table(0.95 * min(1.0, 1.0 / ratio))
    half = table.shape[0] // 2
    places = np.arange(int(len(samples) / ratio)) * ratio
    first = places.astype(np.int64)
    phases = ((places - first) * PHASES).astype(np.int64)
    padded = np.concatenate([np.zeros(half), samples, np.zeros(half + 1)])
    result = np.zeros(len(places))
    for tap in range(2 * half):
        result += padded[first + tap + 1] * table[tap][phases]
    return result


@cache
def filter_table(cut: float) -> np.ndarray:
    """[taps, PHASES]: the filter's values for places between two samples."""
    import numpy as np

    half = ceil(16 / cut)
    distance = np.arange(PHASES) / PHASES - np.arange(1 - half, half + 1)[:, None]
    window = 0.5 + 0.5 * np.cos(np.pi * np.clip(distance / half, -1.0, 1.0))
    return cut * np.sinc(distance * cut) * window


def trimmed(samples: np.ndarray, rate: int) -> np.ndarray:
    """Without the silence before and behind: blocks of 10 ms more than 40 dB below the loudest."""
    import numpy as np

    size = rate // 100
    blocks = samples[: len(samples) // size * size].reshape(-1, size)
    if len(blocks) == 0:
        return samples[:0]
    power = (blocks**2).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 1e-4)
    return samples[max(0, loud[0] - 3) * size : (loud[-1] + 4) * size] if power.max() > 0 else samples[:0]


def levelled(samples: np.ndarray, level: float = 0.08) -> np.ndarray:
    """With this root mean square, unless its peaks would clip."""
    import numpy as np

    loudness = float(np.sqrt((samples**2).mean())) or 1.0
    return samples * min(level / loudness, 0.99 / max(1e-9, float(np.abs(samples).max())))


def noisy(samples: np.ndarray, decibels: float, seed: int) -> np.ndarray:
    """With pink noise so far below the clip's mean power; seed: of numpy's PCG64."""
    import numpy as np

    white = np.random.Generator(np.random.PCG64(seed)).standard_normal(len(samples))
    spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(1, np.arange(len(samples) // 2 + 1)))
    noise = np.fft.irfft(spectrum, len(samples))
    gain = np.sqrt((samples**2).mean() / (noise**2).mean() / 10 ** (decibels / 10))
    mixed = samples + gain * noise
    return mixed * min(1.0, 0.99 / float(np.abs(mixed).max()))


def is_usable(seconds: float) -> bool:
    return SHORTEST <= seconds <= LONGEST

