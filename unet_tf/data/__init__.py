"""From a folder to arrays: find the data, pair, split and read them; no TensorFlow."""

from unet_tf.data.card import Card, size_given
from unet_tf.data.guess import MOST, from_masks, find_labels, grey_values, with_greys
from unet_tf.data.images import SUFFIXES, UNDECODABLE, ids_at, keep_freed_memory, open_image
from unet_tf.data.images import read_image, read_mask, read_resized, resized, resized_back
from unet_tf.data.images import size_of, to_rgb
from unet_tf.data.labels import Labels
from unet_tf.data.pairs import CARVANA, GIVEN, Pair, files_by_stem, given, layout, pair
from unet_tf.data.pairs import unlabelled, unzipped, without_pairs
from unet_tf.data.places import find
from unet_tf.data.splits import Split, described, divide, group_of, groups_fit, parts, split
from unet_tf.data.splits import word_of
from unet_tf.data.tables import TABLES, VOID_NAMES, agreed_table, palette_of, read_table
from unet_tf.data.tables import table_of, write_table
from unet_tf.data.values import VOID, ids_of, save_ids, unknown_of, values_in, values_of
