"""Kaggle's files: Carvana and Massachusetts Buildings downloaded, zips extracted, mounts found."""

from unet_tf.kaggle.carvana import CARVANA, TEST_IMAGES, download
from unet_tf.kaggle.massachusetts import BUILDINGS, download_buildings
from unet_tf.kaggle.source import KaggleError, mounted
from unet_tf.kaggle.zips import extract
