"""Downloads from Kaggle: Carvana and Massachusetts Buildings."""

from unet_tf.kaggle.carvana import DATA, RULES, TEST_IMAGES, download, extract, mounted
from unet_tf.kaggle.massachusetts import PAGE, download_buildings, mounted_buildings
from unet_tf.kaggle.source import KaggleError
