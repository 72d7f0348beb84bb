import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from tests.trees.conftest import data_of
from tflite_compress.trees.cost_complexity import pruning_order
from tflite_compress.trees.load_forest import load_forest


@pytest.fixture(scope="module")
def grown() -> DecisionTreeRegressor:
    x, y = data_of("diabetes")
    return DecisionTreeRegressor(max_depth=6, random_state=0).fit(x, y)


def test_regression_trees_are_pruned_as_scikit_learn_prunes_them(grown: DecisionTreeRegressor) -> None:
    x, y = data_of("diabetes")
    found = pruning_order(load_forest(grown, trust=False)[0].trees[0])
    path = grown.cost_complexity_pruning_path(x, y)
    alphas = np.unique(found.alpha[np.isfinite(found.alpha)])
    np.testing.assert_allclose(alphas, np.unique(path.ccp_alphas[1:]), rtol=1e-6)
    for alpha in path.ccp_alphas[1::5]:
        theirs = DecisionTreeRegressor(max_depth=6, random_state=0, ccp_alpha=alpha * (1 + 1e-9)).fit(x, y)
        ours = found.prune(alpha * (1 + 1e-9))
        assert len(ours.left) == theirs.tree_.node_count
        forest = load_forest(grown, trust=False)[0].with_trees((ours,))
        np.testing.assert_allclose(forest.predict(x)[:, 0], theirs.predict(x), rtol=1e-9)


def test_an_infinite_alpha_leaves_one_leaf(grown: DecisionTreeRegressor) -> None:
    tree = load_forest(grown, trust=False)[0].trees[0]
    assert len(pruning_order(tree).prune(np.finfo(float).max).left) == 1
    assert len(pruning_order(tree).prune(-1.0).left) == len(tree.left)
