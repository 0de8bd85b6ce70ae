"""The batches that a recipe trains and validates on, and the size that its model is built for."""

import itertools

from unet_tf import data, pipeline
from unet_tf.files import UserError


def batches_of(recipe, parts, seed, read):
    """Training and validation batches, and the (height, width) that the model is built for.

    Both are kept decoded, in memory or in a file, by what they take together; printed in a line.
    `read` is what reads a mask (`unet_tf.data.reader`).
    """
    size, batch_size = recipe.image_size, recipe.batch_size
    cache = pipeline.chosen_cache((parts.train, size), (parts.validation, size))
    kept = {"cache": cache, "read": read, "value_range": recipe.value_range}
    drawn = {"augment": recipe.augment, "seed": seed, **kept}
    kept["resize"] = recipe.resize
    if recipe.crop:
        crops = recipe.crop, recipe.crops, batch_size
        training = pipeline.crop_dataset(parts.train, *crops, **drawn, image_size=size)
        validation = pipeline.dataset(parts.validation, size, 1, **kept)
        validation = pipeline.in_parts(validation, pipeline.sizes_of(parts.validation, size))
        return training, validation, (None, None)
    drawn |= {"resize": recipe.resize, "shuffle": recipe.shuffle}
    training = pipeline.dataset(parts.train, size, batch_size, **drawn)
    validation = pipeline.dataset(parts.validation, size, batch_size, **kept)
    return training, validation, size or common_size(list(itertools.chain(*parts)))


def common_size(pairs):
    """The (height, width) of all images; UserError when they differ."""
    sizes = {}
    for image, _ in pairs:
        sizes.setdefault(data.size_of(image), image.name)
    if len(sizes) > 1:
        shown = ", ".join(f"{name} {h}x{w}" for (h, w), name in list(sizes.items())[:3])
        raise UserError(
            f"the images differ in size ({shown}; height x width): they cannot be trained at "
            "their native size in one batch, so give an --image-size, such as 96x128"
        )
    return next(iter(sizes))
