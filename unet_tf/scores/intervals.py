"""How sure a score is: its interval under another draw of groups."""

import numpy as np


def bootstrap_interval(values, groups, draws=1000, seed=0, weights=None):
    """The 95% interval of the mean of `values` under another draw of groups: `[low, high]`.

    Each draw takes as many groups as there are, with replacement, all values of a group together
    (views of one car are alike, so images are no independent draws), and their mean; the interval
    goes from the 2.5th to the 97.5th percentile of the means.

    Parameters
    ----------
    values : float array `(N,)`
    groups : sequence of N names
    draws, seed : int
    weights : array `(N,)`, optional
        The interval of the sum of values over the sum of weights, such as of pooled counts.

    Returns
    -------
    list of two floats, or None for a single group, which says nothing about others
    """
    names, index = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None
    sums, sizes = np.bincount(index, values), np.bincount(index, weights)
    drawn = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return np.percentile(means, (2.5, 97.5)).tolist()


def pooled_interval(part, whole, groups):
    """The `bootstrap_interval` of counts pooled over images, sum of `part` over sum of `whole`.

    Images where the whole is 0 have nothing to count: a group of them alone is not drawn.
    """
    held = np.asarray(whole) > 0
    return bootstrap_interval(part[held], np.asarray(groups)[held], weights=whole[held])
