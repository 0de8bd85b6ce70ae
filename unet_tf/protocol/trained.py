"""The training of a recipe: labels, batches, model, loss, card, and `unet_tf.training.fit`."""

import contextlib
import shutil
from pathlib import Path

import keras

from unet_tf import data, network, scores
from unet_tf.files import UserError
from unet_tf.protocol.batches import batches_of
from unet_tf.protocol.identity import settings_to_resume
from unet_tf.protocol.judge import progress
from unet_tf.training import fit

# What a run leaves behind its training, beside the files of `unet_tf.training.fit`.
RESULTS = ("result.json", "report.html", "predictions", "picture.png", "confusion.png")
RESULTS += ("classes.csv",)


def labels_for(recipe, folder, parts):
    """What the masks of a recipe's data mean (`unet_tf.data.Labels`).

    Raises `UserError` where a recipe of black and white masks meets a class table and other masks.
    """
    if recipe.classes:
        return data.find_labels(folder, parts, recipe.class_names)
    table, word = data.table_of(folder), data.word_of([i for part in parts for i, _ in part])
    if table:
        first = next(mask for part in parts for _, mask in part)
        try:
            data.read_mask(first)
        except UserError as error:
            raise UserError(
                f"{error}. Or, since the class table names {', '.join(table.names)}, take a recipe "
                "of classes, such as --recipe multiclass_unet; without --recipe `train` finds one"
            ) from None
    named = table.names[1] if table and len(table.names) == 2 else "foreground"
    return data.Labels.foreground("car" if word == "car" else named)


def loss_of(recipe, parts, labels):
    """The recipe's loss, with its class weights bound to it, if it has any, or what makes void of
    black and white masks count nowhere."""
    weights = recipe.class_weights
    if weights is None:
        void = recipe.region is not None and labels.binary
        return network.WithVoid(recipe.loss) if void else recipe.loss
    if isinstance(weights, str):
        weights = scores.frequency_weights(parts.train, labels, weights)
    if len(weights) != len(labels.names):
        raise UserError(f"{len(weights)} class weights for {len(labels.names)} classes")
    return network.Weighted(recipe.loss, weights)


def trained(recipe, parts, identity, labels, read, strategy, tracker, folder, resume, **options):
    """The trained model and its history; `read` reads masks (`unet_tf.data.reader`)."""
    training, validation, size = batches_of(recipe, parts, identity["seed"], read)
    whole = None if None in size else size  # crops are of no size of the whole image
    facts = ("recipe", "variant", "data", "seed", "code", "versions", "date")
    trained_on = {"images": len(parts.train), **{name: identity[name] for name in facts}}
    trained_on |= {"region": recipe.region} if recipe.region else {}
    trained_on |= {"batch_size": recipe.batch_size, "seen": data.digests(parts)}

    def begin(logs):
        """From here on what stands there is not finished; what is refused before leaves it."""
        for name in (*RESULTS, *([] if resume else ["mlflow.json"])) if folder else ():
            path = Path(folder) / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    begun = keras.callbacks.LambdaCallback(on_train_begin=begin)
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = recipe.model(size, labels)
        for layer in model.layers if strategy else ():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True  # over all devices: the statistics of one
        options |= {
            "loss": loss_of(recipe, parts, labels),
            "metrics": [network.metric_for(labels.channels, void=recipe.region is not None)],
            "settings": settings_to_resume(identity),
            "callbacks": [begun, *([tracker] if tracker else [])],
            "card": data.Card(labels, whole, recipe.resize, 0.5, trained_on, recipe.value_range),
        }
        if options["verbose"] == 2:  # a line an epoch
            options["verbose"] = 0
            options["callbacks"].append(progress(recipe, labels, parts, read))
        kept = {"folder": folder, "resume": resume}
        history = fitted(recipe, model, training, validation, **kept, **options)
    return model, history


def fitted(recipe, model, training, validation, loss=None, **options):
    """`unet_tf.training.fit` with the settings of a recipe; `options` are more of its arguments."""
    rate = recipe.learning_rate
    if recipe.schedule == "cosine":
        steps = recipe.epochs * int(training.cardinality())
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    return fit(
        model,
        training,
        validation,
        epochs=recipe.epochs,
        loss=loss or recipe.loss,
        optimizer=keras.optimizers.Adam(rate, epsilon=recipe.epsilon),
        monitor=recipe.monitor,
        patience=recipe.patience,
        **options,
    )
