"""Pairs a second that come out of the input pipeline: the article's, ours, and the steps between.

    python benchmarks/input.py                       # 1000 rendered pairs of 1918x1280 to 96x128

Every round passes over all pairs once a way, the ways in turn, each in a process of its own. "Later
passes" are those of an epoch after the first; the article keeps nothing, so its later passes are as
its first. A pass is timed to its last batch: what the end of the article's waits for the tuning
thread (`unet_tf.pipeline.untuned`), often as long again, is not counted. Writes
`results/speed/input.json`.
"""

import json
import os
import time
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import article
import measure

from unet_tf import data, pipeline

SIZE = (96, 128)
ARTICLE = "the article's"


def read_whole(path, image_size, resize):
    """`pipeline.read_resized` without its short cut."""
    image = data.read_image(path)
    return data.resized(image, image_size, resize), image.shape[:2]


def seconds_of(batches):
    """Seconds of one pass, to its last batch."""
    start = time.perf_counter()
    for _ in batches:
        last = time.perf_counter()
    return last - start


def ours(pairs, whole=False, keep=True, later=False, **options):
    """Seconds of our first pass, or of one behind it, over what is then in memory."""
    if whole:
        data.read_resized = read_whole
    if not keep:
        data.keep_freed_memory = lambda: None
    batches = pipeline.dataset(pairs, SIZE, cache="memory" if later else None, **options)
    if later:
        seconds_of(batches)
    return seconds_of(batches)


WAYS = {
    ARTICLE: lambda pairs: seconds_of(article.dataset(pairs)),
    "by Pillow, photographs whole and by area": partial(ours, whole=True, keep=False),
    "small from the start": partial(ours, keep=False),
    "ours: and freed memory kept": ours,
    "ours, later passes": partial(ours, later=True),
    "ours, later passes, shuffled and augmented": partial(
        ours, later=True, shuffle=True, augment=True
    ),
}


def main():
    parser = measure.parser(__doc__)
    parser.add_argument("--pairs", type=int, default=measure.PAIRS)
    parser.add_argument("--one", choices=WAYS, help="measure this one here")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(WAYS[arguments.one](measure.large_pairs(arguments.pairs))))
        return
    options = "--pairs", arguments.pairs
    ways = {way: partial(measure.in_a_process, __file__, *options, "--one", way) for way in WAYS}
    seconds = measure.in_turn(ways, arguments.rounds)
    record = {"pairs": arguments.pairs, "image_size": SIZE, "rounds": arguments.rounds, "ways": {}}
    for way, found in seconds.items():
        rate = measure.spread([arguments.pairs / one for one in found])
        ratio = measure.faster(seconds[ARTICLE], found)
        record["ways"][way] = {"pairs_a_second": rate, "times_the_article": ratio}
        print(f"{way:43} {measure.shown(rate)} pairs/s, {measure.shown(ratio)} times the article's")
    measure.write(arguments.to, "input", record)


if __name__ == "__main__":
    main()
