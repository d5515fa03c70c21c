#!/usr/bin/env python3
"""Writes bootstrap.json beside this script: made-up window losses, and percentile intervals of what is read from them.

Needs numpy and scipy. Where scipy.stats.bootstrap can say what is meant (independent samples, means of them, paired
samples), it makes the interval; what crosses seeds and windows is drawn here by brute force.
"""
import json
import pathlib

import numpy as np
from scipy import stats

HERE = pathlib.Path(__file__).parent
RESAMPLES = 200_000
RNG = np.random.default_rng(20261123)
LEVEL = [2.5, 97.5]


def windows(mean, spread, count):
    """Skewed, in single precision, as an engine would record them."""
    return (mean + spread * (RNG.gamma(2.0, size=count) - 2.0)).astype(np.float32)


def scipy_interval(samples, statistic, paired=False):
    found = stats.bootstrap(
        samples, statistic, n_resamples=RESAMPLES, confidence_level=0.95, method="percentile", paired=paired,
        vectorized=True, batch=2000, random_state=RNG)
    interval = found.confidence_interval
    return interval.low, interval.high, found.standard_error


def crossed(groups, statistic):
    """Seeds and windows drawn anew; every seed is read on the same windows, and all groups on the same seeds."""
    seeds, count = groups[0].shape
    drawn = np.empty(RESAMPLES)
    for place in range(RESAMPLES):
        columns = RNG.integers(count, size=count)
        rows = RNG.integers(seeds, size=seeds)
        drawn[place] = statistic(*(np.median(group[:, columns].mean(axis=1)[rows]) for group in groups))
    low, high = np.percentile(drawn, LEVEL)
    return low, high, drawn.std()


def case(name, first, second, interval):
    low, high, error = (float(number) for number in interval)
    lists = [None if part is None else np.asarray(part, dtype=float).tolist() for part in (first, second)]
    return {"name": name, "first": lists[0], "second": lists[1], "low": low, "high": high, "error": error}


def mean(sample, axis=-1):
    return np.mean(sample, axis=axis, dtype=float)


cases = []
# first: one list of windows a seed; second: the same, or for "two corpora" the windows of the second corpus.
single = windows(6.5, 0.4, 24)
cases.append(case("removal", [single], None, scipy_interval((single,), mean)))
other = windows(4.0, 0.9, 24)
cases.append(case(
    "two corpora", [single], [other],
    scipy_interval((single, other), lambda x, y, axis=-1: (mean(x, axis) + mean(y, axis)) / 2)))
base = windows(3.0, 0.5, 32)
edited = (base + windows(0.03, 0.02, 32)).astype(np.float32)
cases.append(case(
    "increase", [edited], [base],
    scipy_interval((edited, base), lambda x, y, axis=-1: mean(x, axis) - mean(y, axis), paired=True)))
seeds = np.stack([(base + windows(shift, 0.03, 32)).astype(np.float32) for shift in (0.02, 0.05, 0.11, 0.04)])
cases.append(case("seeds", seeds, None, crossed([seeds.astype(float)], lambda x: x)))
better = (seeds - windows(0.02, 0.015, seeds.shape)).astype(np.float32)
cases.append(case(
    "paired seeds", seeds, better, crossed([seeds.astype(float), better.astype(float)], lambda x, y: x - y)))

(HERE / "bootstrap.json").write_text(json.dumps(cases, indent=1) + "\n")
