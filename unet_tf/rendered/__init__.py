"""The embedded data, rendered: cars, the parts of cars, a town. No photographs."""

from unet_tf.rendered.writer import cache, is_rendered, write
