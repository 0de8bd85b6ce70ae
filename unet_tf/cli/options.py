"""The options of the command line.

What a recipe's setting may be is for `unet_tf.protocol` to say: its options are only read here.
"""

import argparse
import os

from unet_tf.cli.types import frame_size, image_size, named, seed, share, value, whole

# `unet_tf.protocol.NAMES`, without the seconds that importing TensorFlow takes.
RECIPES = ("article_simple", "article_unet", "guide_unet", "buildings_unet", "multiclass_unet")
STORE = "sqlite:///mlflow.db"  # `unet_tf.protocol.STORE`, likewise
EXAMPLES = """examples:
  python -m unet_tf data --download train_hq.zip train_masks.zip
                                                         Carvana from Kaggle, into data/carvana
  python -m unet_tf data --render 1918x1280 --cars 4     the rendered car studio at Carvana's size
  python -m unet_tf check my_folder                      what is wrong with images and masks
  python -m unet_tf train --data my_folder --to runs/mine
                                                         checked, then trained
  python -m unet_tf reproduce                            both models, small, in minutes
  python -m unet_tf reproduce --data data/carvana --full --seeds 3
                                                         the published protocol
  python -m unet_tf train --recipe article_unet --data data/carvana --to runs/unet --resume
                                                         one run of it, stopped or not yet begun
  python -m unet_tf train --recipe guide_unet --quick --mlflow
                                                         a tracked one; `ui` shows it
  python -m unet_tf predict runs/unet/best.keras photos/ --to masks --overlays
                                                         masks at the photographs' own size
  python -m unet_tf predict runs/unet/best.keras data/carvana/test_hq.zip --rle submission.csv.gz
                                                         the competition's file

Where data comes from: --data, $UNET_DATA (black and white masks alone), Kaggle's /kaggle/input,
Colab's /content, ./data; where none of these holds images and masks, a car studio, its parts or a
town is rendered, as the recipe asks for, and every output says so."""


SIZE = "size in the model, height first; native: the images' own, padded inside the model"
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
)
SET = "any other: epsilon=1e-7 filters=16,32,64 augment.rotation=0.05 loss=dice_loss"


def flag(command, name, text):
    """An option that is there or not."""
    command.add_argument(name, action="store_true", help=text)


