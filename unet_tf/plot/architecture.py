"""A network drawn from the model itself: sizes, channels, the way down and up, and skips."""

import math
from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, Rectangle

from unet_tf.files import UserError

MAP, SKIP, EDGE = "#9ecae1", "#fdd0a2", "0.25"
STEPS = {"down": "0.1", "up": "0.5"}  # the colours of arrows from stage to stage
GAP, BETWEEN = 0.5, 0.12  # between stages, and between the maps of a stage, in inches


class Map(NamedTuple):
    """The output of a layer: its channels, and how many of them a skip brought."""

    channels: int
    skipped: int = 0


class Stage(NamedTuple):
    """Neighbouring layers whose outputs have one size."""

    size: tuple  # (height, width)
    way: str  # how the first came about: "input", "down" or "up"
    by: str  # by which layer, in words
    maps: list  # of Map
    skip: int | None  # the stage that a skip comes from


def network(model, title=None):
    """A drawing of a model: the U, where it has skips, else the hourglass.

    Each bar is the output of a convolution, or of a skip joined to what came up: its height goes
    with the image's height at that place, its width with the channels, whose number stands above
    it. What a skip brought is hatched.

    Parameters
    ----------
    model : keras.Model
        One of `unet_tf.network`, or built like them.
    title : str, optional

    Raises
    ------
    UserError
        The model is for images of any size, so its layers have none.
    """
    stages = stages_of(model)
    depths = depths_of(stages)
    places, x = [], 0.0
    for stage in stages:
        height, y = height_of(stage, stages), depths[stage.size]
        bars = []
        for one in stage.maps:
            width = 0.05 + 0.035 * math.log2(one.channels)
            bars.append((x, width, one))
            x += width + BETWEEN
        places.append((y, height, bars))
        x += GAP - BETWEEN
    wide, low = x - GAP, min(y - height / 2 for y, height, _ in places)
    bottom, top = low - (0.9 if len(set(depths.values())) > 1 else 0.75), 1.1
    inch = 7.4 / (wide + 0.6)
    figure = plt.figure(figsize=(7.4, inch * (top - bottom) + 0.25), dpi=100)
    axis = figure.add_axes((0.01, 0.01, 0.98, 0.92 if title else 0.98))
    axis.set(xlim=(-0.3, wide + 0.3), ylim=(bottom, top))
    axis.axis("off")
    for stage, place in zip(stages, places, strict=True):
        draw_stage(axis, stage, place)
    for stage, before, place in zip(stages[1:], places, places[1:], strict=False):
        draw_arrow(axis, before, place, 0.03, color=STEPS[stage.way], lw=1.4, zorder=3)
        if stage.skip is not None:
            skip = {"color": "#d95f0e", "ls": "--", "lw": 1.1, "zorder": 1}
            draw_arrow(axis, places[stage.skip], place, 0.05, **skip)
    if title:
        axis.set_title(title, fontsize=10)
    legend(axis, stages)
    return figure


def height_of(stage, stages):
    """The height of a stage's bars, in drawing units: small images stay visible."""
    return 1.3 * (stage.size[0] / stages[0].size[0]) ** 0.6


def depths_of(stages):
    """How low each size is drawn: one below the other where there are skips, else all at 0."""
    if all(stage.skip is None for stage in stages):
        return dict.fromkeys((stage.size for stage in stages), 0.0)
    depths, y, above = {}, 0.0, None
    for stage in stages:
        if stage.size not in depths:
            height = height_of(stage, stages)
            y -= (above + height) / 2 + 0.38 if above else 0.0
            depths[stage.size], above = y, height
    return depths


