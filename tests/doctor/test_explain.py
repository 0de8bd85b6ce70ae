"""Every usual cause is provoked with a model made by hand, and found; and no other is."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from unet_tf.data import Card, Labels, save_ids
from unet_tf.doctor import causes as usual
from unet_tf.doctor import explain
from unet_tf.files import UserError

SIZE = (48, 64)
THREE = Labels(("sky", "road", "car"), ((0, 0, 0), (128, 0, 0), (0, 128, 0)))
OBJECT = np.s_[12:36, 16:48]  # a quarter of the frame


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture
def files(tmp_path):
    """(image, mask): a reddish object, brightness 0.7, on a dark ground, brightness 0.1."""
    pixels = np.full((*SIZE, 3), 25, "uint8")
    pixels[OBJECT] = (245, 180, 110)
    truth = np.zeros(SIZE, "uint8")
    truth[OBJECT] = 1
    Image.fromarray(pixels).save(tmp_path / "image.png")
    Image.fromarray(truth * 255).save(tmp_path / "mask.png")
    return tmp_path / "image.png", tmp_path / "mask.png"


@pytest.fixture
def classes_files(tmp_path):
    """(image, mask): three levels of grey, 0.1, 0.5 and 0.9, each a class of its own."""
    ids = np.repeat([0, 1, 2], (24, 16, 24))[None].repeat(48, 0).astype("uint8")
    grey = np.array([25, 128, 230], "uint8")[ids]
    Image.fromarray(np.repeat(grey[..., None], 3, -1)).save(tmp_path / "image.png")
    save_ids(tmp_path / "mask.png", ids, np.array([*THREE.colours, *[(0, 0, 0)] * 253], "uint8"))
    return tmp_path / "image.png", tmp_path / "mask.png"


def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -80, 80)))


def brightness(images):
    return np.asarray(images).mean(axis=-1, keepdims=True)


def good(images, training=False):
    return sigmoid(30 * (brightness(images) - 0.4))


def noise(images):
    """Probabilities of 0.3 to 0.7 that have nothing to do with the image."""
    return np.random.default_rng(0).uniform(0.3, 0.7, (*images.shape[:3], 1))


def upper(images):
    """Is it the upper half?"""
    return (np.arange(images.shape[1]) < images.shape[1] // 2)[:, None, None]


def blue(images):
    return np.asarray(images)[..., 2:]


BINARY = {
    "good": (good, set()),
    "wants 0 to 255": (lambda x, training: good(x / 255), {usual.SCALE}),
    "wants red first": (lambda x, training: sigmoid(30 * (blue(x) - 0.7)), {usual.CHANNELS}),
    "wants half the size": (
        lambda x, training: good(x) if x.shape[1] == 24 else 0.01 * good(x),
        {usual.SIZE},
    ),
    "wants twice the size": (
        lambda x, training: good(x) if x.shape[1] == 48 else 0.01 * good(x),
        {usual.SIZE},
    ),
    "hesitant": (lambda x, training: 0.1 + 0.4 * brightness(x), {usual.THRESHOLD}),
    "the same everywhere": (lambda x, training: 0 * brightness(x) + 0.3, {usual.FEW}),
    "noise": (lambda x, training: noise(x), {usual.FEW}),
    "hesitant, half of it found": (  # dice 2/3 at 0.25, but an area of 0.75
        lambda x, training: 0.1 + 0.3 * upper(x) * (brightness(x) > 0.4),
        {usual.FEW},
    ),
    "all 0": (lambda x, training: 0 * brightness(x), {usual.COLLAPSED}),
    "all 1": (lambda x, training: 0 * brightness(x) + 1, {usual.COLLAPSED}),
    "logits": (lambda x, training: 30 * (brightness(x) - 0.4), {usual.LOGITS}),
    "NaN": (lambda x, training: brightness(x) * np.nan, {usual.NAN}),
    "NaN in one pixel": (
        lambda x, training: np.where(np.arange(x.shape[2])[:, None] == 3, np.nan, good(x)),
        {usual.NAN},
    ),
}


@pytest.mark.parametrize("name", BINARY)
def test_a_cause_is_found_and_no_other(name, files):
    model, expected = BINARY[name]
    size = (24, 32) if "twice" in name else SIZE
    explanation = explain(model, *files, image_size=size)
    assert set(explanation.found) == expected
    assert {cause.verdict for cause in explanation.causes} <= {"yes", "no"}  # there is a mask
    text = str(explanation)
    for what in expected:
        assert f"yes   {what}: " in text and f"-> {usual.REMEDIES[what]}" in text
    assert text.count("->") == len(expected)
    explanation.figure().canvas.draw()


def test_without_a_mask_it_is_no_more_than_likely(files):
    image, _ = files
    for name, (model, expected) in BINARY.items():
        size = (24, 32) if "twice" in name else SIZE
        explanation = explain(model, image, image_size=size)
        certain = {usual.LOGITS, usual.NAN}
        verdicts = {cause.what: cause.verdict for cause in explanation.causes}
        for what in expected - {usual.FEW}:
            assert verdicts[what] == ("yes" if what in certain else "maybe"), name
    explanation = explain(good, image, image_size=SIZE)
    assert explanation.found == []
    explanation.figure().canvas.draw()


def test_the_numbers_by_hand(files):
    """0.3 off the object, 0.4 on it, which is a quarter of the frame."""
    explanation = explain(
        lambda x, training: np.where(brightness(x) > 0.4, 0.4, 0.3), *files, image_size=SIZE
    )
    sweep = {round(threshold, 2): rest for threshold, *rest in explanation.sweep}
    assert sweep[0.25] == [1.0, pytest.approx(2 * 0.25 / 1.25)]
    assert sweep[0.35] == [0.25, 1.0]
    assert sweep[0.5] == [0.0, 0.0]
    assert explanation.found == [usual.THRESHOLD]
    (cause,) = [cause for cause in explanation.causes if cause.what == usual.THRESHOLD]
    assert "dice 0.000 at 0.50, 1.000 at 0.3" in cause.evidence
    assert "curve 1.000" in cause.evidence
    assert "prediction: background 100.0%, foreground 0.0%" in str(explanation)
    assert "  0.25 or more: 100.0% of the pixels, dice 0.400" in str(explanation)


def test_an_array_is_taken_as_it_is_fed(files):
    image, mask = files
    fed = np.asarray(Image.open(image)).astype("float32")
    assert explain(good, fed / 255, mask).found == []
    picky = lambda x, training: np.where(np.max(x) > 2, 0.0, good(x))  # noqa: E731
    assert explain(picky, fed, mask).found == [usual.SCALE]
    small = explain(good, fed[::2, ::2] / 255, mask)
    assert small.found == [] and small.prediction.shape == small.image.shape[:2] == SIZE


def test_a_model_built_for_one_size(files):
    inputs = keras.Input((24, 32, 3))
    outputs = keras.layers.Lambda(lambda x: keras.ops.sigmoid(30 * (x[..., :1] - 0.6)))(inputs)
    model = keras.Model(inputs, outputs)
    explanation = explain(model, *files, image_size=SIZE)
    assert explanation.found == [usual.SIZE] and explanation.probability.shape == (24, 32, 1)
    assert "built for 24x32, and was asked for 48x64" in str(explanation)
    assert explain(model, *files, image_size=(24, 32)).found == []


def test_an_empty_mask(files):
    image, mask = files
    Image.fromarray(np.zeros(SIZE, "uint8")).save(mask)
    for model in (good, lambda x, training: 0 * brightness(x)):
        assert explain(model, image, mask, image_size=SIZE).found == [usual.EMPTY]


def test_a_mask_of_ones_looks_black(files):
    image, mask = files
    Image.fromarray(np.asarray(Image.open(mask)) // 255).save(mask)
    explanation = explain(good, image, mask, image_size=SIZE)
    assert explanation.found == [usual.BLACK_FILE]
    assert "values up to 1, void aside; a viewer shows them up to 1 of 255" in str(explanation)


def test_a_mask_with_soft_edges(files):
    image, mask = files
    Image.open(mask).resize((32, 24), Image.Resampling.BICUBIC).resize(SIZE[::-1]).save(mask)
    explanation = explain(good, image, mask, image_size=SIZE)
    assert explanation.found == [usual.NO_CLASS] and explanation.truth is None
    assert str(mask.parent) not in str(explanation) and mask.name in str(explanation)


def levels(images, sharpness=40, handicap=0.0):
    """Softmax over three levels of brightness; the last class has a handicap."""
    logits = -sharpness * np.abs(brightness(images) - np.array([0.1, 0.5, 0.9]))
    logits[..., 2] -= handicap
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


SOFTMAX = {
    "good": (lambda x, training: levels(x), set()),
    "wants 0 to 255": (lambda x, training: levels(x / 255), {usual.SCALE}),
    "all sky": (lambda x, training: np.eye(3)[np.zeros(x.shape[:3], int)], {usual.COLLAPSED}),
    "the same": (lambda x, training: np.full((*x.shape[:3], 3), 1 / 3), {usual.FEW}),
    "no cars": (lambda x, training: levels(x, 10, 5.0), {usual.NEVER}),
    "logits": (lambda x, training: np.log(levels(x) + 1e-9), {usual.LOGITS}),
    "logits in 0 to 1": (lambda x, training: 0.9 * levels(x), {usual.LOGITS}),
    "NaN": (lambda x, training: levels(x) * np.nan, {usual.NAN}),
}


@pytest.mark.parametrize("name", SOFTMAX)
def test_of_several_classes(name, classes_files):
    model, expected = SOFTMAX[name]
    explanation = explain(model, *classes_files, image_size=SIZE, classes=THREE)
    assert set(explanation.found) == expected
    explanation.figure().canvas.draw()


def test_a_class_that_never_wins_is_named(classes_files):
    model, _ = SOFTMAX["no cars"]
    explanation = explain(model, *classes_files, image_size=SIZE, classes=THREE)
    (cause,) = [cause for cause in explanation.causes if cause.what == usual.NEVER]
    assert cause.evidence.startswith("car (at most 0.")
    assert "prediction: sky 37.5%, road 62.5%, car 0.0%" in str(explanation)  # 24, 40, 0 of 64
    unnamed = explain(model, classes_files[0], image_size=SIZE)
    assert unnamed.classes.names == ("0", "1", "2")
    assert [c.verdict for c in unnamed.causes if c.what == usual.NEVER] == ["maybe"]


def faulty(ids, kind):
    """A mask with a fault: what is saved, and what is to be found."""
    if kind == "0 and 255":
        return np.where(ids > 0, 255, 0).astype("uint8"), {usual.WHITE_IDS, usual.EMPTY}
    if kind == "void":
        return np.full_like(ids, 255), {usual.ALL_VOID}
    if kind == "mostly void":
        expected = {usual.ALL_VOID, usual.EMPTY, usual.BLACK_FILE}
        return np.where(np.arange(64) < 62, 255, ids).astype("uint8"), expected
    if kind == "sky alone":
        return np.zeros_like(ids), {usual.EMPTY}
    if kind == "ids as grey":
        return ids, {usual.BLACK_FILE}
    if kind == "ids as grey, with a void border":
        return np.where(np.arange(64) == 30, 255, ids).astype("uint8"), {usual.BLACK_FILE}
    return ids * 7, {usual.BLACK_FILE, usual.NO_CLASS}


@pytest.mark.parametrize(
    "kind",
    [
        *("0 and 255", "void", "mostly void", "sky alone", "of no class"),
        *("ids as grey", "ids as grey, with a void border"),
    ],
)
def test_masks_of_several_classes(kind, classes_files):
    image, mask = classes_files
    values, expected = faulty(np.asarray(Image.open(mask)), kind)
    Image.fromarray(values).save(mask)
    explanation = explain(
        lambda x, training: levels(x), image, mask, image_size=SIZE, classes=THREE
    )
    assert set(explanation.found) == expected
    explanation.figure().canvas.draw()


def test_no_map_of_the_image(files):
    with pytest.raises(ValueError, match=r"gave \(1, 1\) for an image of \(48, 64, 3\)"):
        explain(lambda x, training: np.zeros((1, 1)), *files, image_size=SIZE)
    with pytest.raises(ValueError, match="of the same height and width"):
        explain(lambda x, training: good(x)[:, ::2], *files, image_size=SIZE)


class Carded:
    """A model that knows how it is used, as `predict.Predictor`; notes what sizes it is fed."""

    input_shape = (None, None, None, 3)

    def __init__(self, answer, **card):
        self.answer, self.sizes = answer, []
        self.card = Card(**{"labels": Labels.foreground("cat"), "image_size": SIZE, **card})

    def __call__(self, images, training=False):
        self.sizes.append(images.shape[1:3])
        return self.answer(images, training)


@pytest.mark.parametrize("size, fed", [((24, 32), (24, 32)), (None, SIZE)])
def test_a_card_says_the_size(files, size, fed):
    model = Carded(good, image_size=size)
    explanation = explain(model, *files)
    assert model.sizes[0] == fed and explanation.probability.shape == (*fed, 1)
    assert explanation.found == [] and "background 75.0%, cat 25.0%" in str(explanation)
    explain(model, *files, image_size=(12, 16))  # what is given goes before the card
    assert (12, 16) in model.sizes


def test_a_card_says_how_to_resize(files):
    image, mask = files
    pixels = np.asarray(Image.open(image)).copy()
    pixels[1::2] = 0  # nearest and area differ
    Image.fromarray(pixels).save(image)
    means = {}
    for resize in ("area", "nearest"):
        seen = []
        model = Carded(
            lambda x, training, seen=seen: (seen.append(np.mean(x)), good(x))[1],
            image_size=(24, 32),
            resize=resize,
        )
        explain(model, image, mask)
        means[resize] = seen[0]
    assert means["area"] == pytest.approx(pixels.mean() / 255, abs=0.01)
    assert abs(means["area"] - means["nearest"]) > 0.05


def test_a_card_says_the_threshold(files):
    model = Carded(lambda x, training: 0.1 + 0.4 * brightness(x), threshold=0.3)  # 0.14, 0.38
    explanation = explain(model, *files)
    assert explanation.found == [] and explanation.prediction[OBJECT].all()
    assert explanation.prediction.mean() == 0.25


def test_a_card_names_the_classes(classes_files):
    of_three = Carded(lambda x, training: levels(x), labels=THREE)
    assert explain(of_three, *classes_files).classes == THREE


def test_without_a_card_somebody_must_say_the_size(files):
    with pytest.raises(UserError, match=r'give image_size=\(height, width\) or "native"'):
        explain(good, *files)
    for native in ("native", None):
        assert explain(good, *files, image_size=native).probability.shape == (*SIZE, 1)
    with pytest.raises(UserError, match="image_size is"):
        explain(good, *files, image_size="large")


def test_a_fixed_model_without_a_card_says_its_own_size(files):
    inputs = keras.Input((24, 32, 3))
    outputs = keras.layers.Lambda(lambda x: keras.ops.sigmoid(30 * (x[..., :1] - 0.6)))(inputs)
    explanation = explain(keras.Model(inputs, outputs), *files)
    assert explanation.found == [] and explanation.probability.shape == (24, 32, 1)


def test_classes_that_are_not_the_models(classes_files):
    with pytest.raises(UserError, match="3 channels for 4 classes"):
        explain(
            lambda x, training: levels(x),
            *classes_files,
            image_size=SIZE,
            classes=Labels(tuple("abcd")),
        )