def common_options():
    """What `train` and `reproduce` share: data, folder, precision, settings of the recipe."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", metavar="PATH", help="a folder of images and masks")
    common.add_argument("--to", metavar="PATH", help="folder of the results (runs/...)")
    common.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"),
        help="auto: what the hardware computes fast",
    )
    settings = common.add_argument_group("settings of the recipe, where they are to differ")
    for name, kind, metavar, text in SETTINGS:
        unless = argparse.SUPPRESS  # things stay as they are
        settings.add_argument(name, type=kind, metavar=metavar, help=text, default=unless)
    options = {"nargs": "+", "action": "extend", "type": named, "default": []}
    settings.add_argument("--set", metavar="NAME=VALUE", help=SET, **options)
    return common


def add_data(commands):
    """`data`."""
    command = commands.add_parser("data", help="find, download or render data, and count it")
    command.add_argument("--data", metavar="PATH", help="a folder of images and masks")
    command.add_argument(
        "--download", nargs="+", metavar="FILE", help="files of the Carvana competition on Kaggle"
    )
    flag(command, "--download-buildings", "Massachusetts Buildings from Kaggle")
    command.add_argument("--render", type=frame_size, metavar="WxH", help="render a data set")
    command.add_argument(
        "--kind",
        choices=("cars", "town", "parts"),
        default="cars",
        help="cars, an aerial town, or the parts of cars: what to find or render (cars)",
    )
    command.add_argument("--cars", type=whole(1), help="cars to render (40; 12 with --kind parts)")
    command.add_argument("--seed", type=seed, default=0, help="of what is rendered (0)")
    command.add_argument(
        "--to", metavar="PATH", help="where to download or render to (data/carvana; a cache folder)"
    )


def add_check(commands):
    """`check`."""
    command = commands.add_parser(
        "check",
        help="what is wrong with a folder of images and masks",
        description="Looks at every image and mask. The exit status is 1 when there are errors.",
    )
    command.add_argument("folder", metavar="DIR")
    command.add_argument("--classes", nargs="+", metavar="NAME", help="names of the classes, by id")
    command.add_argument("--picture", metavar="PNG", help="write a picture of the first pairs")


def add_train(commands, common):
    """`train`."""
    command = commands.add_parser(
        "train",
        parents=[common],
        help="one run of one recipe, on a folder of yours or on rendered data",
        description="A folder given by --data is checked first.",
    )
    command.add_argument(
        "--recipe",
        choices=RECIPES,
        help="guide_unet for black and white masks, multiclass_unet for others, unless given",
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
    words = "train without the images that have no mask, no whole file, or a mask of another size"
    flag(command, "--leave-out", words)
    flag(command, "--no-check", "do not check the folder first")
    flag(command, "--as-written", "with the source's faults")
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


def add_predict(commands):
    """`predict`."""
    command = commands.add_parser(
        "predict",
        help="masks of images, as PNG files or as a submission",
        description="Masks of images at their own size. Killed, the same command goes on where it "
        "stopped. A broken image is named and skipped; the exit status is then 1.",
    )
    command.add_argument("model", metavar="MODEL", help="a .keras file")
    command.add_argument(
        "files", nargs="+", metavar="FILES", help="images, folders or zips of them"
    )
    target = command.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--to",
        metavar="DIR",
        help="for each image a NAME.png in this folder: black and white, or class ids",
    )
    target.add_argument("--rle", metavar="FILE", help="Carvana's run lengths: a .csv or .csv.gz")
    flag(command, "--overlays", "with --to: also the image with its mask in colour")
    command.add_argument(
        "--threshold",
        type=share,
        help="a pixel is foreground from this probability on (as in the model)",
    )
    command.add_argument(
        "--image-size",
        type=image_size,
        metavar="HxW",
        default=argparse.SUPPRESS,
        help="for a model that takes any size: height first, or native, its own size for each "
        "image (as in training)",
    )
    command.add_argument("--resize", choices=("area", "nearest"), help="(as in training)")
    words = "cut images into overlapping tiles of the model's size, instead of resizing them"
    flag(command, "--tiles", words)
    command.add_argument(
        "--overlap", type=share, default=0.5, help="share of a tile that the next covers too (0.5)"
    )
    command.add_argument(
        "--flips",
        choices=("horizontal", "vertical", "both"),
        help="average over the mirror image, or over all of them",
    )
    command.add_argument(
        "--batch-size",
        type=whole(1),
        default=16,
        metavar="N",
        help="images at a time (16); a stopped run may go on with fewer, and in bfloat16 the last "
        "bits of a probability may then differ",
    )


def add_ui(commands):
    """`ui`."""
    command = commands.add_parser("ui", help="MLflow's pages of tracked runs, on this machine")
    command.add_argument("--store", default=STORE, metavar="URI", help=f"({STORE})")
    command.add_argument("--port", type=whole(1), default=5000, help="(5000)")
    words = "also on a public address of ngrok: wants pyngrok and the token NGROK_AUTHTOKEN"
    flag(command, "--tunnel", words)


def add_reproduce(commands, common):
    """`reproduce`."""
    command = commands.add_parser(
        "reproduce", parents=[common], help="all recipes, a table of scores, pictures"
    )
    flag(command, "--full", "the published size, as written and corrected")
    command.add_argument(
        "--recipe",
        nargs="+",
        choices=RECIPES,
        default=["article_simple", "article_unet"],
        help="which recipes (the article's two)",
    )
    command.add_argument("--seeds", type=whole(1), default=1, help="runs a recipe (1)")


def parser():
    """The whole command line."""
    main = argparse.ArgumentParser(
        prog="python -m unet_tf",
        description="U-Net image segmentation in Keras 3: dice scores to learn from and to check.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    common = common_options()
    add_data(commands)
    add_check(commands)
    add_train(commands, common)
    add_predict(commands)
    add_ui(commands)
    add_reproduce(commands, common)
    return main
