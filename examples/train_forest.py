"""How forest.json and forest.npz were made: boosted trees on scikit-learn's digits.

pip install scikit-learn xgboost-cpu
python examples/train_forest.py
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from xgboost import XGBClassifier

here = Path(__file__).parent
x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(x))
x, y = x[order].astype(np.uint8), y[order].astype(np.uint8)
model = XGBClassifier(n_estimators=15, max_depth=4, random_state=0).fit(x[:1000], y[:1000])
print(f"{model.score(x[1000:], y[1000:]):.4f} of the test samples are right")
model.save_model(here / "forest.json")
np.savez_compressed(here / "forest.npz", x_train=x[:1000], y_train=y[:1000], x_test=x[1000:], y_test=y[1000:])
