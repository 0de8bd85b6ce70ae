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


def class_intervals(hits, truth, prediction, groups, draws=1000, seed=0):
    """95% intervals of pooled IoU, as `bootstrap_interval` draws groups: `[low, high]` of the mean
    over the classes that a draw holds; and of each class, None where no truth holds it. Both are
    None for a single group.

    `hits`, `truth` and `prediction`, integers `(N, C)`, are the pixels of each image and class that
    were found, that are there, and that were said.
    """
    names, index = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None, None
    drawn = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    times = np.stack([np.bincount(row, minlength=len(names)) for row in drawn])
    sums = []
    for counts in (hits, truth, prediction):
        by_group = np.zeros((len(names), counts.shape[1]))
        np.add.at(by_group, index, counts)
        sums.append(times @ by_group)
    found, there, said = sums
    iou = np.where(there > 0, found / np.maximum(there + said - found, 1), np.nan)
    held = ~np.isnan(iou).all(axis=0)
    low_high = np.full((2, iou.shape[1]), np.nan)
    low_high[:, held] = np.nanpercentile(iou[:, held], (2.5, 97.5), axis=0)
    by_class = [low_high[:, n].tolist() if there else None for n, there in enumerate(held)]
    held_by_a_draw = ~np.isnan(iou).all(axis=1)
    means = np.nanmean(iou[held_by_a_draw], axis=1)
    return np.percentile(means, (2.5, 97.5)).tolist(), by_class
