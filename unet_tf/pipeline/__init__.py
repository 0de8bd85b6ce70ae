"""From files to batches: read, resize, cache, shuffle, batch, augment, prefetch (tf.data)."""

from unet_tf.pipeline.augmentation import augment
from unet_tf.pipeline.batches import AUTOTUNE, augmented, dataset, decoded, each_epoch, fold_in
from unet_tf.pipeline.batches import shuffled, to_float, untuned
from unet_tf.pipeline.cache import cache_file, chosen_cache, fingerprint, free_memory, sizes_of
from unet_tf.pipeline.crops import crop_dataset, in_parts, parts_of
