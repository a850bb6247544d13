"""One optimizer step of a peer on an encoder with random weights, timed: bfloat16, AdamW on all of them.

  tower_step.py TOWER PEER      TOWER: vit (timm's, cross-entropy), conformer (torchaudio's, mean square) or whisper (transformers',
                                mean square); PEER: fine_tune, torchao

Answers lines "BATCH SIZE" (pixels a side, or frames), see peer.serve. torchao quantizes every torch.nn.Linear.
"""

import sys

import torch
from peer import serve, with_torchao

WIDTH = 512


def make_vit():
    import timm

    return timm.create_model("vit_base_patch16_224"), "head"


def make_conformer():
    import torchaudio

    sizes = {"num_heads": 8, "ffn_dim": 4 * WIDTH, "num_layers": 17, "depthwise_conv_kernel_size": 31}
    return torchaudio.models.Conformer(input_dim=WIDTH, **sizes), None


def make_whisper():
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    return WhisperEncoder(WhisperConfig()), None


def vit_loss(model, batch: int, size: int) -> torch.Tensor:
    pixels = torch.randn(batch, 3, size, size, dtype=torch.bfloat16)
    return torch.nn.functional.cross_entropy(model(pixels).float(), torch.randint(1000, (batch,)))


def conformer_loss(model, batch: int, size: int) -> torch.Tensor:
    features = torch.randn(batch, size, WIDTH, dtype=torch.bfloat16)
    return model(features, torch.full((batch,), size))[0].float().square().mean()


def whisper_loss(model, batch: int, size: int) -> torch.Tensor:
    features = torch.randn(batch, model.config.num_mel_bins, size, dtype=torch.bfloat16)
    return model(features).last_hidden_state.float().square().mean()


TOWERS = {
    "vit": (make_vit, vit_loss),
    "conformer": (make_conformer, conformer_loss),
    "whisper": (make_whisper, whisper_loss),
}


def main() -> None:
    tower, peer = sys.argv[1:]
    make, loss_of = TOWERS[tower]
    model, head = make()
    model = model.bfloat16().train()
    if peer == "torchao":
        with_torchao(model, lambda name: name != head)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, foreach=True)

    def step(batch: int, size: int) -> None:
        loss_of(model, batch, size).backward()
        optimizer.step()
        optimizer.zero_grad()

    serve(step)


if __name__ == "__main__":
    main()
