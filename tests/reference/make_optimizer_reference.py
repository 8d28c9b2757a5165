"""Prints tests/optimizer/optimizer_reference.hpp: update rules as PyTorch computes them.

    python3 tests/reference/make_optimizer_reference.py | clang-format > tests/optimizer/optimizer_reference.hpp

Eight steps on two tensors in double, of which the first decays, at a learning rate that changes.
PyTorch 2 has no Lion: it is written here as Algorithm 2 of Chen et al. 2023 (arXiv 2302.06675) has
it. Averages are torch.optim.swa_utils.AveragedModel's.
"""

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

STEPS, SIZES = 8, (24, 13)
RATES = [0.01, 0.02, 0.03, 0.02, 0.0, 0.01, 0.05, 0.02]
BETAS = (0.85, 0.95)
EPSILON, DECAY, MOMENTUM, AVERAGE = 1e-3, 0.4, 0.8, 0.7


def array(name, comment, values):
    print(f"/// {comment}")
    print(f"inline constexpr std::array<double, {len(values)}> {name} = {{")
    print(", ".join(f"{v:.16e}" for v in values))
    print("};\n")


def number(name, value):
    print(f"inline constexpr double {name} = {value};")


class Lion(torch.optim.Optimizer):
    def __init__(self, groups):
        super().__init__(groups, {"lr": 0.0, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p))
                c = BETAS[0] * m + (1 - BETAS[0]) * p.grad
                p -= group["lr"] * (c.sign() + group["weight_decay"] * p)
                self.state[p]["momentum_buffer"] = BETAS[1] * m + (1 - BETAS[1]) * p.grad


class Values(torch.nn.Module):
    def __init__(self, tensors):
        super().__init__()
        self.tensors = torch.nn.ParameterList([t.clone() for t in tensors])


def run(make, states):
    """The values after all steps, the states by PyTorch's names, and the average of the values."""
    model = Values(start)
    first, second = model.tensors
    optimizer = make([{"params": [first], "weight_decay": DECAY}, {"params": [second], "weight_decay": 0.0}])
    # It begins as a copy of the parameters; n_averaged = 1 makes the first update an average too.
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(AVERAGE))
    average.n_averaged += 1
    for rate, gradients in zip(RATES, all_gradients):
        for group in optimizer.param_groups:
            group["lr"] = rate
        for tensor, gradient in zip(model.tensors, gradients):
            tensor.grad = gradient.clone()
        optimizer.step()
        average.update_parameters(model)
    flat = lambda tensors: torch.cat([t.detach() for t in tensors]).tolist()
    found = [flat([optimizer.state[t][name] for t in model.tensors]) for name in states]
    return flat(model.tensors), found, flat(average.module.tensors)


generator = torch.Generator().manual_seed(3)
draw = lambda: [torch.randn(n, generator=generator, dtype=torch.double) for n in SIZES]
start = draw()
all_gradients = [draw() for _ in range(STEPS)]

print("// Written by tests/reference/make_optimizer_reference.py.")
print("#pragma once\n\n#include <array>\n\nnamespace optimizer_reference {\n")
number("beta1", BETAS[0])
number("beta2", BETAS[1])
for name in ("EPSILON", "DECAY", "MOMENTUM", "AVERAGE"):
    number(name.lower(), globals()[name])
print()
array("rates", "The learning rate of each step.", RATES)
array("start", "A tensor of 24 values, which decays, and one of 13, which does not.", torch.cat(start).tolist())
array("gradients", "Of the same, step after step.", torch.cat([torch.cat(g) for g in all_gradients]).tolist())
RULES = {
    "adamw": (lambda g: torch.optim.AdamW(g, betas=BETAS, eps=EPSILON), {"exp_avg": "first_moment", "exp_avg_sq": "second_moment"}),
    "lion": (Lion, {"momentum_buffer": "momentum"}),
    "sgd": (lambda g: torch.optim.SGD(g, lr=1, momentum=MOMENTUM), {"momentum_buffer": "velocity"}),
    "nesterov": (lambda g: torch.optim.SGD(g, lr=1, momentum=MOMENTUM, nesterov=True), {"momentum_buffer": "velocity"}),
    "plain": (lambda g: torch.optim.SGD(g, lr=1), {}),
}
for name, (make, states) in RULES.items():
    values, found, average = run(make, states)
    array(f"{name}_values", "After the last step.", values)
    for state, known in zip(found, states.values()):
        array(f"{name}_{known}", "Likewise.", state)
    array(f"{name}_average", f"Of the values, with momentum {AVERAGE}.", average)
print("}  // namespace optimizer_reference")
