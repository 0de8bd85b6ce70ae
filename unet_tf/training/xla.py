"""XLA, which compiles a training's step for a GPU: when it pays, and for whole batches alone."""

import tensorflow as tf

from unet_tf.files import UserError
from unet_tf.network import JAX, gpus

# On an H200 a step of the article's U-Net is 14 ms shorter by XLA, and a first epoch 23 to 35 s
# longer (benchmarks/README.md).
PAYS = 2500  # steps


def chosen_xla(model, steps, asked="auto", several=False):
    """Is the step to be compiled by XLA? Printed in a line where there is a choice.

    Parameters
    ----------
    model : keras.Model
    steps : int, of the whole training, at most
    asked : "auto" or bool
        "auto" is yes on a GPU, for a training of `PAYS` steps or more.
    several : bool
        On several devices each step is TensorFlow's own.

    Raises
    ------
    UserError
        It is asked for, and cannot be: the model holds a layer that XLA does not know. On JAX:
        False is asked for, and JAX compiles every step.
    """
    if JAX:
        if asked is False:
            raise UserError("JAX compiles every training by XLA: leave it on auto")
        return True
    unknown = [layer.name for layer in model._flatten_layers() if not layer.supports_jit]
    if asked is True and (unknown or several):
        reason = (
            f"it does not know {', '.join(unknown)}" if unknown else "there are several devices"
        )
        raise UserError(f"XLA cannot compile this training: {reason}. Leave it on auto, or off")
    if asked == "auto" and not gpus():
        return False
    chosen = asked if asked != "auto" else steps >= PAYS and not unknown and not several
    if chosen:
        print("XLA: on; it compiles now, once, for about a minute")
    else:
        print(f"XLA: off{' as asked' if asked is False else f', for {steps} steps at most'}")
    return chosen


def by_xla(step):
    """A function of an iterator, as `keras.Model.fit` calls it, of a step for a batch.

    Batches of the first one's shape go through XLA. Any other, such as the shorter last one of an
    epoch, would be compiled anew: it takes TensorFlow's own graph, and so needs no padding, which
    would change the statistics of batch norm.
    """
    compiled = tf.function(step, jit_compile=True, autograph=False)
    plain = tf.function(step, reduce_retracing=True, autograph=False)
    first = []

    def function(iterator):
        batch = next(iterator)
        shape = batch[0].shape
        first[:] = first or [shape]
        return (compiled if shape == first[0] else plain)(batch)

    return function
