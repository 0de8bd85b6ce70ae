"""A model against a labelled folder: scores of images that it has not seen."""

from unet_tf import data, scores
from unet_tf.predict.stream import predictions, whole
from unet_tf.predict.usage import decided


def scored(model, folder, part=None, seen=False, region=None, batch_size=None, patterns=None):
    """Every score of a saved model on a labelled folder, of images that it has not seen.

    Parameters
    ----------
    model : Predictor
        As `load` gives it; its card says what it has seen, and how it is used.
    folder, part, seen, patterns : as in `unet_tf.data.held_out`
    region : str, optional
        Files of what counts (`unet_tf.data.reader`).
    batch_size : int, optional
        As in `predictions`; that of its training, or 16.

    Returns
    -------
    dict, ready for JSON: `unet_tf.scores.report` or `class_report`; with `baseline`, the score of
    a constant prediction, where the folder holds the images that trained

    Raises
    ------
    UserError
        As `held_out` and `reader`; for a mask that the model's labels cannot mean.
    """
    card = model.card
    if region is None and "region" in card.trained_on:
        print(
            f"This model was trained within {card.trained_on['region']} alone: what it says "
            "outside means nothing, so score it by --region, too"
        )
    pairs, train = data.held_out(folder, part, card, seen, patterns)
    read = data.reader(card.labels, pairs, folder, region)
    batch_size = batch_size or card.trained_on.get("batch_size", 16)

    def finish(path, answer, size):
        return answer if card.labels.binary else decided(card, answer, size)

    images = [image for image, _ in pairs]
    answers = whole(predictions(model, images, finish, batch_size=batch_size))
    options = {"threshold": card.threshold, "batch_size": batch_size}
    return scores.of_answers(pairs, answers, card.labels, read, train, card.image_size, **options)
