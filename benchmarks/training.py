"""Seconds of an epoch as a user sees it: the article as written against ours.

    python benchmarks/training.py --models simple              # 1000 pairs
    python benchmarks/training.py --models unet --pairs 250    # a quarter of an epoch each

Rendered pairs of 1918x1280, four fifths to train on and one to validate on, to 96x128, batches of
32; of fewer pairs, what is saved at an epoch's end, more on our side, weighs more. The article: its
pipeline (parallel as TensorFlow makes it, without its tuning thread), in float32, the best model
saved. Ours: `unet_tf.training` with shuffling and paired augmentation, in the precision that suits
the hardware, all that a resumed run needs saved. Each measurement is a process of its own, after a
step on other batches of the same files that builds the graph. Of our epochs the first reads the
files, the later one the cache. Writes `results/speed/training_<model>.json`.
"""

import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import measure

MODELS = {"simple": "article_simple", "unet": "article_unet"}
ARTICLE, FIRST, LATER = "the article's epoch", "our first epoch", "our later epochs"


def epochs_of(model, train, validation, count, callbacks, first):
    """Seconds of `count` epochs of a compiled model, validation and callbacks included; `first` is
    a data set like `train`, of one batch, to build the graph with."""
    import keras

    times = []

    def stamp(epoch, logs):
        times.append(time.perf_counter())

    start = keras.callbacks.LambdaCallback(on_epoch_begin=stamp)
    end = keras.callbacks.LambdaCallback(on_epoch_end=stamp)
    model.fit(first, validation_data=first, verbose=0)
    model.fit(
        train,
        validation_data=validation,
        epochs=count,
        shuffle=False,
        callbacks=[start, *callbacks, end],
        verbose=0,
    )
    return [end - start for start, end in zip(times[::2], times[1::2], strict=True)]


def divided(pairs):
    """The pairs to train on, and those to validate on: four fifths and one."""
    count = len(pairs) * 4 // 5
    return pairs[:count], pairs[count:]


def article_epoch(name, pairs, folder):
    """Seconds of one epoch as the article has it."""
    import article
    import keras

    from unet_tf import protocol

    recipe = protocol.get(name, "as written")
    model = recipe.build((*recipe.image_size, 3), recipe.filters)
    optimizer = keras.optimizers.Adam(recipe.learning_rate, epsilon=recipe.epsilon)
    model.compile(optimizer, recipe.loss)
    callbacks = [
        keras.callbacks.EarlyStopping("val_loss", patience=recipe.patience),
        keras.callbacks.ModelCheckpoint(folder / "best.keras", "val_loss", save_best_only=True),
    ]
    train, validation = (article.dataset(part, tuned=False) for part in divided(pairs))
    first = article.dataset(pairs[:32], tuned=False)
    return epochs_of(model, train, validation, 1, callbacks, first)


def our_epochs(name, pairs, folder):
    """Seconds of our first epoch and of a later one."""
    import keras

    from unet_tf import network, pipeline, protocol
    from unet_tf.training import AtEpoch, set_precision, watchers

    recipe = protocol.get(name)
    set_precision()
    model = recipe.build((*recipe.image_size, 3), recipe.filters)
    optimizer = keras.optimizers.Adam(recipe.learning_rate, epsilon=recipe.epsilon)
    model.compile(optimizer, recipe.loss, metrics=[network.hard_dice])
    options = {"image_size": recipe.image_size, "cache": "memory"}
    for_training, for_validation = divided(pairs)
    training = pipeline.dataset(for_training, shuffle=True, augment=True, **options)
    validation = pipeline.dataset(for_validation, **options)
    callbacks = [AtEpoch(training), *watchers(folder=folder)]
    first = pipeline.dataset(pairs[:32], recipe.image_size)
    return epochs_of(model, training, validation, 2, callbacks, first)


def main():
    parser = measure.parser(__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=tuple(MODELS))
    parser.add_argument("--pairs", type=int, default=measure.PAIRS)
    parser.add_argument("--one", choices=("article", "ours"), help="measure this one here")
    arguments = parser.parse_args()
    if arguments.one:
        one = article_epoch if arguments.one == "article" else our_epochs
        with tempfile.TemporaryDirectory() as folder:
            name = MODELS[arguments.models[0]]
            print(json.dumps(one(name, measure.large_pairs(arguments.pairs), Path(folder))))
        return
    for model in arguments.models:
        seconds = {ARTICLE: [], FIRST: [], LATER: []}
        for _ in range(arguments.rounds):
            for one, ways in (("article", (ARTICLE,)), ("ours", (FIRST, LATER))):
                options = "--one", one, "--models", model, "--pairs", arguments.pairs
                found = measure.in_a_process(__file__, *options)
                for way, taken in zip(ways, found, strict=True):
                    seconds[way].append(taken)
                    print(f"{model}: {way}: {taken:.1f} s", flush=True)
        record = {"model": model, "pairs": arguments.pairs, "rounds": arguments.rounds, "ways": {}}
        for way, taken in seconds.items():
            ratio = measure.faster(seconds[ARTICLE], taken)
            record["ways"][way] = {"seconds": measure.spread(taken), "times_the_article": ratio}
            print(f"{model}: {way}: {measure.shown(ratio)} times as fast as the article's")
        measure.write(arguments.to, f"training_{model}", record)


if __name__ == "__main__":
    main()
