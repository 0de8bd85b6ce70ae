"""The options of `train` and `reproduce`.

What a recipe's setting may be is for `unet_tf.protocol` to say: its options are only read here.
"""

import argparse
import os

from unet_tf.cli.types import add_patterns, flag, image_size, named, number, seed, value, whole

# `unet_tf.protocol.NAMES`, without the seconds that importing TensorFlow takes.
RECIPES = ("article_simple", "article_unet", "guide_unet", "buildings_unet", "multiclass_unet")
STORE = "sqlite:///mlflow.db"  # `unet_tf.protocol.STORE`, likewise

SIZE = "size in the model, height first; native: the images' own; 0.5, for crops: half of that"
TEST = "share of the groups held out for the score; 0: the score is the validation part's"
SETTINGS = (  # of a recipe: option, type, what stands for the value, help
    ("--image-size", image_size, "HxW", SIZE),
    ("--images", value, "N", "the first so many files, by name"),
    ("--batch-size", value, "N", "images a step"),
    ("--epochs", value, "N", "at most so many"),
    ("--patience", value, "N", "epochs without improvement before it stops"),
    ("--learning-rate", value, "X", "Adam's"),
    ("--validation-size", value, "X", "share of the groups for early stopping"),
    ("--test-size", value, "X", TEST),
    ("--region", str, "PATTERN", "files in the data, black where nothing is trained or scored"),
)
SET = "any other: epsilon=1e-7 filters=16,32,64 augment.rotation=0.05 loss=dice_loss"


def common_options():
    """What `train` and `reproduce` share: data, folder, precision, settings of the recipe."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", metavar="PATH", help="a folder of images and masks")
    common.add_argument("--to", metavar="PATH", help="folder of the results (runs/...)")
    policies = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
    words = "auto: what the hardware computes fast"
    common.add_argument("--precision", default="auto", choices=policies, help=words)
    words = "compile steps for a GPU, about a minute; auto: in a training long enough to gain by it"
    common.add_argument("--xla", default="auto", choices=("auto", "on", "off"), help=words)
    words = "off: faster on a GPU; two runs then differ in their last bits (on)"
    common.add_argument("--deterministic", default="on", choices=("on", "off"), help=words)
    words = "GPUs to train on (all)"
    common.add_argument("--devices", type=whole(1), metavar="N", help=words)
    words = "epochs between writes (1; in a plan 10 seconds or more)"
    common.add_argument("--save-every", type=whole(1), metavar="N", help=words)
    settings = common.add_argument_group("settings of the recipe, where they are to differ")
    for name, kind, metavar, text in SETTINGS:
        unless = argparse.SUPPRESS  # things stay as they are
        settings.add_argument(name, type=kind, metavar=metavar, help=text, default=unless)
    options = {"nargs": "+", "action": "extend", "type": named, "default": []}
    settings.add_argument("--set", metavar="NAME=VALUE", help=SET, **options)
    return common


def add_train(commands, common):
    command = commands.add_parser(
        "train",
        parents=[common],
        help="one run of one recipe, on a folder of yours or on rendered data",
        description="A folder given by --data is checked first.",
    )
    command.add_argument(
        "--recipe",
        choices=RECIPES,
        help="a published recipe, as it is; without it settings are planned for the folder",
    )
    command.add_argument(
        "--classes",
        nargs="+",
        action="extend",
        metavar="NAME",
        dest="class_names",
        default=argparse.SUPPRESS,
        help="names of the classes, by id, where the folder has no class table",
    )
    add_patterns(command)
    words = "train without the images that have no mask, no whole file, or a mask of another size"
    flag(command, "--leave-out", words)
    flag(command, "--settings", "print all settings, their defaults and what they may be, and end")
    words = "cross-validation: every image is scored once by a model that has not seen it"
    command.add_argument("--folds", type=whole(2), metavar="N", help=words)
    flag(command, "--no-check", "do not check the folder first")
    flag(command, "--as-written", "with the source's faults")
    words = "what training may take here, where it is planned, without --recipe (10; --quick: 3)"
    command.add_argument("--minutes", type=number, metavar="N", help=words)
    words = "train by the plan.json of an earlier run, to repeat it"
    command.add_argument("--plan", metavar="FILE", help=words)
    flag(command, "--quick", "a small size, for two CPU cores")
    command.add_argument("--seed", type=seed, default=0, help="of weights, order, dropout (0)")
    words = "go on with the run that was stopped in this folder; without one, start it"
    flag(command, "--resume", words)
    words = "with --resume: also by other code or versions than before, which result.json then says"
    flag(command, "--other-code", words)
    flag(command, "--again", "replace the run in this folder")
    command.add_argument(
        "--mlflow",
        nargs="?",
        const=os.environ.get("MLFLOW_TRACKING_URI", STORE),
        metavar="URI",
        help=f"track the run by MLflow ($MLFLOW_TRACKING_URI, or {STORE})",
    )


def add_reproduce(commands, common):
    words = "recipes, the article's two by default: a table of scores, pictures"
    command = commands.add_parser("reproduce", parents=[common], help=words)
    flag(command, "--full", "the published size, as written and corrected")
    command.add_argument(
        "--recipe",
        nargs="+",
        choices=RECIPES,
        default=["article_simple", "article_unet"],
        help="which recipes (the article's two)",
    )
    command.add_argument("--seeds", type=whole(1), default=1, help="runs a recipe (1)")
