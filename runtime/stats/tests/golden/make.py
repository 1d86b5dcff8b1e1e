"""Numbers of other people's packages, for the tests of this room: `python make.py > golden.json` with requirements.txt installed.

Nothing here shares code or constants with the crate: where a package has the function, the package is asked; where none has (e-processes,
confidence sequences), the paper's formula is evaluated again in another way (root finding, minimisation, vectors instead of recursions).
Chance is SplitMix64, the same as in the tests, so that streams need not be kept. All numbers come out the same each time, but for the KLL
sketch, which tosses coins of its own.
"""

import json
import math
import sys

import numpy as np
from scipy import optimize, special, stats

MASK = (1 << 64) - 1


class Chance:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def unit(self):
        return (self.next() >> 11) / 2.0**53

    def normal(self):
        radius = math.sqrt(-2 * math.log(1 - self.unit()))
        return radius * math.cos(math.tau * self.unit())


out = {}


def proportion(s, n, alpha):
    def log_ratio(p):
        fitted = special.xlogy(s, p) + special.xlog1py(n - s, -p)
        return special.betaln(s + 0.5, n - s + 0.5) - special.betaln(0.5, 0.5) - fitted - math.log(1 / alpha)

    hat = s / n
    low = 0.0 if s == 0 else optimize.brentq(log_ratio, 1e-300, hat, xtol=1e-15)
    high = 1.0 if s == n else optimize.brentq(log_ratio, hat, 1 - 1e-16, xtol=1e-15)
    return [low, high]


out["proportion"] = [
    {"s": s, "n": n, "alpha": a, "band": proportion(s, n, a)}
    for s, n, a in [(0, 1, 0.05), (0, 30, 0.05), (1, 30, 0.05), (15, 30, 0.05), (30, 30, 0.01), (93, 100, 0.05),
                    (60, 3000, 0.05), (2999, 3000, 0.001), (500000, 1000000, 0.05), (20, 1000000, 0.05)]
]


