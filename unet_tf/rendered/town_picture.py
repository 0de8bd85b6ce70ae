"""A picture of a town, seen from straight above, and its mask.

A stand-in for the aerial photographs of Mnih (Machine Learning for Aerial Image Labeling, 2013),
and it says so: each picture is lettered RENDERED. A pixel is a metre at every size, as there. The
mask is the buildings' footprint, also where a tree hangs over the roof: Mnih's labels were drawn
from OpenStreetMap's footprints, not from the pixels. `town_plan` lays out streets and districts,
`town_blocks` fills their blocks, `town_board` draws what stands in them.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from unet_tf.rendered.town_blocks import LAWN
from unet_tf.rendered.town_board import Board
from unet_tf.rendered.town_plan import lay_out


def render_town(seed, number, size=(512, 512)):
    """One picture and its mask: uint8 (H, W, 3) RGB and uint8 (H, W) in {0, 1}, the same for the
    same `seed`, which is the town, and `number`, the picture, both 0 or more.

    `size` is (W, H) in pixels, 64 or more, which are metres: a larger picture shows more town. The
    picture is anti-aliased, slightly blurred, with a sensor's noise, and lettered RENDERED. The
    mask is hard: 1 where a pixel's centre lies in a building's footprint, under trees as well.
    """
    rng, (width, height) = np.random.default_rng([seed, number]), size
    board = Board(rng, size, LAWN)
    lay_out(board)
    pixels = np.asarray(board.picture(), np.float32)

    def noise(scale):
        coarse = rng.standard_normal((height // scale + 4, width // scale + 4), np.float32)
        fine = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(fine)[..., None]

    texture = 0.13 * noise(1) + 0.10 * noise(3) + 0.13 * noise(14)
    texture = texture + 0.1 * noise(30) * np.array([1, 0, -0.3], np.float32)  # where grass is dry
    haze, gain = rng.uniform(4, 24), rng.normal(1.06, 0.06) * rng.normal(1, 0.015, 3)
    rgb = haze + (1 - haze / 255) * gain * (pixels[..., :3] + pixels[..., 3:] * texture)
    image = Image.fromarray(rgb.clip(0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 0.7)))
    ImageDraw.Draw(image).text((5, height - 5), "RENDERED", "#f2f2ee", ImageFont.load_default(10),
                               "ls", stroke_width=1, stroke_fill="#3a3c3c")  # fmt: skip
    grain = 2.2 * rng.standard_normal((height, width, 3), np.float32)
    image = (np.asarray(image) + grain + 0.5).clip(0, 255).astype(np.uint8)
    return image, board.mask().astype(np.uint8)
