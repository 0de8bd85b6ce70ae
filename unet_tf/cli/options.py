"""The command line: its commands, and the options of those that do not train."""

import argparse

from unet_tf.cli.train_options import STORE, add_reproduce, add_train, common_options
from unet_tf.cli.types import add_patterns, flag, frame_size, image_size, seed, share, whole

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
  python -m unet_tf score runs/unet/best.keras my_folder scores on images that it has not seen
  python -m unet_tf export runs/unet/best.keras --to unet.onnx unet.tflite --check my_folder
                                                         files for other programs, compared
  python -m unet_tf demo runs/unet/best.keras            a page that segments in the browser
  python -m unet_tf predict runs/unet/best.keras data/carvana/test_hq.zip --rle submission.csv.gz
                                                         the competition's file

Where data comes from: --data, $UNET_DATA (black and white masks alone), Kaggle's /kaggle/input,
Colab's /content, ./data; where none of these holds images and masks, a car studio, its parts or a
town is rendered, as the recipe asks for, and every output says so."""


def add_data(commands):
    command = commands.add_parser("data", help="find, download or render data, and count it")
    command.add_argument("--data", metavar="PATH", help="a folder of images and masks")
    command.add_argument(
        "--download", nargs="+", metavar="FILE", help="files of the Carvana competition on Kaggle"
    )
    flag(command, "--download-buildings", "Massachusetts Buildings from Kaggle")
    flag(command, "--download-pets", "Oxford-IIIT Pet, photographs, without an account")
    flag(command, "--border", "of pets the border is a third class; else it is void")
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
    command = commands.add_parser(
        "check",
        help="what is wrong with a folder of images and masks",
        description="Looks at every image and mask. The exit status is 1 when there are errors.",
    )
    command.add_argument("folder", metavar="DIR")
    command.add_argument("--classes", nargs="+", metavar="NAME", help="names of the classes, by id")
    add_patterns(command)
    words = "look also at these files in DIR, black where nothing counts, such as test/mask/*.gif"
    command.add_argument("--region", metavar="PATTERN", help=words)
    words = "write clean PNG masks into this folder, black and white or in the class table's "
    words += "colours; the originals stay"
    command.add_argument("--write-masks", metavar="DIR", help=words)
    words = "with --write-masks, what becomes white: half of the range or more, or any but 0 (half)"
    command.add_argument("--foreground", choices=("half", "any"), default="half", help=words)
    command.add_argument("--picture", metavar="PNG", help="write a picture of the first pairs")


def add_predict(commands):
    command = commands.add_parser(
        "predict",
        help="masks of images, as PNG files or as a submission",
        description="Masks of images at their own size. Killed, the same command goes on where it "
        "stopped. A broken image is named and skipped; the exit status is then 1.",
    )
    command.add_argument("model", metavar="MODEL", help="a .keras file")
    words = "images, folders of them with their subfolders, or zips"
    command.add_argument("files", nargs="+", metavar="FILES", help=words)
    target = command.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--to",
        metavar="DIR",
        help="for each image a NAME.png here, black and white, or of class ids; and areas.csv",
    )
    target.add_argument("--rle", metavar="FILE", help="Carvana's run lengths: a .csv or .csv.gz")
    flag(command, "--overlays", "with --to: also the image with the outline of its mask")
    words = "images at a time (16); a stopped run may go on with fewer, and in bfloat16 the last "
    usage_options(command, words + "bits of a probability may then differ")


def add_score(commands):
    command = commands.add_parser(
        "score",
        help="scores of a model, or of masks, on a labelled folder",
        description="Dice, IoU, sensitivity, specificity and boundary F1, or of many classes the "
        "IoU of each, at the images' own size. Images that trained the model are left out.",
    )
    words = "a .keras file; or a folder of masks, by predict --to or any other program"
    command.add_argument("model", metavar="MODEL|MASKS", help=words)
    command.add_argument("folder", metavar="FOLDER", help="images and masks, as for train")
    add_patterns(command)
    words = "a given part, or one of the model's own split (test where it is given, else all)"
    command.add_argument("--part", choices=("test", "val", "train", "all"), help=words)
    flag(command, "--seen", "score also what trained the model or chose its epoch")
    words = "only what is not black in these files in FOLDER counts, such as test/mask/*.gif"
    command.add_argument("--region", metavar="PATTERN", help=words)
    words = "of masks: names of the classes, by id; of black and white ones two"
    command.add_argument("--classes", nargs="+", metavar="NAME", help=words)
    flag(command, "--all", "every score, with who scores so")
    command.add_argument("--json", metavar="FILE", help="write the whole report there, too")
    usage_options(command, "images at a time (as in training)")


def add_export(commands):
    command = commands.add_parser(
        "export",
        help="a model as a file for other programs",
        description="The ending says the format. Resizing and scaling are inside, and the card is "
        "kept as metadata. All is in float32.",
    )
    command.add_argument("model", metavar="MODEL", help="a .keras file")
    words = ".onnx, .tflite (LiteRT), .keras, or without an ending a SavedModel's folder"
    command.add_argument("--to", nargs="+", required=True, metavar="FILE", help=words)
    words = "also NAME-float16.onnx and so on of each .onnx and .tflite; int8 calibrates on --check"
    ways = ("float16", "dynamic", "int8")
    command.add_argument("--quantize", nargs="+", choices=ways, default=[], help=words)
    words = "load each by its own program and compare: a folder of images and masks"
    command.add_argument("--check", metavar="DIR", help=words)
    words = "of --check, as for score"
    command.add_argument("--part", choices=("test", "val", "train", "all"), help=words)
    flag(command, "--seen", "of --check: also images that trained the model or chose its epoch")
    words = "of --check: at most so many, evenly spread (50)"
    command.add_argument("--images", type=whole(1), default=50, metavar="N", help=words)
    command.add_argument("--json", metavar="FILE", help="write the table of --check there, too")
    card_options(command)


def add_demo(commands):
    command = commands.add_parser(
        "demo",
        help="a page that segments photographs in the browser",
        description="Writes the page, the model and what runs it into one folder, and serves that "
        "on this machine. No picture leaves the browser.",
    )
    command.add_argument("model", metavar="MODEL", help="a .keras file")
    command.add_argument("--folder", default="runs/demo", metavar="DIR", help="(runs/demo)")
    command.add_argument("--port", type=whole(0), default=8000, help="0: a free one (8000)")
    flag(command, "--open", "open the page in the browser")
    flag(command, "--no-server", "write the folder, and end")
    words = "a smaller file, weights in 16 or 8 bits: half or a quarter of the bytes"
    command.add_argument("--quantize", choices=("float16", "dynamic"), help=words)
    card_options(command)


def usage_options(command, batch_size):
    """How a model is used: the options that `predict` and `score` share."""
    card_options(command)
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
    command.add_argument("--batch-size", type=whole(1), metavar="N", help=batch_size)


def card_options(command):
    """What may be used instead of what a model's card says."""
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


def add_ui(commands):
    command = commands.add_parser("ui", help="MLflow's pages of tracked runs, on this machine")
    command.add_argument("--store", default=STORE, metavar="URI", help=f"({STORE})")
    command.add_argument("--port", type=whole(1), default=5000, help="(5000)")
    words = "also on a public address of ngrok: wants pyngrok and the token NGROK_AUTHTOKEN"
    flag(command, "--tunnel", words)


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
    add_score(commands)
    add_export(commands)
    add_demo(commands)
    add_ui(commands)
    add_reproduce(commands, common)
    return main
