"""The published protocols as recipes, a run of one, its record and its place in a table."""

from unet_tf.protocol.folds import cross_validated
from unet_tf.protocol.identity import code_hash, name_of, provenance, split_hash
from unet_tf.protocol.ledger import comparable, summary, table
from unet_tf.protocol.networks import buildings_as_written, guide_unet, multiclass_unet
from unet_tf.protocol.pages import secret, ui
from unet_tf.protocol.published import GUIDE, GUIDE_AUGMENTATION, NAMES, RECIPES, UNET, get
from unet_tf.protocol.recipe import CHECKS, LOSSES, WEIGHTABLE, changed, quick
from unet_tf.protocol.report_page import words_of
from unet_tf.protocol.runs import run
from unet_tf.protocol.tracking import STORE, Tracker
from unet_tf.protocol.trained import fitted
from unet_tf.protocol.verdict import text as verdict_text
