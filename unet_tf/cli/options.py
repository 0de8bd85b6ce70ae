"""The options of the command line."""

import argparse
import json
import os

# `recipes.NAMES`, without the seconds that importing TensorFlow takes.
RECIPES = ("article_simple", "article_unet", "guide_unet", "buildings_unet", "multiclass_unet")


STORE = "sqlite:///mlflow.db"  # `unet_tf.protocol.STORE`, likewise


EXAMPLES = """examples:
  python -m unet_tf data                                 which data is found, and how much of it
  python -m unet_tf data --download train_hq.zip train_masks.zip
                                                         Carvana from Kaggle, into data/carvana
  python -m unet_tf data --render 1918x1280 --cars 4     the rendered car studio at Carvana's size
  python -m unet_tf check my_folder                      what is wrong with images and masks
  python -m unet_tf train --data my_folder --to runs/mine
                                                         checked, then trained: black and white
                                                         masks or many classes
  python -m unet_tf reproduce                            both models, small, in minutes
  python -m unet_tf reproduce --data data/carvana --full --seeds 3
                                                         the published protocol
  python -m unet_tf train --recipe article_unet --data data/carvana --to runs/unet
                                                         one run of it; stopped, it goes on with
                                                         --resume
  python -m unet_tf train --recipe guide_unet --quick --mlflow
                                                         a tracked one; `ui` shows it
  python -m unet_tf predict runs/unet/best.keras photos/ --to masks --overlays
                                                         masks at the photographs' own size
  python -m unet_tf predict runs/unet/best.keras data/carvana/test_hq.zip --rle submission.csv.gz
                                                         the competition's file

Where data comes from: --data, $UNET_DATA (black and white masks alone), Kaggle's /kaggle/input,
Colab's /content, ./data; where none of these holds images and masks, a car studio, its parts or a
town is rendered, as the recipe asks for, and every output says so."""


def image_size(text):
    """`96x128` -> (96, 128), height first; `native` -> None."""
    if text == "native":
        return None
    try:
        height, width = (int(number) for number in text.split("x"))
    except ValueError:
        height = width = 0
    if min(height, width) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size: give height x width, such as 96x128, or native"
        )
    return height, width


def frame_size(text):
    """`480x320` -> (480, 320), width first, as cameras and Kaggle name it."""
    size = image_size(text)
    if size is None:
        raise argparse.ArgumentTypeError("give width x height, such as 480x320")
    return size


def positive(text):
    """A whole number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return int(text)


def seed(text):
    """A whole number from 0 to 2**32 - 1."""
    if not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to 2**32 - 1")
    return int(text)


def positive_number(text):
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def share(text):
    """A number in [0, 1)."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: give a number from 0 to below 1")
    return number