def stages_of(model):
    """The stages of a model, in order."""
    if None in model.input_shape[1:3]:
        raise UserError(
            f"{model.name} is for images of any size: build it for one to draw it, such as "
            "(96, 128, 3)"
        )
    stages, where = [], {}
    for layer in model.layers:
        name, shape = type(layer).__name__, layer.output.shape
        size, channels = tuple(shape[1:3]), shape[3]
        if name == "InputLayer":
            stages.append(Stage(size, "input", "", [Map(channels)], None))
        elif stages[-1].size != size:
            way = "down" if size[0] < stages[-1].size[0] else "up"
            stages.append(Stage(size, way, in_words(layer), [], None))
        if name == "Concatenate":
            sources = [where[tensor._keras_history.operation.name] for tensor in layer.input]
            far = [n for n in sources if n != len(stages) - 1]
            skipped = sum(
                tensor.shape[3] for tensor, n in zip(layer.input, sources, strict=True) if n in far
            )
            stages[-1] = stages[-1]._replace(skip=far[0] if far else None)
            stages[-1].maps.append(Map(channels, skipped))
        elif name in ("Conv2D", "Conv2DTranspose") and not joined_next(layer):
            stages[-1].maps.append(Map(channels))
        where[layer.name] = len(stages) - 1
    return [stage for stage in stages if stage.maps]


def joined_next(layer):
    """Is a layer's output only half of what is joined to a skip? Then it is drawn there."""
    followers = [node.operation for node in layer._outbound_nodes]
    return len(followers) == 1 and type(followers[0]).__name__ == "Concatenate"


def in_words(layer):
    """What a step down or up is done by."""
    name = type(layer).__name__
    if name.startswith("Conv"):
        kernel = "x".join(map(str, layer.kernel_size))
        kind = "transposed convolution" if "Transpose" in name else "convolution, stride 2"
        return f"{kernel} {kind}"
    return {"MaxPooling2D": "2x2 max pooling", "UpSampling2D": "bilinear upsampling"}.get(
        name, "padding or cropping"
    )


def draw_stage(axis, stage, place):
    """The bars of a stage, their channels above, its size below."""
    y, height, bars = place
    for x, width, one in bars:
        share = one.skipped / one.channels
        box = {"height": height, "ec": EDGE, "lw": 0.7, "zorder": 2}
        axis.add_patch(Rectangle((x, y - height / 2), width, fc=MAP, **box))
        if share:
            hatched = {**box, "fc": SKIP, "hatch": "////"}
            axis.add_patch(Rectangle((x, y - height / 2), width * share, **hatched))
        text = {"ha": "center", "va": "bottom", "fontsize": 7, "rotation": 60}
        axis.text(x + width / 2, y + height / 2 + 0.04, f"{one.channels}", **text)
    left, right = bars[0][0], bars[-1][0] + bars[-1][1]
    below = {"ha": "center", "va": "top", "fontsize": 7, "color": "0.35"}
    axis.text((left + right) / 2, y - height / 2 - 0.05, "x".join(map(str, stage.size)), **below)


def draw_arrow(axis, source, target, gap, **style):
    """An arrow from the last bar of one stage to the first of another, so far from either."""
    (y, _, bars), (next_y, _, next_bars) = source, target
    start, end = (bars[-1][0] + bars[-1][1] + gap, y), (next_bars[0][0] - gap, next_y)
    options = {"arrowstyle": "-|>", "mutation_scale": 9, "shrinkA": 0, "shrinkB": 0}
    axis.add_patch(FancyArrowPatch(start, end, **options, **style))


def legend(axis, stages):
    """What the bars and arrows are, below the drawing."""
    lines = [(MAP, None, "output of a convolution; above: its channels")]
    if any(stage.skip is not None for stage in stages):
        lines.append((SKIP, "////", "brought by a skip (dashed)"))
    handles = [Rectangle((0, 0), 1, 1, fc=c, hatch=h, ec=EDGE, label=w) for c, h, w in lines]
    for way, colour in STEPS.items():
        if by := next((stage.by for stage in stages if stage.way == way), None):
            handles += axis.plot([], [], color=colour, lw=1.4, label=f"{way}: {by}")
    options = {"loc": "lower center", "ncols": 2, "fontsize": 7.5, "frameon": False}
    axis.legend(handles=handles, bbox_to_anchor=(0.5, 0.0), **options)
