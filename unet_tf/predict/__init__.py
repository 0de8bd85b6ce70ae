"""From a saved model and images of any size to masks of the images' own size."""

from unet_tf.predict.files import named
from unet_tf.predict.folder import save_mask, to_folder
from unet_tf.predict.saved import Predictor, compiled, load
from unet_tf.predict.scored import scored
from unet_tf.predict.stream import KEPT, predict, predictions, probabilities
from unet_tf.predict.submission import to_submission
from unet_tf.predict.tiles import AXES, flipped, tiled
