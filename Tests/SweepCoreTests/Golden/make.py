#!/usr/bin/env python3
"""Writes the reference fronts and hypervolumes beside this script, from fixed seeds, with the standard library alone.

Fronts are found by comparing all pairs. Volumes are sums over the cells of the grid that the points' coordinates
span, in exact fractions; only the sum is rounded. Neither is how the program does it.
"""
import itertools
import json
import math
import pathlib
import random
from fractions import Fraction

HERE = pathlib.Path(__file__).parent
AXES = {"pareto2d": [False, True], "pareto3d": [False, True, False]}
CASES = {"pareto2d": 12, "pareto3d": 6}


def dominates(left, right, maximise):
    """Whether left is no worse anywhere and better somewhere."""
    pairs = [(l, r) if up else (-l, -r) for l, r, up in zip(left, right, maximise)]
    return all(l >= r for l, r in pairs) and any(l > r for l, r in pairs)


def front(points, maximise):
    return [i for i, p in enumerate(points) if not any(dominates(q, p, maximise) for q in points)]


def hypervolume(points, reference, maximise):
    """The volume of what is better than the reference and no better than some point."""
    # Every axis to be minimised.
    turned = [[Fraction(-x if up else x) for x, up in zip(p, maximise)] for p in points]
    corner = [Fraction(-x if up else x) for x, up in zip(reference, maximise)]
    turned = [p for p in turned if all(x < r for x, r in zip(p, corner))]
    lines = [sorted({p[axis] for p in turned} | {corner[axis]}) for axis in range(len(corner))]
    total = Fraction(0)
    for cell in itertools.product(*(range(len(line) - 1) for line in lines)):
        low = [line[i] for line, i in zip(lines, cell)]
        if any(all(x <= y for x, y in zip(p, low)) for p in turned):
            total += math.prod(line[i + 1] - line[i] for line, i in zip(lines, cell))
    return float(total)


def make(kind, number):
    maximise = AXES[kind]
    generator = random.Random(f"{kind}/{number}")
    count = ([1, 2, 9, 17, 30, 44] if kind == "pareto2d" else [2, 9, 20])[number // 2]
    shape = ["uniform", "quarters", "front"][number % 3]
    points = []
    for _ in range(count):
        if shape == "front":
            # Near a front, so that many points lie on it.
            cost = generator.uniform(0, 10)
            point = [cost, math.sqrt(cost) + generator.choice([0, 0, -0.1])]
        else:
            point = [generator.uniform(0, 10), generator.uniform(-1, 1)]
        if len(maximise) == 3:
            point.append(generator.uniform(-2, 2))
        if shape == "quarters":
            # Ties in one coordinate, and equal points.
            point = [round(4 * x) / 4 for x in point]
        points.append(point)
    if count > 2:
        points += [points[generator.randrange(count)] for _ in range(generator.choice([0, 3]))]
    indices = front(points, maximise)
    first = [i for place, i in enumerate(indices) if points[i] not in [points[j] for j in indices[:place]]]
    worst = [(min if up else max)(p[axis] for p in points) for axis, up in enumerate(maximise)]
    best = [(max if up else min)(p[axis] for p in points) for axis, up in enumerate(maximise)]
    references = [
        [w - 1 if up else w + 1 for w, up in zip(worst, maximise)],
        [(w + b) / 2 for w, b in zip(worst, best)],
        best,
    ]
    return {
        "id": f"{kind}-{number:02}",
        "maximise": maximise,
        "points": points,
        "nondominated_indices": indices,
        "nondominated_unique_first_indices": first,
        "hypervolumes": [{"ref": r, "hypervolume": hypervolume(points, r, maximise)} for r in references],
    }


def main():
    index = {"cases": [], "tolerances": {kind: {"hypervolume_rel": 1e-10} for kind in AXES}}
    for kind, count in CASES.items():
        cases = [make(kind, number) for number in range(count)]
        (HERE / f"{kind}.json").write_text(json.dumps(cases) + "\n")
        for entry, case in enumerate(cases):
            index["cases"].append({"id": case["id"], "kind": kind, "json": f"{kind}.json", "entry": entry})
    (HERE / "index.json").write_text(json.dumps(index, indent=1) + "\n")


main()
