"""Makes logits.safetensors: what PyTorch and PEFT compute with the adapter beside this file, which pdsweep has written.

    python make.py        (with torch 2.15, safetensors and peft)

The adapter holds the LoRA of the case edit-lora-grouped-r2-all; PEFTAdapterTests sees that pdsweep writes these very
bytes. The model is the one of ../models/grouped, in modules whose names are the published checkpoints', as PEFT wants
them. Everything is computed in float64.
"""

import json
import math
import pathlib
import sys

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import nn

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))
import make  # noqa: E402  (the formulas of the reference numbers)


class Norm(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(config["n_embd"]))
        self.epsilon = config["rms_norm_eps"]

    def forward(self, x):
        return make.rms_norm(x, self.weight, self.epsilon)


class Attention(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.config = config
        for kind in ["q_proj", "k_proj", "v_proj", "o_proj"]:
            d_out, d_in = make.shape(config, f"h.{layer}.attn.{kind}")
            setattr(self, kind, nn.Linear(d_in, d_out, bias=False))

    def forward(self, x):
        batch, length, width = x.shape
        config, d = self.config, width // self.config["n_head"]

        def heads(product):
            return product.view(batch, length, -1, d).transpose(1, 2)

        query, key = make.rotate(heads(self.q_proj(x)), config), make.rotate(heads(self.k_proj(x)), config)
        owner = torch.arange(config["n_head"]) // (config["n_head"] // config["n_key_value_heads"])
        scores = query @ key[:, owner].transpose(-1, -2) / math.sqrt(d)
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        mixed = torch.softmax(scores.masked_fill(future, -math.inf), -1) @ heads(self.v_proj(x))[:, owner]
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, width))


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config["n_embd"], config["n_intermediate"], bias=False)
        self.down_proj = nn.Linear(config["n_intermediate"], config["n_embd"], bias=False)

    def forward(self, x):
        return self.down_proj(make.gelu(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, config, layer):
        super().__init__()
        self.rms_1, self.attn = Norm(config), Attention(config, layer)
        self.rms_2, self.mlp = Norm(config), MLP(config)

    def forward(self, x):
        x = x + self.attn(self.rms_1(x))
        return x + self.mlp(self.rms_2(x))


class LlamaSimpleMLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte = nn.Embedding(config["vocab_size"], config["n_embd"])
        self.h = nn.ModuleList(Block(config, layer) for layer in range(config["n_layer"]))
        self.ln_f = Norm(config)

    def forward(self, ids):
        x = self.wte(ids)
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T


def main():
    config = make.MODELS["grouped"]
    weights = load_file(FOLDER.parent / "models/grouped/model.safetensors")
    weights.pop("lm_head.weight", None)
    model = LlamaSimpleMLP(config)
    model.load_state_dict(weights)
    model.double()
    case = json.loads((FOLDER.parent / "edit_lora/edit-lora-grouped-r2-all.json").read_text())
    ids = torch.tensor(case["input_ids"])
    with torch.no_grad():
        base = model(ids)
        formulas, _ = make.run({name: part.double() for name, part in weights.items()}, config, ids)
        assert (base - formulas).abs().max() < 1e-12, "the modules compute something else than the formulas"
        edited = PeftModel.from_pretrained(model, FOLDER / "adapter").double()(ids)
    assert (edited - base).abs().max() > 0.1, "the adapter changes nothing"
    truth = load_file(FOLDER.parent / "edit_lora/edit-lora-grouped-r2-all.safetensors")["logits"]
    print(f"PEFT and the formulas differ by {(edited - truth).abs().max():.3g}")
    save_file({"logits": edited.contiguous()}, FOLDER / "logits.safetensors")


if __name__ == "__main__":
    main()
