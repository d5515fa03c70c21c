"""Writes the other files of this folder with PyTorch: checkpoints as torch.save leaves them, and what they hold.

    python make.py

- model.pt, decomposition.pth: a tiny model and a decomposition of all its matrices in the layout of the published ones:
  the model wrapped and compiled, the subcomponents beside the model and a network of causal importances.
- subcomponents.safetensors: the decomposition's factors under their plain names.
- model.safetensors, model_config.yaml: the same model as a model folder holds it.
- views-N.pth: tensors of all kinds in pickle protocol N, and views.safetensors: what they hold, as F32.
- legacy.pth: the form before PyTorch 1.6. hostile.pth: a file that runs a command when it is unpickled.
"""

import json
import os
import struct
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).parent
LAYERS, WIDTH, HEADS, INNER, VOCABULARY = 2, 8, 2, 12, 257
COUNTS = {"attn.q_proj": 3, "attn.k_proj": 5, "attn.v_proj": 8, "attn.o_proj": 9, "mlp.c_fc": 14, "mlp.down_proj": 6}


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(1 + torch.randn(WIDTH) / 10)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(4))


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_fc = nn.Linear(WIDTH, INNER, bias=False)
        self.down_proj = nn.Linear(INNER, WIDTH, bias=False)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.rms_1, self.attn, self.rms_2, self.mlp = Norm(), Attention(), Norm(), MLP()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(VOCABULARY, WIDTH)
        self.h = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = Norm()
        self.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.lm_head.weight = self.wte.weight


class Components(nn.Module):
    def __init__(self, weight, count):
        super().__init__()
        # Half of the matrix, so that how near they come to it is a number that can be told beforehand.
        left, values, right = torch.linalg.svd(weight.detach() / 2, full_matrices=False)
        self.V = nn.Parameter(torch.zeros(weight.shape[1], count))
        self.U = nn.Parameter(torch.zeros(count, weight.shape[0]))
        rank = min(count, len(values))
        with torch.no_grad():
            self.V[:, :rank] = right[:rank].T * values[:rank]
            self.U[:rank] = left[:, :rank].T


class Decomposed(nn.Module):
    def __init__(self, target):
        super().__init__()
        self.target_model = target
        names = [f"h.{layer}.{name}" for layer in range(LAYERS) for name in COUNTS]
        self._components = nn.ModuleDict({
            name.replace(".", "-"): Components(target.get_submodule(name).weight, COUNTS[name[4:]]) for name in names
        })
        self.ci_fn = nn.ModuleDict({"_global_ci_fn": nn.Sequential(nn.Linear(WIDTH, 4), nn.BatchNorm1d(4))})


def save_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in sorted(tensors.items()):
        numbers = tensor.detach().to(torch.float32).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(numbers)]}
        data += numbers
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Hostile:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def main():
    torch.manual_seed(8)
    model = Model()
    weights = model.state_dict()
    save_safetensors(FOLDER / "model.safetensors", {name: weights[name] for name in weights if name != "lm_head.weight"})
    (FOLDER / "model_config.yaml").write_text(
        f"model_type: LlamaSimpleMLP\nblock_size: 16\nn_ctx: 16\nvocab_size: {VOCABULARY}\nn_layer: {LAYERS}\n"
        f"n_head: {HEADS}\nn_key_value_heads: {HEADS}\nn_embd: {WIDTH}\nn_intermediate: {INNER}\n")
    compiled = nn.Module()
    compiled._orig_mod = model
    torch.save({"model": compiled.state_dict(), "step": 7, "loss": 1.5, "betas": (0.9, 0.95), "notes": ["a", None, True]},
               FOLDER / "model.pt")
    decomposed = Decomposed(model)
    torch.save(decomposed.state_dict(), FOLDER / "decomposition.pth")
    save_safetensors(FOLDER / "subcomponents.safetensors", {
        f"{name.replace('-', '.')}.{part}": getattr(components, part)
        for name, components in decomposed._components.items() for part in "VU"
    })

    base = torch.randn(6, 5)
    views = {
        "plain": base,
        "transposed": base.T,
        "row": base[2],
        "column": base[:, 3],
        "inside": base[1:4, 2:5],
        "every_other": base[::2, ::2],
        "three": torch.randn(2, 3, 4).permute(2, 0, 1),
        "parameter": nn.Parameter(torch.randn(3)),
        "half": torch.randn(4, 3).half(),
        "half_transposed": torch.randn(4, 3).half().T,
        "bfloat": torch.randn(7).bfloat16(),
        "double": torch.randn(3, 2, dtype=torch.float64),
        "scalar": torch.tensor(0.25),
        "empty": torch.zeros(0, 3),
        "nested": {"deeper": {0: torch.ones(2)}},
        "numbers": torch.arange(3),
        "truths": torch.tensor([True, False]),
        "large": 2**40,
        "negative": -3,
        "long": -(2**62),
    }
    plain = {name: value for name, value in views.items()
             if isinstance(value, torch.Tensor) and value.dtype.is_floating_point}
    plain["nested.deeper.0"] = torch.ones(2)
    save_safetensors(FOLDER / "views.safetensors", plain)
    for protocol in (2, 3, 4, 5):
        torch.save(views, FOLDER / f"views-{protocol}.pth", pickle_protocol=protocol)
    torch.save({"a": base}, FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"a": base, "b": Hostile()}, FOLDER / "hostile.pth")


main()
