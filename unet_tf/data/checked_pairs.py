"""The pairs of a folder, each of them whole."""

from collections import defaultdict

from unet_tf.data.choice import part_folders, parts_in_words
from unet_tf.data.images import size_of
from unet_tf.data.listings import listing
from unet_tf.data.pairs import refuse
from unet_tf.files import UserError


def pair(folder, patterns=None):
    """The pairs of `folder`, by name, sorted by name, each checked.

    Parameters
    ----------
    folder : path
        In one of many layouts; zips are extracted first. Where parts are given, the pairs of all
        of them, training first, then validation, then test; `parts` keeps them apart.
    patterns : (str, str), optional
        As in `unet_tf.data.choice.part_folders`.

    Returns
    -------
    list of Pair

    Raises
    ------
    UserError
        One error for all that is wrong: images without a mask and masks without an image, names
        that occur twice, unreadable and truncated files, masks of another size than their image.
    """
    place, parts = part_folders(folder, patterns)
    return [found for source in parts.values() for found in paired(place, source)]


def paired(folder, source):
    """The checked pairs of a `Source` in `folder`. See `pair`."""
    found, problems = listing(folder, source), defaultdict(list)
    problems["the same name twice"] += found.twice
    problems[f"in {source.names}, but no image is called so"] += found.absent
    problems["images without a mask"] += [path.name for path in found.unmasked]
    problems["masks without an image"] += [path.name for path in found.alone]
    for image, mask in found.pairs:
        try:
            image_size, mask_size = size_of(image), size_of(mask)
        except ValueError as error:
            problems["unreadable"].append(str(error))
            continue
        if image_size != mask_size:
            problems["image and mask differ in size (height x width)"].append(
                f"{image.name} {'x'.join(map(str, image_size))}, "
                f"{mask.name} {'x'.join(map(str, mask_size))}"
            )
    refuse(folder, problems)
    if not found.pairs:
        where = parts_in_words({"all": source})
        raise UserError(f"{folder}: {where} hold no images. Fill them first.")
    return found.pairs
