"""GLM-4-9B in transformers' description, without weights, for testing a plan from config.json alone.

Makes in --out: config.json, of Glm4Config's own values (those of GLM-4-9B), with weights in bfloat16; parameters.json, the shape
of every parameter by name, of a model on the meta device.
"""

import json

import torch
from common import parse_arguments
from transformers import AutoConfig, AutoModelForCausalLM


def main() -> None:
    arguments = parse_arguments(__doc__, "folder for config.json and parameters.json")
    config = AutoConfig.for_model("glm4", architectures=["Glm4ForCausalLM"], dtype="bfloat16")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    config.save_pretrained(arguments.out)
    shapes = {name: list(parameter.shape) for name, parameter in model.named_parameters()}
    (arguments.out / "parameters.json").write_text(json.dumps(shapes), encoding="utf-8")


if __name__ == "__main__":
    main()
