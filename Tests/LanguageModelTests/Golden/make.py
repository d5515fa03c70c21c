"""Makes the reference numbers beside this file: two tiny models, and what PyTorch in float64 says that they compute,
how losses on them change with their weights and edits, and where AdamW takes these.

    python make.py        (with torch 2.15, safetensors and numpy)

Everything is drawn from fixed seeds: the same PyTorch on the same machine writes the same bytes again. The formulas
stand beside the functions. Two things are done on purpose in another way than the engine does them: an edit changes
the weight matrix itself, not the product's output, and gradients are autograd's.

Inputs (weights, directions, LoRA factors) are float32 numbers; the truth is computed from them in float64. Every case
is computed in float32 as well, and the script stops if a tolerance is less than ten times the error seen there.
"""

import json
import math
import pathlib
import shutil
import zlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parent
TOLERANCES = {
    "forward": {"logits_maxrel": 2e-5, "hidden_maxrel": 2e-5, "ce_token_abs": 1e-4, "mean_ce_abs": 2e-5},
    "edit_alpha": {"logits_maxrel": 5e-5, "edited_weight_maxrel": 2e-6},
    "edit_lora": {"logits_maxrel": 5e-5},
    "grad_alpha": {"loss_abs": 5e-5, "grad_maxrel": 2e-4, "grad_abs_floor": 2e-6},
    "grad_lora": {"loss_abs": 5e-5, "grad_maxrel": 1e-4, "grad_rl2": 5e-5, "grad_abs_floor": 1e-6},
    "grad_full": {"loss_abs": 2e-5, "grad_err_over_global_max": 5e-5, "grad_rl2": 5e-5},
    "generate": {"step_logits_maxrel": 2e-5},
    "grad_masked": {"loss_abs": 5e-5, "grad_err_over_global_max": 2e-4, "grad_rl2": 1e-4},
}
# Of trajectories, the same at every step: AdamW divides by the gradient's size and so makes much of its rounding.
TRAJECTORY = {
    "traj_alpha": {"params": 5e-5, "loss": 5e-5},
    "traj_lora": {"params": 5e-5, "loss": 5e-5},
    "traj_pretrain": {"params": 5e-5, "loss": 5e-5, "final_rl2": 1e-5},
}
HEADROOM = 10
HINGE_MARGIN = 1.05

MODELS = {
    # Two query heads share a key head; pairs of rotary components lie half a head apart.
    "grouped": {
        "block_size": 12, "n_ctx": 16, "vocab_size": 23, "n_layer": 2, "n_head": 4, "n_key_value_heads": 2,
        "n_embd": 16, "n_intermediate": 24, "rotary_base": 10000.0, "rotary_adjacent_pairs": False,
        "rms_norm_eps": 1e-6,
    },
    # Three query heads share the one key head; rotary pairs are neighbours; sequences longer than 64.
    "adjacent": {
        "block_size": 72, "n_ctx": 72, "vocab_size": 17, "n_layer": 1, "n_head": 3, "n_key_value_heads": 1,
        "n_embd": 12, "n_intermediate": 20, "rotary_base": 500.0, "rotary_adjacent_pairs": True,
        "rms_norm_eps": 1e-5,
    },
}
KINDS = ["attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.o_proj", "mlp.c_fc", "mlp.down_proj"]


def generator(*names):
    """A generator of random numbers of its own for each purpose, so that one case more changes no other."""
    return torch.Generator().manual_seed(zlib.crc32("/".join(names).encode()))


def normal(gen, *shape, scale=1.0):
    return torch.randn(*shape, generator=gen, dtype=torch.float64).mul(scale).float()


# --- the model -----------------------------------------------------------------------------------------------------


def sites(config):
    return [f"h.{layer}.{kind}" for layer in range(config["n_layer"]) for kind in KINDS]


def shape(config, site):
    """[d_out, d_in] of a site."""
    width, hidden = config["n_embd"], config["n_intermediate"]
    keys = width // config["n_head"] * config["n_key_value_heads"]
    return {
        "q_proj": (width, width), "k_proj": (keys, width), "v_proj": (keys, width), "o_proj": (width, width),
        "c_fc": (hidden, width), "down_proj": (width, hidden),
    }[site.split(".")[-1]]


def random_weights(name, config):
    gen = generator("weights", name)
    width = config["n_embd"]
    weights = {"wte.weight": normal(gen, config["vocab_size"], width, scale=0.6)}
    for layer in range(config["n_layer"]):
        weights[f"h.{layer}.rms_1.weight"] = 1 + normal(gen, width, scale=0.2)
        weights[f"h.{layer}.rms_2.weight"] = 1 + normal(gen, width, scale=0.2)
    for site in sites(config):
        d_out, d_in = shape(config, site)
        weights[f"{site}.weight"] = normal(gen, d_out, d_in, scale=1.2 / math.sqrt(d_in))
    weights["ln_f.weight"] = 1 + normal(gen, width, scale=0.2)
    return weights


