#!/usr/bin/env bash
# evidently: the PSI of a column of numbers is computed in bins that the window itself moves, and `n_bins` is not used.
#
# Versions  evidently 0.7.23, pandas 2.3.3, numpy 2.4.6 (with pandas 3 evidently can not be imported); Linux, x86-64.
# Run       The `psi` test of 2,000 normal values against 500 that are shifted by half a standard deviation; the same with n_bins=5; the same
#           with one value of 10,000 more in the window. Then of categories with shares 0.5, 0.4, 0.1, the last one missing in the window.
# Expected  PSI 0.24 or so each time (ten bins at the reference's quantiles: 0.243); fewer bins give another number; one value of 501 changes
#           little. A missing category says more in 100,000 rows than in 50.
# Seen      0.242, 0.242, 0.006: bins are numpy's "sturges" of reference and window together, so one far value puts all others into one bin,
#           and a drift that was an alarm (threshold 0.1) is none any more. A missing tenth is 0.71 in 50 rows as in 100,000: an empty bin is
#           taken for a share of 0.0001.
# Here      Bins end at edges that are frozen with the reference; a half is added to each count.
#
# Exits 0 while it is as described, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check evidently==0.7.23 pandas==2.3.3 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON' 2>/dev/null
import sys

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests.psi import _psi
from evidently.legacy.core import ColumnType

chance = np.random.default_rng(1)
reference, window = pd.Series(chance.normal(size=2000)), pd.Series(chance.normal(0.5, size=500))
far = pd.concat([window, pd.Series([10_000.0])])
edges = np.quantile(reference, np.arange(1, 10) / 10)
shares = [np.bincount(np.searchsorted(edges, of), minlength=10) / len(of) for of in (reference, window)]
print("ten bins of the reference", round(float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0]))), 3))
plain = _psi(reference, window, ColumnType.Numerical, 0.1)[0]
five = _psi(reference, window, ColumnType.Numerical, 0.1, n_bins=5)[0]
moved = _psi(reference, far, ColumnType.Numerical, 0.1)[0]
print("evidently", round(plain, 3), "with n_bins=5", round(five, 3), "with one value of 10,000", round(moved, 3))


def categories(*counts):
    return pd.Series([name for name, count in zip("abc", counts) for _ in range(count)])


missing = [
    _psi(categories(5000, 4000, 1000), categories(52 * rows // 100, 48 * rows // 100), ColumnType.Categorical, 0.1)[0]
    for rows in (50, 100_000)
]
print("a missing tenth, 50 rows and 100,000:", missing)
same = plain == five and plain > 0.2 and moved < 0.02 and abs(missing[0] - missing[1]) < 1e-9
sys.exit(0 if same else "changed: it is no longer as described")
PYTHON
