"""How well two outlines agree: the boundary F1, NumPy and SciPy.

A large object hides a ragged outline from dice, whose pixels are nearly all inside.
"""

import numpy as np


def boundary_f1(truth, prediction, tolerance, counts=True):
    """F1 of the boundary pixels of two masks, each found within `tolerance` pixels of the other's.

    Precision is the share of predicted boundary pixels that lie near a true one, recall the share
    of true ones that lie near a predicted one. Source: Csurka, Larlus and Perronnin, "What is a
    good evaluation measure for semantic segmentation?", BMVC 2013
    (http://www.bmva.org/bmvc/2013/Papers/paper0032/paper0032.pdf), where distance is Euclidean;
    here near is a square, which costs two passes over the rows and columns.

    Parameters
    ----------
    truth, prediction : arrays `(H, W)`; any number but 0 is the object
    tolerance : int
        In pixels, along rows or columns, whichever is more, such as `default_tolerance`.
    counts : bool array `(H, W)`, or True
        What is False is as what lies beyond the image.

    Returns
    -------
    float
        In [0, 1]. Without a boundary in one of the masks (empty, or full) 1 if they are equal,
        else 0.
    """
    truth, prediction = np.asarray(truth, bool) & counts, np.asarray(prediction, bool) & counts
    true, predicted = edge(truth, counts), edge(prediction, counts)
    if not (true.any() and predicted.any()):
        return float(np.array_equal(truth, prediction))
    precision = np.count_nonzero(predicted & thickened(true, tolerance)) / predicted.sum()
    recall = np.count_nonzero(true & thickened(predicted, tolerance)) / true.sum()
    return float(2 * precision * recall / (precision + recall)) if precision else 0.0


def default_tolerance(size):
    """0.2% of the diagonal of (height, width), in whole pixels, at least 1; Carvana's is 5."""
    return max(1, round(0.002 * float(np.hypot(*size))))


def edge(mask, counts=True):
    """The pixels of a bool mask `(H, W)` with a neighbour outside the mask, above, below or beside.

    The image's border is no edge: where it cuts an object, the object has no outline there. Nor is
    the border of what `counts`, a bool array `(H, W)`, in which the mask lies.
    """
    from scipy import ndimage  # half a second: not for those who import `scores` for a dice

    return mask & ~ndimage.binary_erosion(mask | np.logical_not(counts), border_value=1)


def thickened(pixels, tolerance):
    """Bool `(H, W)`: where a square of 2 `tolerance` + 1 pixels holds at least one of `pixels`."""
    from scipy import ndimage

    return ndimage.maximum_filter(pixels, 2 * tolerance + 1, mode="constant")