def named(text):
    """`epsilon=1e-7` -> ("epsilon", 1e-7); a list, `filters=16,32`, becomes a tuple."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: give NAME=VALUE, such as epsilon=1e-7")
    try:
        found = json.loads(f"[{value}]")
    except ValueError:
        return name, value
    return name, found[0] if len(found) == 1 else tuple(found)


def parser():
    """The whole command line."""
    main = argparse.ArgumentParser(
        prog="python -m unet_tf",
        description="U-Net image segmentation in Keras 3: dice scores to learn from and to check.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("data", help="find, download or render data, and count it")
    command.add_argument("--data", metavar="PATH", help="a folder of images and masks")
    command.add_argument(
        "--download", nargs="+", metavar="FILE", help="files of the Carvana competition on Kaggle"
    )
    command.add_argument(
        "--download-buildings", action="store_true", help="Massachusetts Buildings from Kaggle"
    )
    command.add_argument("--render", type=frame_size, metavar="WxH", help="render a data set")
    command.add_argument(
        "--kind",
        choices=("cars", "town", "parts"),
        default="cars",
        help="cars, an aerial town, or the parts of cars: what to find or render (cars)",
    )
    command.add_argument("--cars", type=positive, help="cars to render (40; 12 with --kind parts)")
    command.add_argument("--seed", type=seed, default=0, help="of what is rendered (0)")
    command.add_argument(
        "--to", metavar="PATH", help="where to download or render to (data/carvana; a cache folder)"
    )

    command = commands.add_parser(
        "check",
        help="what is wrong with a folder of images and masks",
        description="Looks at every image and mask. The exit status is 1 when there are errors.",
    )
    command.add_argument("folder", metavar="DIR")
    command.add_argument("--classes", nargs="+", metavar="NAME", help="names of the classes, by id")
    command.add_argument("--picture", metavar="PNG", help="write a picture of the first pairs")

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

    def setting(flag, kind, metavar, text, group=settings):
        """An option that leaves things as they are unless it is given."""
        group.add_argument(flag, type=kind, metavar=metavar, help=text, default=argparse.SUPPRESS)

    setting(
        "--image-size",
        image_size,
        "HxW",
        "size in the model, height first; native: the images' own, padded inside the model",
    )
    setting("--images", positive, "N", "the first so many files, by name")
    setting("--batch-size", positive, "N", "images a step")
    setting("--epochs", positive, "N", "at most so many")
    setting("--patience", positive, "N", "epochs without improvement before it stops")
    setting("--learning-rate", positive_number, "X", "Adam's")
    setting("--validation-size", share, "X", "share of the cars for early stopping")
    setting(
        "--test-size",
        share,
        "X",
        "share of the cars held out for the score; 0: the score is the validation part's",
    )

    settings.add_argument(
        "--set",
        nargs="+",
        action="extend",
        type=named,
        default=[],
        metavar="NAME=VALUE",
        help="any other: epsilon=1e-7 filters=16,32,64 augment.rotation=0.05 loss=dice_loss",
    )

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
    command.add_argument(
        "--leave-out",
        action="store_true",
        help="train without the images that have no mask, no whole file, or a mask of another size",
    )
    command.add_argument("--no-check", action="store_true", help="do not check the folder first")
    command.add_argument("--as-written", action="store_true", help="with the source's faults")
    command.add_argument("--quick", action="store_true", help="a small size, for two CPU cores")
    command.add_argument("--seed", type=seed, default=0, help="of weights, order, dropout (0)")
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run that was stopped in this folder; without one, start it",
    )
    text = "with --resume: also by other code or versions than before, which result.json then says"
    command.add_argument("--other-code", action="store_true", help=text)
    command.add_argument("--again", action="store_true", help="replace the run in this folder")
    command.add_argument(
        "--mlflow",
        nargs="?",
        const=os.environ.get("MLFLOW_TRACKING_URI", STORE),
        metavar="URI",
        help=f"track the run by MLflow ($MLFLOW_TRACKING_URI, or {STORE})",
    )

    command = commands.add_parser(
        "predict",
        help="masks of images, as PNG files or as a submission",
        description="Masks of images at their own size. Killed, the same command goes on where it "
        "stopped. A broken image is named and skipped; the exit status is then 1.",
    )
    command.add_argument("model", metavar="MODEL", help="a .keras file")
    command.add_argument(
        "files", nargs="+", metavar="FILES", help="images, folders of them, zips of them"
    )
    target = command.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--to",
        metavar="DIR",
        help="for each image a NAME.png in this folder: black and white, or class ids",
    )
    target.add_argument(
        "--rle", metavar="FILE", help="Carvana's run lengths of all in one .csv or .csv.gz"
    )
    command.add_argument(
        "--overlays", action="store_true", help="with --to: also the image with its mask in colour"
    )
    command.add_argument(
        "--threshold", type=share, help="a pixel is car from this probability on (0.5)"
    )
    setting(
        "--image-size",
        image_size,
        "HxW",
        "for a model that takes any size: height first, or native (its own size for each image)",
        command,
    )
    command.add_argument(
        "--resize", default="area", choices=("area", "nearest"), help="as in training (area)"
    )
    command.add_argument(
        "--tiles",
        action="store_true",
        help="cut images into overlapping tiles of the model's size, instead of resizing them",
    )
    command.add_argument(
        "--overlap", type=share, default=0.5, help="share of a tile that the next covers too (0.5)"
    )
    command.add_argument(
        "--flips",
        choices=("horizontal", "vertical", "both"),
        help="average over the mirror image, or over all of them",
    )
    command.add_argument(
        "--batch-size", type=positive, default=16, metavar="N", help="images at a time (16)"
    )

    command = commands.add_parser("ui", help="MLflow's pages of tracked runs, on this machine")
    command.add_argument("--store", default=STORE, metavar="URI", help=f"({STORE})")
    command.add_argument("--port", type=positive, default=5000, help="(5000)")
    command.add_argument(
        "--tunnel",
        action="store_true",
        help="also on a public address of ngrok: wants pyngrok and the token NGROK_AUTHTOKEN",
    )

    command = commands.add_parser(
        "reproduce", parents=[common], help="all recipes, a table of scores, pictures"
    )
    command.add_argument(
        "--full", action="store_true", help="the published size, as written and corrected"
    )
    command.add_argument(
        "--recipe",
        nargs="+",
        choices=RECIPES,
        default=["article_simple", "article_unet"],
        help="which recipes (the article's two)",
    )
    command.add_argument("--seeds", type=positive, default=1, help="runs a recipe (1)")
    return main
