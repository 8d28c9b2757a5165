"""Prints tests/eval/ranking_reference.hpp: scikit-learn's NDCG and average precision of a ranking with
ties, and PyTorch's pairwise logistic loss.

    python3 tests/reference/make_ranking_reference.py | clang-format > tests/eval/ranking_reference.hpp
"""

import numpy as np
import torch
from sklearn.metrics import average_precision_score, ndcg_score

IMAGES = 24


def array(name, comment, values):
    print(f"/// {comment}")
    print(f"inline constexpr std::array<double, {len(values)}> {name} = {{")
    print(", ".join(f"{v:.17g}" for v in values))
    print("};\n")


def number(name, value):
    print(f"inline constexpr double {name} = {value:.17g};\n")


random = np.random.default_rng(5)
grades = random.integers(0, 4, IMAGES).astype(float)
scores = random.normal(size=IMAGES)
tied = np.round(scores)  # a handful of values
queries = random.integers(0, 3, IMAGES).astype(float)

print("// Written by tests/reference/make_ranking_reference.py.\n#pragma once\n")
print("#include <array>\n\nnamespace ranking_reference {\n")
array("grades", "From 0 to 3.", grades)
array("scores", "All different.", scores)
array("tied", "The same, rounded.", tied)
array("queries", "From 0 to 2.", queries)
for name, of in (("scores", scores), ("tied", tied)):
    for most in (None, 5):
        number(f"ndcg_of_{name}{'_at_5' if most else ''}", ndcg_score([grades], [of], k=most))
        gains = np.exp2(grades) - 1
        number(f"exponential_of_{name}{'_at_5' if most else ''}", ndcg_score([gains], [of], k=most))
    for least in (1, 3):
        number(f"precision_of_{name}_from_{least}", average_precision_score(grades >= least, of))

s = torch.tensor(3 * scores, requires_grad=True)
g, q = torch.tensor(grades), torch.tensor(queries)
i, j = torch.nonzero((q[:, None] == q[None]) & (g[:, None] > g[None]), as_tuple=True)
loss = torch.nn.functional.softplus(-(s[i] - s[j])).mean()
loss.backward()
print(f"/// The loss of scores three times as far apart, of {len(i)} pairs.")
number("pairwise_loss", loss.item())
array("pairwise_gradient", "Of that loss.", s.grad.tolist())
print("}  // namespace ranking_reference")