def rms_norm(x, weight, epsilon):
    """w x / sqrt(mean(x^2) + epsilon)"""
    return weight * x / torch.sqrt(x.square().mean(-1, keepdim=True) + epsilon)


def rotate(x, config):
    """Turns the pairs of x [B, heads, T, d] by t base^(-j / (d / 2)), written with complex numbers."""
    half = x.shape[-1] // 2
    frequencies = config["rotary_base"] ** (-torch.arange(half, dtype=torch.float64) / half)
    angles = torch.arange(x.shape[2], dtype=torch.float64)[:, None] * frequencies
    turn = torch.polar(torch.ones_like(angles), angles)
    turn = turn.to(torch.complex128 if x.dtype == torch.float64 else torch.complex64)
    if config["rotary_adjacent_pairs"]:
        first, second = x[..., 0::2], x[..., 1::2]
    else:
        first, second = x[..., :half], x[..., half:]
    turned = torch.complex(first, second) * turn
    parts = (turned.real, turned.imag)
    return torch.stack(parts, -1).flatten(-2) if config["rotary_adjacent_pairs"] else torch.cat(parts, -1)


def attention(x, weights, layer, config):
    batch, length, width = x.shape
    d = width // config["n_head"]

    def heads(kind):
        return (x @ weights[f"h.{layer}.attn.{kind}.weight"].T).view(batch, length, -1, d).transpose(1, 2)

    query, key, value = rotate(heads("q_proj"), config), rotate(heads("k_proj"), config), heads("v_proj")
    group = config["n_head"] // config["n_key_value_heads"]
    owner = torch.arange(config["n_head"]) // group
    scores = query @ key[:, owner].transpose(-1, -2) / math.sqrt(d)
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    mixed = torch.softmax(scores.masked_fill(future, -math.inf), -1) @ value[:, owner]
    return mixed.transpose(1, 2).reshape(batch, length, width) @ weights[f"h.{layer}.attn.o_proj.weight"].T


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def run(weights, config, ids):
    """Logits [B, T, V], and the residual stream behind every layer."""
    epsilon = config["rms_norm_eps"]
    x = weights["wte.weight"][ids]
    hidden = []
    for layer in range(config["n_layer"]):
        x = x + attention(rms_norm(x, weights[f"h.{layer}.rms_1.weight"], epsilon), weights, layer, config)
        inner = rms_norm(x, weights[f"h.{layer}.rms_2.weight"], epsilon) @ weights[f"h.{layer}.mlp.c_fc.weight"].T
        x = x + gelu(inner) @ weights[f"h.{layer}.mlp.down_proj.weight"].T
        hidden.append(x)
    return rms_norm(x, weights["ln_f.weight"], epsilon) @ weights["wte.weight"].T, hidden


def cross_entropies(logits, targets):
    return -F.log_softmax(logits, -1).gather(-1, targets[..., None])[..., 0]


# --- edits ---------------------------------------------------------------------------------------------------------


def with_prefactors(weights, decomposition, edits, alphas):
    """W + sum_c (alpha_c - 1) U[c] (x) V[:, c]"""
    edited = dict(weights)
    for (site, c), alpha in zip(edits, alphas):
        write, read = decomposition[f"{site}.U"][c], decomposition[f"{site}.V"][:, c]
        edited[f"{site}.weight"] = edited[f"{site}.weight"] + (alpha - 1) * torch.outer(write, read)
    return edited


def with_lora(weights, factors, scale):
    """W + scale B A"""
    edited = dict(weights)
    for site, (a, b) in factors.items():
        edited[f"{site}.weight"] = edited[f"{site}.weight"] + scale * b @ a
    return edited


class MaskedMatrix:
    """Stands for a weight W in x @ W.T: the sum of the masked subcomponents and of the masked rest W - (V U)^T, one by
    one, where a row is routed to them, and W where it is not. Rows are those of all sequences in turn."""

    def __init__(self, weight, read, write, masks, rest, routed):
        self.weight, self.read, self.write = weight, read, write
        self.masks, self.rest, self.routed = masks, rest, routed
        self.T = self

    def __rmatmul__(self, x):
        shape, x = x.shape, x.reshape(-1, x.shape[-1])
        y = self.rest * (x @ (self.weight - (self.read @ self.write).T).T)
        for c in range(self.write.shape[0]):
            y = y + self.masks[:, c:c + 1] * torch.outer(x @ self.read[:, c], self.write[c])
        return torch.where(self.routed[:, None], y, x @ self.weight.T).view(*shape[:-1], -1)


# --- losses --------------------------------------------------------------------------------------------------------


def forget_loss(kind, logits, targets):
    uniform = math.log(logits.shape[-1])
    losses = cross_entropies(logits, targets)
    if kind == "neg-ce":
        return -losses.mean()
    if kind == "capped-ascent":
        return -torch.clamp(losses, max=uniform).mean()
    if kind == "hinge":
        return torch.clamp(HINGE_MARGIN * uniform - losses.mean(), min=0)
    if kind == "uniform-kl":
        return (-uniform - F.log_softmax(logits, -1).mean(-1)).mean()
    raise ValueError(kind)