def empirical_bernstein(x, alpha):
    """Waudby-Smith & Ramdas 2024, theorem 2, with whole vectors."""
    t = np.arange(1, len(x) + 1)
    mean = (0.5 + np.cumsum(x)) / (t + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (t + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    stakes = np.minimum(np.sqrt(2 * np.log(2 / alpha) / (before * t * np.log1p(t))), 0.5)
    guess = np.concatenate([[0.5], mean[:-1]])
    psi = (-np.log1p(-stakes) - stakes) / 4
    centre = np.cumsum(stakes * x) / np.cumsum(stakes)
    radius = (np.log(2 / alpha) + np.cumsum(4 * (x - guess) ** 2 * psi)) / np.cumsum(stakes)
    return np.maximum.accumulate(centre - radius), np.minimum.accumulate(centre + radius)


chance = Chance(11)
x = np.array([0.2 + 0.1 * chance.unit() for _ in range(2000)])
low, high = empirical_bernstein(x, 0.05)
out["bernstein"] = [{"n": n, "band": [max(low[n - 1], 0), min(high[n - 1], 1)]} for n in (1, 10, 100, 1000, 2000)]

out["fisher"] = []
for rh, rn, wh, wn in [(0, 3, 3, 3), (1, 20, 5, 20), (10, 1000, 9, 100), (0, 5000, 3, 100), (200, 5000, 0, 100),
                       (50, 100, 50, 100), (3000, 100000, 400, 10000), (0, 10, 0, 10)]:
    table = [[wh, wn - wh], [rh, rn - rh]]
    out["fisher"].append({
        "table": [rh, rn, wh, wn],
        "more": stats.fisher_exact(table, alternative="greater").pvalue,
        "less": stats.fisher_exact(table, alternative="less").pvalue,
        "scipy_two_sided": stats.fisher_exact(table).pvalue,
    })

# Windows of a sensor that remembers: Rao & Scott's second-order correction from numpy's covariance matrix, with scipy's F.
chance = Chance(51)
state, windows = 0.0, []
for _ in range(30):
    window = [0] * 4
    for _ in range(200):
        state = 0.8 * state + 0.6 * chance.normal()
        window[int(np.searchsorted([-0.7, 0.0, 0.7], state))] += 1
    windows.append(window)
last = windows.pop()
counts = np.array(windows, float)
shares = counts.sum(0) / counts.sum()
one_row = np.cov(counts, rowvar=False) / 200
values = np.linalg.eigvals(one_row / shares[:, None]).real
freedom = values.sum() ** 2 / (values**2).sum()
scale = values.sum() / freedom
r, w = counts.sum(0), np.array(last, float)
noise = 1 / r.sum() + 1 / w.sum()
p, q = (r + 0.5) / (r.sum() + 2), (w + 0.5) / (w.sum() + 2)
pearson = float(np.sum((w / w.sum() - r / r.sum()) ** 2 / ((r + w) / (r.sum() + w.sum()))))
index = float(np.sum((q - p) * np.log(q / p)))
law = stats.f(freedom, len(windows) - 1)
under = np.cumsum(shares)[:-1]
lower = np.tril(np.ones((4, 4)))[:-1]
spread = np.diag(lower @ one_row @ lower.T) / (under * (1 - under))
distance = float(np.max(np.abs(np.cumsum(r) / r.sum() - np.cumsum(w) / w.sum())))
out["design"] = {
    "windows": windows, "last": last, "psi": index,
    "p": max(law.sf(index / noise / scale / freedom), law.sf(pearson / noise / scale / freedom)),
    "critical": law.isf(0.05) * freedom * scale * noise,
    "ks_p": min(1.0, 2 * math.exp(-2 * distance**2 / (noise * spread.max()))),
}

out["chi_squared"] = [
    {"x": x, "freedom": f, "tail": stats.chi2.sf(x, f)}
    for x, f in [(3.841458820694124, 1), (16.918977604620448, 9), (5.0, 2.5), (80.0, 9), (0.3, 19), (27.9, 6.37)]
]

out["psi"] = []
for reference, window in [
    ([500] * 10, [10] * 10),
    ([500] * 10, [4, 8, 12, 9, 11, 10, 14, 13, 9, 10]),
    ([520, 480, 505, 495, 500], [90, 110, 130, 70, 100]),
    ([1000, 2000, 3000, 4000], [300, 300, 300, 100]),
]:
    r, w = np.array(reference) + 0.5, np.array(window) + 0.5
    p, q = r / r.sum(), w / w.sum()
    value = float(np.sum((q - p) * np.log(q / p)))
    noise = 1 / sum(reference) + 1 / sum(window)
    out["psi"].append({
        "reference": reference, "window": window, "psi": value,
        "p": stats.chi2.sf(value / noise, len(reference) - 1),
        "critical": stats.chi2.isf(0.05, len(reference) - 1) * noise,
        "pearson_p": stats.chi2_contingency([reference, window]).pvalue,
    })

# With pandas 3, evidently 0.7.23 can not be imported: hence the pin.
import pandas as pd  # noqa: E402
from evidently.legacy.calculations.stattests.psi import _psi  # noqa: E402
from evidently.legacy.core import ColumnType  # noqa: E402


def of_counts(counts):
    return pd.Series([name for name, n in zip("abcdefghij", counts) for _ in range(n)])


out["evidently"] = []
for reference, window in [([5200, 4800, 5050, 4950], [900, 1100, 1300, 700]), ([5000, 4000, 1000], [520, 480, 0])]:
    value, _ = _psi(of_counts(reference), of_counts(window), ColumnType.Categorical, 0.1)
    out["evidently"].append({"reference": reference, "window": window, "psi": float(value)})
# Of numbers it takes Sturges' bins of both samples together, whatever `n_bins` says: one far value changes all of them.
chance = Chance(5)
numbers = [chance.normal() for _ in range(2000)]
shifted = [chance.normal() + 0.5 for _ in range(500)]
out["evidently_numbers"] = {
    "as_is": float(_psi(pd.Series(numbers), pd.Series(shifted), ColumnType.Numerical, 0.1)[0]),
    "n_bins_5": float(_psi(pd.Series(numbers), pd.Series(shifted), ColumnType.Numerical, 0.1, n_bins=5)[0]),
    "with_one_far_value": float(_psi(pd.Series(numbers), pd.Series(shifted + [10000.0]), ColumnType.Numerical, 0.1)[0]),
}

out["ks"] = []
for seed, shift, n, m in [(1, 0, 500, 200), (2, 2, 500, 200), (3, 1, 100, 50), (4, 0, 3000, 1000)]:
    chance = Chance(seed)
    a = [int(chance.unit() * 20) for _ in range(n)]
    b = [int(chance.unit() * 20) + shift for _ in range(m)]
    exact, asymptotic = stats.ks_2samp(a, b, method="exact"), stats.ks_2samp(a, b, method="asymp")
    out["ks"].append({"seed": seed, "shift": shift, "n": n, "m": m, "d": exact.statistic,
                      "exact": exact.pvalue, "asymptotic": asymptotic.pvalue})

from statsmodels.stats.multitest import multipletests  # noqa: E402

p_values = [0.0001, 0.0021, 0.0045, 0.011, 0.019, 0.021, 0.03, 0.04, 0.041, 0.2, 0.3, 0.5, 0.9, 1.0]
out["multiple"] = {
    "p": p_values,
    "bh": [bool(x) for x in multipletests(p_values, 0.05, "fdr_bh")[0]],
    "by": [bool(x) for x in multipletests(p_values, 0.05, "fdr_by")[0]],
    "holm": [bool(x) for x in multipletests(p_values, 0.05, "holm")[0]],
}

out["clopper_pearson"] = [
    {"s": s, "n": n, "low": stats.beta.ppf(0.05, s, n - s + 1)} for s, n in [(1, 1), (9, 10), (450, 500), (2, 400)]
]


# Turner, Ly & Gruenwald: one block's e-value with the nearest point of the claim found by a minimiser.
def block(stable, candidate, line, counts):
    (nb, eb), (nc, ec) = counts
    ratio, extra = line

    def divergence(v):
        u = ratio * v + extra
        return (nb * (special.rel_entr(stable, v) + special.rel_entr(1 - stable, 1 - v))
                + nc * (special.rel_entr(candidate, u) + special.rel_entr(1 - candidate, 1 - u)))

    top = min(1.0, (1 - extra) / ratio)
    found = optimize.minimize_scalar(divergence, bounds=(1e-12, top - 1e-12), method="bounded", options={"xatol": 1e-14})
    v = found.x
    u = ratio * v + extra
    return (eb * math.log(stable / v) + (nb - eb) * math.log((1 - stable) / (1 - v))
            + ec * math.log(candidate / u) + (nc - ec) * math.log((1 - candidate) / (1 - u)))


def two_arms(seed, share, rates, tolerated, margin, expected, n):
    chance = Chance(seed)
    harm = dict.fromkeys([(1.5, 0.2), (2, 0.2), (3, 0.2), (6, 0.15), (15, 0.15), (50, 0.1)], 0.0)
    safe = dict.fromkeys([(0.0, 0.4), (0.3, 0.2), (-0.5, 0.2), (-0.9, 0.2)], 0.0)
    seen = [0, 0]
    open_ = [[0, 0], [0, 0]]
    best = [0.0, 0.0]
    for _ in range(n):
        arm = int(chance.unit() < share)
        error = int(chance.unit() < rates[arm])
        open_[arm][0] += 1
        open_[arm][1] += error
        if min(open_[0][0], open_[1][0]) < 2:
            continue
        b = min(max((seen[1] + 0.5) / (seen[0] + 0.5 / expected), 1e-6), 1 - 1e-6)
        at = min(tolerated[0] * b + tolerated[1], 0.999)
        for odds, weight in harm:
            c = at * odds / (1 + at * (odds - 1))
            harm[odds, weight] += block(b, c, tolerated, open_)
        far = margin[0] * b + margin[1]
        for along, weight in safe:
            c = b * (1 + along) if along < 0 else b + along * (far - b)
            safe[along, weight] += block(b, c, margin, open_)
        seen[0] += open_[0][0]
        seen[1] += open_[0][1]
        open_ = [[0, 0], [0, 0]]
        for side, wealth in enumerate((harm, safe)):
            log = special.logsumexp(list(wealth.values()), b=[w for _, w in wealth])
            best[side] = max(best[side], float(log))
    return best


out["two_arms"] = []
for seed, share, rates, tolerated, margin, n in [
    (1, 0.5, (0.02, 0.02), (1, 0), (1, 0.04), 400),
    (2, 0.1, (0.05, 0.15), (1, 0.01), (1, 0.05), 600),
    (3, 0.5, (0.1, 0.3), (1, 0), (2, 0), 200),
    (4, 0.3, (0.02, 0.02), (1.5, 0), (1.5, 0.03), 500),
]:
    out["two_arms"].append({
        "seed": seed, "share": share, "rates": rates, "tolerated": tolerated, "margin": margin, "n": n,
        "logs": two_arms(seed, share, rates, tolerated, margin, 0.02, n),
    })


# Bets: the average of products, without logarithms.
def bets(values, floor):
    stakes = 0.01 * (0.95 / 0.01) ** (np.arange(8) / 7) / floor
    return float(np.log(np.mean(np.prod(1 + np.outer(stakes, values), axis=1))))


out["bets"] = [{"values": v, "floor": f, "log": bets(np.array(v), f)} for v, f in [
    ([0.1, -0.2, 0.3, 0.3, 0.05], 0.5), ([1, -1, 1, 1, 1, 1, -1, 1], 1.0), ([0.02] * 150, 0.98)]]

# Average run length of a two-sided CUSUM by a Markov chain (Brook & Evans 1972).
def run_length(h, k, cells=400):
    width = 2 * h / (2 * cells - 1)
    middle = np.arange(cells) * width
    upper = middle[None, :] + width / 2 + k - middle[:, None]
    lower = middle[None, :] - width / 2 + k - middle[:, None]
    moves = stats.norm.cdf(upper) - stats.norm.cdf(lower)
    moves[:, 0] = stats.norm.cdf(upper[:, 0])
    return float(np.linalg.solve(np.eye(cells) - moves, np.ones(cells))[0]) / 2


out["cusum"] = [{"h": h, "k": k, "between": run_length(h, k)} for h, k in [(4, 0.5), (5, 0.5), (8, 0.25), (3, 1.0), (10, 0.5)]]

from river import drift  # noqa: E402


def detections(detector, values):
    found = []
    for at, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            found.append(at)
    return found


chance = Chance(21)
errors = [float(chance.unit() < (0.1 if n < 2000 else 0.3 if n < 4000 else 0.05)) for n in range(6000)]
out["adwin"] = {"found": detections(drift.ADWIN(), errors)}
chance = Chance(22)
walk = [chance.normal() + (0 if n < 1000 else 0.5 if n < 2000 else -0.5) for n in range(3000)]
out["page_hinkley"] = {"found": detections(drift.PageHinkley(), walk)}

import datasketches  # noqa: E402

chance = Chance(31)
kll = datasketches.kll_doubles_sketch(200)
sent = [chance.normal() for _ in range(5000)]
for value in sent:
    kll.update(value)
ranks = [0.01, 0.25, 0.5, 0.9, 0.99]
out["kll"] = {"bytes": kll.serialize().hex(), "n": 5000, "ranks": ranks,
              "quantiles": [kll.get_quantile(r, True) for r in ranks],
              "rank_of_0": kll.get_rank(0.0, True), "true_rank_of_0": sum(v <= 0 for v in sent) / 5000,
              "error": kll.normalized_rank_error(True)}
chance = Chance(32)
frequent = datasketches.frequent_strings_sketch(8)
for _ in range(3000):
    frequent.update("c%d" % int(1 / (chance.unit() + 1e-3)))
rows = frequent.get_frequent_items(datasketches.frequent_items_error_type.NO_FALSE_NEGATIVES)
out["frequent"] = {"bytes": frequent.serialize().hex(), "n": 3000,
                   "rows": [[row[0], row[2], row[3]] for row in rows][:20]}

chance = Chance(41)
numbers = [1e9 + chance.normal() for _ in range(1000)]
out["moments"] = {"mean": float(np.mean(numbers)), "variance": float(np.var(numbers, ddof=1))}

json.dump(out, sys.stdout, indent=1)
print()
