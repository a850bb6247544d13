"""eSpeak NG's voices, by its library in a wheel."""

from __future__ import annotations

import ctypes
import shutil
import tempfile
from typing import TYPE_CHECKING

from multimodal.packages import PackageStore

if TYPE_CHECKING:
    import numpy as np

SYNCHRONOUS, POSITION_CHARACTER, CHARS_UTF8, RATE_PARAMETER = 2, 1, 1, 1


class Speaker:
    """Speaks texts; the same ones in the same order sound the same to the bit."""

    def __init__(self, store: PackageStore) -> None:
        folder = store("espeakng-loader") / "espeakng_loader"
        # What is said depends on all that was said before: a copy of the library is a fresh one.
        with tempfile.TemporaryDirectory() as place:
            self.library = ctypes.CDLL(shutil.copy(folder / "libespeak-ng.so", place))
        self.rate = self.library.espeak_Initialize(SYNCHRONOUS, 500, str(folder).encode(), 0)
        if self.rate <= 0:
            raise OSError("eSpeak NG does not start")
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        ctypes.CDLL(None).srand(1)
        self.blocks: list[bytes] = []
        signature = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)

        def take(samples: ctypes._Pointer, count: int, events: int) -> int:
            if samples and count:
                self.blocks.append(ctypes.string_at(samples, 2 * count))
            return 0

        self.callback = signature(take)
        self.library.espeak_SetSynthCallback(self.callback)

    def speak(self, voice: str, text: str, words_a_minute: int = 160) -> np.ndarray:
        """Samples in [-1, 1] at self.rate."""
        import numpy as np

        self.blocks.clear()
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise OSError(f"eSpeak NG has no voice {voice}")
        self.library.espeak_SetParameter(RATE_PARAMETER, words_a_minute, 0)
        spoken = text.encode() + b"\0"
        self.library.espeak_Synth(spoken, len(spoken), 0, POSITION_CHARACTER, 0, CHARS_UTF8, None, None)
        self.library.espeak_Synchronize()
        return np.frombuffer(b"".join(self.blocks), dtype=np.int16).astype(np.float64) / 32768.0