def retain_loss(kind, logits, base, targets):
    if kind == "ce":
        return cross_entropies(logits, targets).mean()
    log_p, log_q = F.log_softmax(base, -1), F.log_softmax(logits, -1)
    if kind == "kl":
        return (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    if kind == "reverse-kl":
        return (log_q.exp() * (log_q - log_p)).sum(-1).mean()
    raise ValueError(kind)


class Problem:
    """total = forget + lambda retain, over two batches with means of their own."""

    def __init__(self, model, dtype, loss, forget, retain):
        self.config, self.loss, self.forget, self.retain = model.config, loss, forget, retain
        self.weights = model.weights(dtype)
        with torch.no_grad():
            self.base = run(self.weights, self.config, retain[0])[0]

    def losses(self, edited):
        logits = run(edited, self.config, self.forget[0])[0]
        self.forget_tokens = cross_entropies(logits, self.forget[1]).detach()
        forget = forget_loss(self.loss["forget"], logits, self.forget[1])
        logits = run(edited, self.config, self.retain[0])[0]
        retain = retain_loss(self.loss["retain"], logits, self.base, self.retain[1])
        return forget + self.loss["lambda"] * retain, forget, retain

    def kink_distance(self):
        """How far the forget loss is from where it is not differentiable, nats."""
        uniform = math.log(self.config["vocab_size"])
        if self.loss["forget"] == "capped-ascent":
            return (self.forget_tokens - uniform).abs().min().item()
        if self.loss["forget"] == "hinge":
            return abs(self.forget_tokens.mean().item() - HINGE_MARGIN * uniform)
        return math.inf


# --- optimiser -----------------------------------------------------------------------------------------------------


def optimiser(parameters, settings, decays=lambda parameter: True):
    groups = [
        {"params": [p for p in parameters if decays(p)], "weight_decay": settings["weight_decay"]},
        {"params": [p for p in parameters if not decays(p)], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=settings["lr"], betas=tuple(settings["betas"]),
        eps=settings["eps"])


def clip(parameters, limit):
    """Clips as the settings say, and gives the norm from before."""
    norm = torch.sqrt(sum(p.grad.square().sum() for p in parameters)).item()
    if limit is not None:
        torch.nn.utils.clip_grad_norm_(parameters, limit)
    return norm


def settings(lr, steps, betas=(0.9, 0.999), weight_decay=0.0, limit=None):
    return {"lr": lr, "betas": list(betas), "eps": 1e-8, "weight_decay": weight_decay, "clip": limit, "steps": steps}


# --- writing -------------------------------------------------------------------------------------------------------


class Model:
    def __init__(self, name):
        self.name, self.config = name, MODELS[name]
        self.stored = random_weights(name, self.config)
        gen = generator("decomposition", name)
        self.stored_decomposition = {}
        for index, site in enumerate(sites(self.config)):
            d_out, d_in = shape(self.config, site)
            count = 2 + index % 3
            self.stored_decomposition[f"{site}.V"] = normal(gen, d_in, count, scale=d_in**-0.5)
            self.stored_decomposition[f"{site}.U"] = normal(gen, count, d_out, scale=0.7)

    def weights(self, dtype):
        return {name: tensor.to(dtype) for name, tensor in self.stored.items()}

    def decomposition(self, dtype):
        return {name: tensor.to(dtype) for name, tensor in self.stored_decomposition.items()}

    def write(self):
        folder = FOLDER / "models" / self.name
        folder.mkdir(parents=True)
        tensors = dict(self.stored)
        if self.name == "grouped":  # with and without the tied copy
            tensors["lm_head.weight"] = tensors["wte.weight"].clone()
        save_file(tensors, folder / "model.safetensors")
        save_file(self.stored_decomposition, folder / "decomposition.safetensors")
        fixed = {
            "model_type": "LlamaSimpleMLP", "mlp_bias": False, "attn_bias": False,
            "use_grouped_query_attention": True, "flash_attention": True, "rotary_dim": 6,
        }
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in sorted({**fixed, **self.config}.items())]
        (folder / "model_config.yaml").write_text("".join(lines))

    def ids(self, gen, batch, length):
        return torch.randint(self.config["vocab_size"], (batch, length), generator=gen)

    def batch(self, gen, batch, length, likely):
        """Inputs, and targets of which the share `likely` is drawn from the model's own predictions, the rest evenly:
        the cross-entropy lies below the uniform guess's for the first and above it for the others."""
        inputs = self.ids(gen, batch, length)
        with torch.no_grad():
            p = torch.softmax(run(self.weights(torch.float64), self.config, inputs)[0], -1)
        own = torch.multinomial(p.flatten(0, 1), 1, generator=gen).view(batch, length)
        use_own = torch.rand(batch, length, generator=gen) < likely
        return inputs, torch.where(use_own, own, self.ids(gen, batch, length))


class Golden:
    def __init__(self):
        self.cases, self.worst = [], {}

    def add(self, kind, name, model, content, tensors=None):
        identifier = f"{kind.replace('_', '-')}-{model.name}-{name}"
        folder = FOLDER / kind
        folder.mkdir(exist_ok=True)
        entry = {"id": identifier, "kind": kind, "model": model.name, "json": f"{kind}/{identifier}.json"}
        text = json.dumps({"id": identifier, "kind": kind, "model": model.name, **content}, separators=(",", ":"))
        (folder / f"{identifier}.json").write_text(text + "\n")
        if tensors:
            entry["tensors"] = f"{kind}/{identifier}.safetensors"
            save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()},
                      folder / f"{identifier}.safetensors")
        self.cases.append(entry)

    def check(self, kind, metric, error, tolerance, floor=None):
        """Notes torch float32's error, and stops if the tolerance leaves less than the stated headroom."""
        key = f"{kind} {metric}"
        self.worst[key] = max(self.worst.get(key, 0), error / tolerance)
        assert error * HEADROOM <= tolerance, f"{key}: float32 is off by {error}, tolerance {tolerance}"

    def close(self):
        index = {
            "format_version": 1,
            "tolerances": {**TOLERANCES, **{kind: {"see": "case.tolerance"} for kind in TRAJECTORY}},
            "cases": self.cases,
        }
        (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")
        for key, share in self.worst.items():
            print(f"{key}: torch float32 takes {share:.2%} of the tolerance")


def maxrel(found, truth):
    return ((found.double() - truth).abs().max() / truth.abs().max().clamp(min=1e-300)).item()


def rl2(found, truth):
    pairs = list(zip(found, truth))
    error = sum((f.double() - t).square().sum() for f, t in pairs)
    return math.sqrt(error / sum(t.square().sum() for _, t in pairs))


def both(compute):
    """The truth and what torch float32 says."""
    return compute(torch.float64), compute(torch.float32)


def batch_json(batch):
    return {"input_ids": batch[0].tolist(), "target_ids": batch[1].tolist()}


def edits_json(edits, alphas):
    return [{"matrix": site, "c": c, "alpha": alpha} for (site, c), alpha in zip(edits, alphas)]


# --- cases ---------------------------------------------------------------------------------------------------------


def forward_case(golden, model, name, batch, length):
    inputs, targets = model.batch(generator("forward", model.name, name), batch, length, likely=0.5)

    def compute(dtype):
        logits, hidden = run(model.weights(dtype), model.config, inputs)
        return logits, hidden, cross_entropies(logits, targets)

    (logits, hidden, losses), (logits32, hidden32, losses32) = both(compute)
    limits = TOLERANCES["forward"]
    golden.check("forward", "logits", maxrel(logits32, logits), limits["logits_maxrel"])
    for found, truth in zip(hidden32, hidden):
        golden.check("forward", "hidden", maxrel(found, truth), limits["hidden_maxrel"])
    golden.check("forward", "ce", (losses32 - losses).abs().max().item(), limits["ce_token_abs"])
    golden.check("forward", "mean ce", (losses32.mean() - losses.mean()).abs().item(), limits["mean_ce_abs"])
    tensors = {"logits": logits, "ce_token": losses}
    tensors |= {f"hidden.{layer}": x for layer, x in enumerate(hidden)}
    golden.add(
        "forward", name, model, {**batch_json((inputs, targets)), "truth": {"mean_ce": losses.mean().item()}}, tensors)


def edit_alpha_case(golden, model, name, edits, alphas):
    inputs = model.ids(generator("edit_alpha", model.name, name), 2, 5)

    def compute(dtype):
        edited = with_prefactors(model.weights(dtype), model.decomposition(dtype), edits, alphas)
        return edited[f"{edits[0][0]}.weight"], run(edited, model.config, inputs)[0]

    (weight, logits), (weight32, logits32) = both(compute)
    golden.check("edit_alpha", "logits", maxrel(logits32, logits), TOLERANCES["edit_alpha"]["logits_maxrel"])
    golden.check("edit_alpha", "weight", maxrel(weight32, weight), TOLERANCES["edit_alpha"]["edited_weight_maxrel"])
    golden.add("edit_alpha", name, model, {
        "decomposition": "decomposition.safetensors", "edits": edits_json(edits, alphas), "input_ids": inputs.tolist(),
    }, {f"{edits[0][0]}.edited_weight": weight, "logits": logits})


def random_factors(gen, model, rank, targets, zero_b):
    factors = {}
    for site in targets:
        d_out, d_in = shape(model.config, site)
        a = normal(gen, rank, d_in, scale=0.3)
        factors[site] = (a, torch.zeros(d_out, rank) if zero_b else normal(gen, d_out, rank, scale=0.3))
    return factors


def lora_json(rank, alpha, targets):
    return {"rank": rank, "alpha": alpha, "scale": alpha / rank, "targets": targets}


def cast(factors, dtype, trained=False):
    return {
        site: tuple(part.to(dtype, copy=True).requires_grad_(trained) for part in pair)
        for site, pair in factors.items()
    }


def named_factors(factors, suffix=""):
    return {
        f"{site}.lora_{letter}{suffix}": part
        for site, pair in factors.items() for letter, part in zip("AB", pair)
    }


def edit_lora_case(golden, model, name, rank, alpha, targets):
    gen = generator("edit_lora", model.name, name)
    inputs = model.ids(gen, 2, 5)
    factors = random_factors(gen, model, rank, targets, zero_b=False)

    def compute(dtype):
        edited = with_lora(model.weights(dtype), cast(factors, dtype), alpha / rank)
        return run(edited, model.config, inputs)[0]

    logits, logits32 = both(compute)
    golden.check("edit_lora", "logits", maxrel(logits32, logits), TOLERANCES["edit_lora"]["logits_maxrel"])
    golden.add(
        "edit_lora", name, model, {"lora": lora_json(rank, alpha, targets), "input_ids": inputs.tolist()},
        {**named_factors(factors), "logits": logits})


def training_batches(gen, model, likely):
    return model.batch(gen, 2, 5, likely), model.batch(gen, 2, 7, 0.9)


def loss_name(loss):
    return f"{loss['forget']}+{loss['retain']}"


def gradient_truth(values, problem):
    total, forget, retain = values
    return {
        "total": total.item(), "forget_loss": forget.item(), "retain_loss": retain.item(),
        "forget_ce_mean": problem.forget_tokens.mean().item(),
    }


def check_losses(golden, kind, values, values32):
    for value, value32 in zip(values, values32):
        golden.check(kind, "loss", abs(value.item() - value32.item()), TOLERANCES[kind]["loss_abs"])


def grad_alpha_case(golden, model, name, edits, alphas, loss, likely):
    gen = generator("grad_alpha", model.name, name, loss_name(loss))
    forget, retain = training_batches(gen, model, likely)

    def compute(dtype):
        problem = Problem(model, dtype, loss, forget, retain)
        parameter = torch.tensor(alphas, dtype=dtype, requires_grad=True)
        values = problem.losses(with_prefactors(problem.weights, model.decomposition(dtype), edits, parameter))
        values[0].backward()
        return problem, values, parameter.grad

    (problem, values, gradient), (_, values32, gradient32) = both(compute)
    assert problem.kink_distance() > 1e-3, "a token stands at the kink: draw others"
    check_losses(golden, "grad_alpha", values, values32)
    golden.check("grad_alpha", "grad", maxrel(gradient32, gradient), TOLERANCES["grad_alpha"]["grad_maxrel"])
    golden.add("grad_alpha", f"{name}-{loss_name(loss)}", model, {
        "loss": loss, "forget": batch_json(forget), "retain": batch_json(retain),
        "decomposition": "decomposition.safetensors", "edits": edits_json(edits, alphas),
        "truth": {**gradient_truth(values, problem), "grad_alpha": gradient.tolist()},
    })
    return problem.forget_tokens


def grad_lora_case(golden, model, name, rank, alpha, targets, loss, likely):
    gen = generator("grad_lora", model.name, name, loss_name(loss))
    forget, retain = training_batches(gen, model, likely)
    factors = random_factors(gen, model, rank, targets, zero_b=False)

    def compute(dtype):
        problem = Problem(model, dtype, loss, forget, retain)
        trained = cast(factors, dtype, trained=True)
        values = problem.losses(with_lora(problem.weights, trained, alpha / rank))
        values[0].backward()
        return problem, values, {name: part.grad for name, part in named_factors(trained, ".grad").items()}

    (problem, values, gradients), (_, values32, gradients32) = both(compute)
    assert problem.kink_distance() > 1e-3, "a token stands at the kink: draw others"
    check_losses(golden, "grad_lora", values, values32)
    for key in gradients:
        error = maxrel(gradients32[key], gradients[key])
        golden.check("grad_lora", "grad", error, TOLERANCES["grad_lora"]["grad_maxrel"])
    golden.check(
        "grad_lora", "grad rl2", rl2(gradients32.values(), gradients.values()), TOLERANCES["grad_lora"]["grad_rl2"])
    golden.add("grad_lora", f"{name}-{loss_name(loss)}", model, {
        "loss": loss, "forget": batch_json(forget), "retain": batch_json(retain),
        "lora": lora_json(rank, alpha, targets), "truth": gradient_truth(values, problem),
    }, {**named_factors(factors), **gradients})


def grad_full_case(golden, model, name, batch, length):
    inputs, targets = model.batch(generator("grad_full", model.name, name), batch, length, likely=0.5)

    def compute(dtype):
        weights = {name: tensor.requires_grad_() for name, tensor in
                   ((name, tensor.to(dtype, copy=True)) for name, tensor in model.stored.items())}
        loss = cross_entropies(run(weights, model.config, inputs)[0], targets).mean()
        loss.backward()
        return loss.detach(), {f"{name}.grad": tensor.grad for name, tensor in weights.items()}

    (loss, gradients), (loss32, gradients32) = both(compute)
    limits = TOLERANCES["grad_full"]
    largest = max(gradient.abs().max() for gradient in gradients.values())
    golden.check("grad_full", "loss", abs(loss - loss32).item(), limits["loss_abs"])
    for key in gradients:
        error = ((gradients32[key].double() - gradients[key]).abs().max() / largest).item()
        golden.check("grad_full", "grad", error, limits["grad_err_over_global_max"])
    golden.check("grad_full", "grad rl2", rl2(gradients32.values(), gradients.values()), limits["grad_rl2"])
    golden.add(
        "grad_full", name, model, {**batch_json((inputs, targets)), "truth": {"mean_ce": loss.item()}}, gradients)


def grad_masked_case(golden, model, name, batch, length, masked, lowest, highest, share):
    """The mean over all rows of KL(base || masked); at each of the sites a `share` of the rows is masked."""
    gen = generator("grad_masked", model.name, name)
    inputs, targets = model.batch(gen, batch, length, likely=0.5)
    rows = batch * length
    drawn = {}
    for site in masked:
        count = model.stored_decomposition[f"{site}.U"].shape[0]
        drawn[f"{site}.mask"] = torch.rand(rows, count, generator=gen) * (highest - lowest) + lowest
        drawn[f"{site}.rest"] = torch.rand(rows, 1, generator=gen)
    routed = {site: torch.rand(rows, generator=gen) < share for site in masked}

    def compute(dtype):
        weights = model.weights(dtype)
        trained = {name: tensor.to(dtype, copy=True).requires_grad_() for name, tensor in
                   {**drawn, **{f"{site}.{letter}": model.stored_decomposition[f"{site}.{letter}"]
                                for site in masked for letter in "VU"}}.items()}
        with torch.no_grad():
            base = run(weights, model.config, inputs)[0]
        changed = dict(weights)
        for site in masked:
            changed[f"{site}.weight"] = MaskedMatrix(
                weights[f"{site}.weight"], trained[f"{site}.V"], trained[f"{site}.U"], trained[f"{site}.mask"],
                trained[f"{site}.rest"], routed[site])
        logits = run(changed, model.config, inputs)[0]
        loss = retain_loss("kl", logits, base, targets)
        loss.backward()
        ce = cross_entropies(logits, targets).mean()
        return loss.detach(), ce.detach(), {f"{name}.grad": tensor.grad for name, tensor in trained.items()}

    (loss, ce, gradients), (loss32, ce32, gradients32) = both(compute)
    limits = TOLERANCES["grad_masked"]
    golden.check("grad_masked", "loss", abs(loss - loss32).item(), limits["loss_abs"])
    golden.check("grad_masked", "ce", abs(ce - ce32).item(), limits["loss_abs"])
    for kind in ("V", "U", "mask", "rest"):
        own = [key for key in gradients if key.endswith(f".{kind}.grad")]
        largest = max(gradients[key].abs().max() for key in own)
        for key in own:
            error = ((gradients32[key].double() - gradients[key]).abs().max() / largest).item()
            golden.check("grad_masked", "grad", error, limits["grad_err_over_global_max"])
        error = rl2([gradients32[key] for key in own], [gradients[key] for key in own])
        golden.check("grad_masked", "grad rl2", error, limits["grad_rl2"])
    golden.add("grad_masked", name, model, {
        **batch_json((inputs, targets)), "decomposition": "decomposition.safetensors",
        "rows": {site: routed[site].nonzero()[:, 0].tolist() for site in masked},
        "truth": {"divergence": loss.item(), "mean_ce": ce.item()},
    }, {**drawn, **gradients})


def follow(parameters, options, losses, decays=lambda parameter: True):
    """Takes the steps of a trajectory: losses before each and behind the last, gradient norms, and the parameters
    after each."""
    update = optimiser(parameters, options, decays)
    before, norms, after = [], [], []
    for step in range(options["steps"]):
        update.zero_grad()
        values = losses(step)
        values[0].backward()
        before.append([value.item() for value in values])
        norms.append(clip(parameters, options["clip"]))
        update.step()
        after.append([parameter.detach().clone() for parameter in parameters])
    with torch.no_grad():
        before.append([value.item() for value in losses(options["steps"])])
    return before, norms, after


def compare_paths(golden, kind, truth, found):
    (before, _, after), (before32, _, after32) = truth, found
    limits = TRAJECTORY[kind]
    for values, values32 in zip(before, before32):
        for value, value32 in zip(values, values32):
            golden.check(kind, "loss", abs(value - value32), limits["loss"])
    for parts, parts32 in zip(after, after32):
        for part, part32 in zip(parts, parts32):
            golden.check(kind, "params", (part - part32.double()).abs().max().item(), limits["params"])
    steps = len(after)
    tolerance = {
        "compare_steps": steps, "tol_params_maxabs_after_step": [limits["params"]] * steps,
        "tol_loss_abs_at_step": [limits["loss"]] * steps,
    }
    if "final_rl2" in limits:
        golden.check(kind, "final rl2", rl2(after32[-1], after[-1]), limits["final_rl2"])
        tolerance["tol_final_params_rl2"] = limits["final_rl2"]
    return tolerance


def path_truth(path):
    before, norms, _ = path
    columns = list(zip(*before[:-1]))
    return {
        "total": columns[0], "forget": columns[1], "retain": columns[2], "grad_norm_preclip": norms,
        "after_last_step": dict(zip(["total", "forget", "retain"], before[-1])),
    }


def watched(problem, values):
    assert problem.kink_distance() > 1e-3, "a token stands at the kink: draw others"
    return values


def traj_alpha_case(golden, model, name, edits, loss, options, likely):
    gen = generator("traj_alpha", model.name, name, loss_name(loss))
    forget, retain = training_batches(gen, model, likely)

    def compute(dtype):
        problem = Problem(model, dtype, loss, forget, retain)
        alphas = torch.ones(len(edits), dtype=dtype, requires_grad=True)
        decomposition = model.decomposition(dtype)
        return follow([alphas], options, lambda step: watched(
            problem, problem.losses(with_prefactors(problem.weights, decomposition, edits, alphas))))

    path, path32 = both(compute)
    tolerance = compare_paths(golden, "traj_alpha", path, path32)
    golden.add("traj_alpha", f"{name}-{loss_name(loss)}", model, {
        "loss": loss, "optimizer": options, "decomposition": "decomposition.safetensors",
        "edits": edits_json(edits, [1.0] * len(edits)), "forget": batch_json(forget), "retain": batch_json(retain),
        "truth": {**path_truth(path), "alpha_after_step": [parts[0].tolist() for parts in path[2]]},
        "tolerance": tolerance,
    })


def traj_lora_case(golden, model, name, rank, alpha, targets, loss, options, likely):
    gen = generator("traj_lora", model.name, name, loss_name(loss))
    forget, retain = training_batches(gen, model, likely)
    factors = random_factors(gen, model, rank, targets, zero_b=True)

    def compute(dtype):
        problem = Problem(model, dtype, loss, forget, retain)
        trained = cast(factors, dtype, trained=True)
        parameters = [part for pair in trained.values() for part in pair]
        return follow(parameters, options, lambda step: watched(
            problem, problem.losses(with_lora(problem.weights, trained, alpha / rank))))

    path, path32 = both(compute)
    tolerance = compare_paths(golden, "traj_lora", path, path32)
    final = iter(path[2][-1])
    last = {site: (next(final), next(final)) for site in targets}
    golden.add("traj_lora", f"{name}-{loss_name(loss)}", model, {
        "loss": loss, "optimizer": options, "lora": lora_json(rank, alpha, targets), "forget": batch_json(forget),
        "retain": batch_json(retain), "truth": path_truth(path), "tolerance": tolerance,
    }, {**named_factors(factors, ".init"), **named_factors(last, ".final")})


def traj_pretrain_case(golden, model, name, options):
    gen = generator("traj_pretrain", model.name, name)
    batches = [model.batch(gen, 2, 6, likely=0.5) for _ in range(2)]

    def compute(dtype):
        weights = {name: tensor.to(dtype, copy=True).requires_grad_() for name, tensor in model.stored.items()}

        def losses(step):
            inputs, targets = batches[step % 2]
            return [cross_entropies(run(weights, model.config, inputs)[0], targets).mean()]

        return follow(list(weights.values()), options, losses, decays=lambda parameter: parameter.dim() > 1)

    path, path32 = both(compute)
    tolerance = compare_paths(golden, "traj_pretrain", path, path32)
    before, norms, after = path
    golden.add("traj_pretrain", name, model, {
        "optimizer": options, "batches": [batch_json(batch) for batch in batches],
        "truth": {"loss": [values[0] for values in before[:-1]], "grad_norm_preclip": norms}, "tolerance": tolerance,
    }, {f"{name}.final": value for name, value in zip(model.stored, after[-1])})


def generate_case(golden, model, name, length, count):
    prompt = model.ids(generator("generate", model.name, name), 1, length)

    def compute(dtype, chosen=None):
        ids, steps = prompt, []
        for step in range(count):
            steps.append(run(model.weights(dtype), model.config, ids)[0][0, -1])
            token = int(steps[-1].argmax()) if chosen is None else chosen[step]
            ids = torch.cat([ids, torch.tensor([[token]])], 1)
        return torch.stack(steps), ids[0, length:].tolist()

    logits, tokens = compute(torch.float64)
    top = logits.topk(2).values
    assert (top[:, 0] - top[:, 1]).min() > 1e-3, "two tokens are as good as equal: draw another prompt"
    logits32, _ = compute(torch.float32, tokens)
    golden.check("generate", "logits", maxrel(logits32, logits), TOLERANCES["generate"]["step_logits_maxrel"])
    golden.add(
        "generate", name, model,
        {"prompt": prompt[0].tolist(), "max_new_tokens": count, "truth": {"generated": tokens}},
        {"step_logits": logits})


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for kind in ["models", *TOLERANCES, *TRAJECTORY]:
        shutil.rmtree(FOLDER / kind, ignore_errors=True)
    golden = Golden()
    grouped, adjacent = Model("grouped"), Model("adjacent")
    for model in (grouped, adjacent):
        model.write()

    forward_case(golden, grouped, "b3t7", 3, 7)
    forward_case(golden, grouped, "b1t1", 1, 1)
    forward_case(golden, grouped, "full", 1, 12)
    forward_case(golden, adjacent, "b2t5", 2, 5)
    forward_case(golden, adjacent, "full", 1, 72)

    every_site = [(site, 1) for site in sites(grouped.config)]
    strengths = [0.5, -1.5, 3.0, 0.0, 2.0, -0.25, 1.5, 0.75, -2.0, 4.0, 1.25, -1.0]
    pair = [("h.0.mlp.down_proj", 0), ("h.0.mlp.down_proj", 1)]
    edit_alpha_case(golden, grouped, "all", every_site, strengths)
    edit_alpha_case(golden, adjacent, "pair", pair, [-3.0, 2.5])
    edit_lora_case(golden, grouped, "r2-all", 2, 4.0, sites(grouped.config))
    edit_lora_case(golden, adjacent, "r1-local", 1, 1.0, ["h.0.attn.k_proj"])

    def loss(forget, retain, weight=0.5):
        return {"forget": forget, "retain": retain, "lambda": weight}

    uniform = math.log(grouped.config["vocab_size"])
    grad_alpha_case(golden, grouped, "all", every_site, strengths, loss("neg-ce", "ce"), 0.5)
    grad_alpha_case(golden, grouped, "all", every_site, strengths, loss("uniform-kl", "kl", 2.0), 0.5)
    grad_alpha_case(golden, adjacent, "pair", pair, [0.5, 1.5], loss("uniform-kl", "reverse-kl"), 0.5)
    capped = grad_alpha_case(golden, grouped, "one", [("h.1.attn.o_proj", 0)], [2.0], loss("capped-ascent", "kl"), 0.5)
    assert (capped > uniform).any() and (capped < uniform).any(), "tokens on both sides of the cap"
    for name, likely, active in (("active", 1.0, True), ("saturated", 0.0, False)):
        tokens = grad_alpha_case(
            golden, grouped, name, every_site, [1.0 + 0.25 * a for a in strengths], loss("hinge", "reverse-kl", 3.0),
            likely)
        assert (tokens.mean() < HINGE_MARGIN * uniform) == active, f"the hinge is meant to be {name}"
        grad_lora_case(
            golden, grouped, name, 1, 1.0, ["h.0.mlp.c_fc", "h.1.attn.q_proj"], loss("hinge", "kl", 3.0), likely)
    grad_lora_case(golden, grouped, "r2-all", 2, 2.0, sites(grouped.config), loss("neg-ce", "reverse-kl"), 0.5)
    grad_lora_case(golden, grouped, "r1-local", 1, 2.0, ["h.1.mlp.down_proj"], loss("capped-ascent", "ce"), 0.5)
    grad_lora_case(golden, adjacent, "r3-all", 3, 1.0, sites(adjacent.config), loss("uniform-kl", "kl"), 0.5)

    grad_full_case(golden, adjacent, "b2t6", 2, 6)
    grad_full_case(golden, grouped, "b1t5", 1, 5)

    grad_masked_case(golden, grouped, "all", 2, 5, sites(grouped.config), 0.0, 1.0, 1.0)
    grad_masked_case(golden, grouped, "routed", 3, 4, sites(grouped.config), -1.0, 2.0, 0.5)
    grad_masked_case(golden, grouped, "outer", 2, 4, ["h.1.attn.o_proj"], 0.0, 1.0, 0.7)
    grad_masked_case(golden, adjacent, "inner", 1, 7, ["h.0.mlp.c_fc"], -1.0, 2.0, 1.0)

    traj_alpha_case(
        golden, grouped, "one", [("h.1.mlp.down_proj", 2)], loss("capped-ascent", "kl"), settings(0.1, 12), 0.5)
    traj_alpha_case(
        golden, adjacent, "all", [(site, 0) for site in sites(adjacent.config)], loss("hinge", "reverse-kl", 0.1),
        settings(0.05, 12, weight_decay=0.1, limit=0.05), 1.0)
    traj_lora_case(
        golden, grouped, "r1-local", 1, 2.0, ["h.0.attn.v_proj", "h.1.mlp.c_fc"], loss("neg-ce", "kl"),
        settings(0.02, 12, limit=0.5), 0.5)
    traj_lora_case(
        golden, adjacent, "r2-all", 2, 2.0, sites(adjacent.config), loss("uniform-kl", "reverse-kl"),
        settings(0.01, 12, weight_decay=0.05), 0.5)
    traj_pretrain_case(golden, adjacent, "lr3e-3", settings(3e-3, 8, betas=(0.9, 0.95), weight_decay=0.1, limit=1.0))

    generate_case(golden, grouped, "t3", 3, 10)
    generate_case(golden, adjacent, "t60", 60, 8)
    golden.close()


if __name__ == "__main__":
    main()
