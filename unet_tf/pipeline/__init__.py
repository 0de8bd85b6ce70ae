"""From files to batches: read, resize, cache, shuffle, batch, augment, prefetch (tf.data)."""

from unet_tf.pipeline.augmentation import augment
from unet_tf.pipeline.batches import dataset, decoded, fold_in, shuffled, to_float, untuned
from unet_tf.pipeline.cache import cache_file, chosen_cache, fingerprint, free_memory, sizes_of
from unet_tf.pipeline.crops import crop_dataset, in_parts, parts_of
