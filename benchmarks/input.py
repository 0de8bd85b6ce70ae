"""Pairs a second that come out of the input pipeline: the article's, ours, and the steps between.

    python benchmarks/input.py                       # 1000 rendered pairs of 1918x1280 to 96x128

Every round passes over all pairs once a way, the ways in turn. "Later passes" are those of an
epoch after the first; the article keeps nothing, so its later passes are as its first. Writes
`results/speed/input.json`.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import article
import measure
import tensorflow as tf

from unet_tf import pipeline

SIZE = (96, 128)
ARTICLE, OURS = "the article's", "ours"
LATER, DRAWN = "ours, later passes", "ours, later passes, shuffled and augmented"


def read_whole(path, image_size, resize):
    """`pipeline.read_resized` without its short cut."""
    image = pipeline.read_image(path)
    return pipeline.resized(image, image_size, resize), image.shape[:2]


def seconds_of(batches):
    start = time.perf_counter()
    for _ in batches:
        pass
    return time.perf_counter() - start


def wholly(pairs):
    """One pass that reads every JPEG whole."""
    small, pipeline.read_resized = pipeline.read_resized, read_whole
    try:
        return seconds_of(pipeline.dataset(pairs, SIZE))
    finally:
        pipeline.read_resized = small


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=measure.PAIRS)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    pairs = measure.large_pairs(arguments.pairs)
    cached = pipeline.dataset(pairs, SIZE, cache="memory")
    drawn = pipeline.dataset(pairs, SIZE, cache="memory", shuffle=True, augment=True)
    for batches in (cached, drawn):
        seconds_of(batches)  # fills the cache
    ways = {
        ARTICLE: lambda: seconds_of(article.dataset(pairs)),
        "read in parallel": lambda: seconds_of(article.dataset(pairs, tf.data.AUTOTUNE)),
        "by Pillow, photographs by area": lambda: wholly(pairs),
        OURS: lambda: seconds_of(pipeline.dataset(pairs, SIZE)),
        LATER: lambda: seconds_of(cached),
        DRAWN: lambda: seconds_of(drawn),
    }
    seconds = measure.in_turn(ways, arguments.rounds)
    record = {"pairs": len(pairs), "image_size": SIZE, "rounds": arguments.rounds, "ways": {}}
    for way, found in seconds.items():
        rate = measure.spread([len(pairs) / one for one in found])
        ratio = measure.faster(seconds[ARTICLE], found)
        record["ways"][way] = {"pairs_a_second": rate, "times_the_article": ratio}
        print(f"{way:43} {measure.shown(rate)} pairs/s, {measure.shown(ratio)} times the article's")
    measure.write("input", record)


if __name__ == "__main__":
    main()
