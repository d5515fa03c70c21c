#!/usr/bin/env python3
"""Writes independent.json beside this script: fronts, hypervolumes and attainment surfaces by another library.

That is moocore (López-Ibáñez and others, in C) from PyPI; pymoo would say the same, since it calls moocore. The points
come from fixed seeds of the standard library. All axes are costs.
"""
import json
import math
import pathlib
import random

import moocore
import numpy

HERE = pathlib.Path(__file__).parent


def points(generator, count, axes, shape):
    result = []
    for _ in range(count):
        if shape == "quarters":
            point = [round(4 * generator.uniform(0, 4)) / 4 for _ in range(axes)]
        elif shape == "front":
            cost = generator.uniform(0, 4)
            point = [cost, 4 - math.sqrt(4 * cost) + generator.choice([0, 0, 0.2])]
            point += [generator.uniform(-2, 2) for _ in range(axes - 2)]
        else:
            point = [generator.uniform(0, 4) for _ in range(axes)]
        result.append(point)
    return result


def attainment(number):
    generator = random.Random(f"attainment/{number}")
    runs = [1, 2, 3, 4, 5, 9][number % 6]
    shape = ["uniform", "quarters", "front"][number // 6]
    sets = [points(generator, generator.choice([1, 3, 8, 15]), 2, shape) for _ in range(runs)]
    rows = numpy.array([point for points in sets for point in points])
    names = numpy.array([run for run, points in enumerate(sets, 1) for _ in points])
    found = moocore.eaf(rows, names)
    surfaces = []
    for k in range(1, runs + 1):
        level = found[numpy.isclose(found[:, 2], 100 * k / runs)]
        surfaces.append(sorted([float(x), float(y)] for x, y, _ in level))
    assert sum(map(len, surfaces)) == len(found)
    return {"id": f"attainment-{number:02}", "runs": sets, "surfaces": surfaces}


def front(number):
    generator = random.Random(f"front/{number}")
    axes = 2 + number % 2
    shape = ["uniform", "quarters", "front"][number // 2 % 3]
    cloud = points(generator, [5, 20, 60][number // 6], axes, shape)
    reference = [4.5, 4.25, 2.5][:axes]
    array, corner = numpy.array(cloud), numpy.array(reference)
    return {
        "id": f"front-{number:02}",
        "points": cloud,
        "reference": reference,
        "hypervolume": float(moocore.hypervolume(array, ref=corner)),
        "front": [int(place) for place in numpy.flatnonzero(moocore.is_nondominated(array, keep_weakly=True))],
    }


def main():
    document = {
        "moocore": moocore.__version__,
        "attainment": [attainment(number) for number in range(18)],
        "fronts": [front(number) for number in range(18)],
    }
    (HERE / "independent.json").write_text(json.dumps(document) + "\n")


main()
