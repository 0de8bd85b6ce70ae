"""What is found in a folder that settings follow from: sizes, detail, directions, light."""

import dataclasses
from collections import Counter

import numpy as np
from PIL import Image

from unet_tf import data
from unet_tf.data import VOID, resized, resized_back, size_at

MOST_PAIRS, MOST_PIXELS = 24, 2**26  # that are looked at
THUMB = 16  # pixels a side of the small grey pictures in which directions are looked for
SEEN = 256  # pixels of the longer side in which lines are looked for


@dataclasses.dataclass
class Found:
    """The facts of a folder.

    Attributes
    ----------
    labels : unet_tf.data.Labels
    images : dict, {part: number of images}: "all", or those that are given
    sizes : Counter of (height, width), of the images to train on
    shares : dict, {class: share of the pixels that are not void}
    masks : list of uint8 `(H, W)`, ids of some masks, evenly taken
    upright, sided, crossed : float
        What thumbnails, of mean 0 and norm 1, have in common of that which changes when they are
        turned over, top to bottom, left to right, and about the diagonal: the mean product of two
        of them. 0 where images have no top, no left, no direction; 0.18 of cars in a studio, 0.46
        of streets.
    lines : float
        How many times its spread the logarithm of vertical over horizontal change is away from 0:
        above 1 all images have lines in one direction.
    light, tint : float in [0, 1]
        Standard deviation between images of their mean brightness, and of their saturation.
    """

    labels: data.Labels
    images: dict
    sizes: Counter
    shares: dict
    masks: list
    upright: float = 0.0
    sided: float = 0.0
    crossed: float = 0.0
    lines: float = 0.0
    light: float = 0.0
    tint: float = 0.0

    @property
    def to_split(self):
        """How many images there are to train on, or to split into the parts."""
        return self.images.get("all") or self.images["train"]

    def kept(self, image_size):
        """What is left of the masks at a size that a network works at.

        Each class of each mask is made smaller, each pixel its share of it, and larger again; the
        most probable class of each pixel then stands against the mask: dice of each class, pooled
        over the masks.

        Parameters
        ----------
        image_size : (height, width), None, or a share, as in `unet_tf.data.size_at`

        Returns
        -------
        float in [0, 1]: of two classes the worse dice, of more the mean
        """
        counts = np.zeros((len(self.labels.names), 2))
        for mask in self.masks:
            counts += met_again(mask, size_at(image_size, mask.shape), len(counts))
        dice = 2 * counts[:, 0] / np.maximum(counts[:, 1], 1)
        dice = dice[counts[:, 1] > 0]
        return float(dice.min() if len(self.labels.names) == 2 else dice.mean())


def met_again(mask, size, classes):
    """For each class the pixels that are of it before and after, and the sum of both counts."""
    best, after = np.zeros(mask.shape, "float32"), np.full(mask.shape, VOID, "uint8")
    for label in range(classes):
        of_it = (255 * (mask == label)).astype("uint8")
        share = resized_back(resized(of_it, size, "area").astype("float32"), mask.shape)
        after[share > best], best = label, np.maximum(share, best)
    after[mask == VOID] = VOID
    sets = mask[mask == after], mask, after
    same, before, now = (np.bincount(ids.ravel(), minlength=256)[:classes] for ids in sets)
    return np.stack([same, before + now], axis=1)


def found_in(pairs, images, labels, pixels, value_range=None):
    """The `Found` of a folder.

    Parameters
    ----------
    pairs : list of unet_tf.data.Pair
        What is trained on, or will be split: some of them are read, evenly taken.
    images : dict, {part: number of images}
    labels : unet_tf.data.Labels
    pixels : int array `(256,)`
        Of each class id in the masks to train on, void at `VOID` (`unet_tf.doctor.Report.pixels`).
    value_range : as in `unet_tf.data.to_rgb`
    """
    sizes = Counter(data.size_of(image) for image, _ in pairs)
    largest = max(height * width for height, width in sizes)
    count = min(len(pairs), MOST_PAIRS, max(2, MOST_PIXELS // largest))
    chosen = [pairs[number] for number in np.linspace(0, len(pairs) - 1, count).astype(int)]
    names, held = labels.names, pixels[: len(labels.names)]
    shares = dict(zip(names, (held / max(1, held.sum())).tolist(), strict=True))
    looks = [look(data.read_image(image, value_range)) for image, _ in chosen]
    thumbs, lines, light, tint = (np.array(each) for each in zip(*looks, strict=True))
    return Found(
        labels,
        images,
        sizes,
        shares,
        [labels.read(mask) for _, mask in chosen],
        in_common((thumbs - thumbs[:, ::-1]) / 2),
        in_common((thumbs - thumbs[:, :, ::-1]) / 2),
        in_common((thumbs - thumbs.transpose(0, 2, 1)) / 2),
        float(abs(lines.mean()) / max(lines.std(), 0.05)),
        float(light.std()),
        float(tint.std()),
    )


def look(pixels):
    """Of an image, uint8 `(H, W, 3)`: its thumbnail, float `(THUMB, THUMB)` of mean 0 and norm 1;
    the logarithm of its vertical over its horizontal change; its mean brightness and saturation in
    [0, 1]."""
    image = Image.fromarray(pixels)
    image.thumbnail((SEEN, SEEN), Image.Resampling.BOX)
    pixels = np.asarray(image, "float32") / 255
    grey = pixels.mean(axis=2)
    thumb = data.resized((255 * grey).astype("uint8"), (THUMB, THUMB)).astype("float64")
    thumb -= thumb.mean()
    thumb /= max(np.linalg.norm(thumb), 1e-9)
    down, right = (np.abs(np.diff(grey, axis=axis)).mean() + 1e-6 for axis in (0, 1))
    saturation = (pixels.max(axis=2) - pixels.min(axis=2)).mean()
    return thumb, np.log(down / right), grey.mean(), saturation


def in_common(pictures):
    """The mean product of two different ones of these pictures, `(n, h, w)`."""
    flat = pictures.reshape(len(pictures), -1)
    products = flat @ flat.T
    others = len(flat) * (len(flat) - 1)
    return float((products.sum() - np.trace(products)) / max(1, others))
