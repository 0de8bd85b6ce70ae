"""From a folder to arrays: find the data, pair, split and read them; no TensorFlow."""

from unet_tf.data.card import Card, size_given
from unet_tf.data.find_labels import MOST_CLASSES, find_labels, labels_of_values, with_greys
from unet_tf.data.folds import folds
from unet_tf.data.held_out import digest, digests, held_out
from unet_tf.data.headers import Unreadable
from unet_tf.data.images import (
    MOST_AT_ONCE,
    REPLACE,
    SUFFIXES,
    UNDECODABLE,
    ids_at,
    keep_freed_memory,
)
from unet_tf.data.images import open_image, read_image, read_resized, resized, resized_back
from unet_tf.data.images import size_at, size_of
from unet_tf.data.labels import Labels
from unet_tf.data.masks import VOID, as_keys, counted, drawn, ids_of, nearest, read_mask, save_ids
from unet_tf.data.masks import values_of
from unet_tf.data.checked_pairs import pair
from unet_tf.data.choice import part_folders
from unet_tf.data.layouts import objects_apart
from unet_tf.data.listings import listing, unused
from unet_tf.data.pairs import CARVANA, Pair, given, layout, names_of, unlabelled
from unet_tf.data.places import find
from unet_tf.data.ranges import RANGE, in_words, is_deep, known_range, range_of, span_of, to_rgb
from unet_tf.data.regions import reader, region_at, regions_of
from unet_tf.data.splits import Split, described, divide, group_of, groups_fit, groups_of
from unet_tf.data.splits import parts, split, word_of
from unet_tf.data.tables import TABLES, VOID_NAMES, palette_of, read_table, table_of, write_table
