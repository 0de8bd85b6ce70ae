"""A model handed on: a file for other programs, what it lost, and a page that runs it."""

from unet_tf.export.check import HEADS, cells, check, pairs_to_check, table
from unet_tf.export.formats import QUANTIZABLE, export, writer_of
from unet_tf.export.page import server, write_page
from unet_tf.export.runtimes import need_runtime
