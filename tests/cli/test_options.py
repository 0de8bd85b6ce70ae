"""The options of the command line."""

import pytest

from unet_tf import network, protocol
from unet_tf.cli import chosen, commands, options
from unet_tf.protocol import published as protocol_published


def test_settings_of_the_command_line():
    command = "train --recipe guide_unet --quick --epochs 3 --set epsilon=1e-3 filters=4,8 "
    command += "loss=dice_loss augment.rotation=0.05 augment.shift=0.1 images=20 resize=nearest"
    arguments = options.parser().parse_args(command.split())
    recipe = chosen.adjusted(protocol.quick(protocol.GUIDE), arguments)
    assert recipe == protocol_published.dataclasses.replace(
        protocol.quick(protocol.GUIDE),
        epochs=3,
        epsilon=1e-3,
        filters=(4, 8),
        loss=network.dice_loss,
        augment={"rotation": 0.05, "shift": 0.1},
        images=20,
        resize="nearest",
    )


def test_settings_are_given_once_each():
    def adjusted(words):
        arguments = options.parser().parse_args(["train", *words.split()])
        return chosen.adjusted(protocol.GUIDE, arguments)

    both = adjusted("--set epsilon=1e-3 --set patience=3 augment.scale=0.1 augment.shift=0.1")
    assert (both.epsilon, both.patience) == (1e-3, 3)
    assert both.augment == {"scale": 0.1, "shift": 0.1}
    names = options.parser().parse_args(["train", "--classes", "sky", "--classes", "road"])
    assert names.class_names == ["sky", "road"]
    for twice in ("--epochs 3 --set epochs=5", "--set epochs=3 epochs=5"):
        with pytest.raises(ValueError, match="epochs is given twice: 3 and 5"):
            adjusted(twice)


@pytest.mark.parametrize(
    "setting, reason",
    [
        ("shuffle=False", "shuffle is 'False', but has to be a bool: true or false"),
        ("shuffle=nonsense", "shuffle is 'nonsense'"),
        ("split_seed=abc", "split_seed is 'abc', but has to be a whole number from 0"),
        ("loss=[1,2]", "loss is (1, 2), but has to be a function"),
        ('loss={"a":1}', "loss is {'a': 1}"),
        ("filters=[8]", "filters is (8,), but the network of guide_unet has at least 2"),
        ("augment.scale=5", "scale below 1"),
        ("augment.rotation=NaN", "augment is {'rotation': nan}"),
        ("augment.horizontal_flip=-3", "augment is {'horizontal_flip': -3}"),
        ("augment.vertical_flip=1.5", "probabilities"),
        ("augment.outside=255", "black and white masks know no void"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, reason):
    arguments = options.parser().parse_args(["train", "--set", setting])
    with pytest.raises(ValueError) as error:
        chosen.adjusted(protocol.GUIDE, arguments)
    assert reason in str(error.value)


@pytest.mark.parametrize("option", ["--image-size 96", "--image-size 0x9"])
def test_options_that_make_no_sense_are_refused(option, capsys):
    with pytest.raises(SystemExit):
        commands.main(f"train --recipe article_unet {option}".split())
    assert option.split()[0] in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--epochs 0", "--test-size 1", "--learning-rate -1"])
def test_settings_are_refused_by_the_recipe_s_own_rules(option, capsys):
    assert commands.main(f"train --recipe article_unet {option}".split()) == 1
    name = option.split()[0].removeprefix("--").replace("-", "_")
    assert f"error: {name} is " in capsys.readouterr().err


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit):
        commands.main(["--help"])
    text = capsys.readouterr().out
    assert all(word in text for word in ("data", "train", "reproduce", "--full --seeds 3"))
