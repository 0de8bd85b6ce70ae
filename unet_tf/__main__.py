"""The command line: `python -m unet_tf data | check | train | predict | ui | reproduce`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before TensorFlow: its start-up lines

import argparse
import dataclasses
import errno
import json
import re
import sys
import traceback
from pathlib import Path

# `recipes.NAMES`, without the seconds that importing TensorFlow takes.
RECIPES = ("article_simple", "article_unet", "guide_unet", "buildings_unet", "multiclass_unet")
STORE = "sqlite:///mlflow.db"  # `unet_tf.tracking.STORE`, likewise
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


def adjusted(recipe, arguments):
    """The recipe with the settings that the command line names."""
    from unet_tf import recipes

    names = {field.name for field in dataclasses.fields(recipe)}
    asked = {name: value for name, value in vars(arguments).items() if name in names}
    for name, value in arguments.set:
        if name in asked:
            raise ValueError(f"{name} is given twice: {asked[name]} and {value}. Give it once")
        if name.startswith("augment."):
            before = asked.get("augment", recipe.augment)
            amounts = before if isinstance(before, dict) else {}
            name, value = "augment", {**amounts, name.removeprefix("augment."): value}
        named_loss = name == "loss" and isinstance(value, str)
        asked[name] = recipes.LOSSES.get(value, value) if named_loss else value
    return recipes.changed(recipe, **asked)


def verbosity():
    """Keras's progress bars on a terminal, a line an epoch in a file."""
    return 1 if sys.stdout.isatty() else 2


def run_data(arguments):
    from unet_tf import car_parts, carvana, data, massachusetts, town, toy

    folder = arguments.data
    kind = "town" if arguments.download_buildings else arguments.kind
    if arguments.download:
        folder = arguments.to or "data/carvana"
        carvana.download(arguments.download, folder)
    elif arguments.download_buildings:
        folder = massachusetts.download(arguments.to or "data/massachusetts-buildings")
    elif arguments.render:
        write = {"cars": toy, "town": town, "parts": car_parts}[kind].write
        cars = {"cars": arguments.cars} if arguments.cars and kind != "town" else {}
        folder = write(arguments.to, size=arguments.render, seed=arguments.seed, **cars)
    if arguments.download and data.layout(Path(folder)) is None:
        return
    folder = data.find(folder, kind)
    if data.given(folder):
        parts = data.parts(folder)
        print(f"Folder: {folder}; {sum(map(len, parts))} pairs")
        return
    pairs = data.pair(folder)
    cars = {data.car_of(image) for image, _ in pairs}
    height, width = data.size_of(pairs[0].image)
    print(f"Folder: {folder}")
    print(f"{len(pairs)} pairs of {len(cars)} cars; the first is {width}x{height} pixels")


def run_check(arguments):
    from unet_tf import check

    report = check.check(arguments.folder, arguments.classes)
    print(report.text())
    if arguments.picture:
        Path(arguments.picture).parent.mkdir(parents=True, exist_ok=True)
        report.picture(arguments.picture)
        print(f"\nWritten to {arguments.picture}")
    return report.status


def checked(arguments, folder):
    """The folder's report, printed; ValueError where training cannot start."""
    from unet_tf import check

    report = check.check(folder, getattr(arguments, "class_names", None))
    print(report.text(), end="\n\n")
    if arguments.leave_out:
        left_out = report.left_out()
        print(f"Left out: {', '.join(left_out) or 'nothing'}", end="\n\n")
        report = report.without_cured()
    if report.status:
        hint = "" if arguments.leave_out else "; or leave out what is no whole pair, by --leave-out"
        raise ValueError(f"{folder}: mend what is named above, then run this again{hint}")
    return report


def fitting_recipe(report, arguments):
    """`guide_unet` for black and white masks, `multiclass_unet` for all others."""
    many = hasattr(arguments, "class_names") or not report.black_and_white()
    return "multiclass_unet" if many else "guide_unet"


def announced(recipe, to):
    """One line of what is about to be trained."""
    size = recipe.crop or recipe.image_size
    what = "crops of " if recipe.crop else ""
    shape = "x".join(map(str, size)) + " (height x width)" if size else "the images' own size"
    return (
        f"Training: {recipe.name}, {recipe.variant}; {what}{shape}, batches of "
        f"{recipe.batch_size}, {recipe.filters[0]} filters, learning rate {recipe.learning_rate}, "
        f"up to {recipe.epochs} epochs, best by {recipe.monitor}; into {to}"
    )


def run_train(arguments):
    from unet_tf import class_scores, data, recipes, runs, scores

    variant = "as written" if arguments.as_written else "corrected"
    kind = recipes.get(arguments.recipe, variant).kind if arguments.recipe else "cars"
    folder, report = data.find(arguments.data, kind), None
    if arguments.no_check and (arguments.leave_out or not arguments.recipe):
        raise ValueError("without a check nothing is left out and no recipe chosen: give --recipe")
    if not arguments.no_check and (arguments.data or arguments.leave_out or not arguments.recipe):
        report = checked(arguments, folder)
    name = arguments.recipe
    if name is None:
        name = fitting_recipe(report, arguments)
        print(f"Recipe: {name}, which suits these masks; another one by --recipe")
    recipe = recipes.get(name, variant)
    recipe = adjusted(recipes.quick(recipe) if arguments.quick else recipe, arguments)
    if report and not recipe.classes and report.classes and len(report.classes.names) > 2:
        raise ValueError(
            f"these masks hold {len(report.classes.names)} classes, and {name} is for black and "
            "white ones: leave --recipe out, or take multiclass_unet"
        )
    to = Path(arguments.to or f"runs/{recipe.slug}")
    there = [file for file in ("result.json", "state.npz") if (to / file).exists()]
    if there and not (arguments.resume or arguments.again):
        raise ValueError(
            f"{to} holds a run already ({there[0]}): go on with it by --resume, replace it by "
            "--again, or choose another folder by --to"
        )
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{to}: no folder can be made there ({error.strerror}). Choose another by --to"
        ) from None
    print(announced(recipe, to))
    result = runs.run(
        recipe,
        folder,
        arguments.seed,
        to,
        arguments.precision,
        verbosity(),
        arguments.resume,
        mlflow=arguments.mlflow,
        pairs=report.whole_pairs() if arguments.leave_out and report else None,
        again=arguments.again,
    )
    found = result["scores"]
    print(
        f"\nThe {result['scored_on']} part of the {result['data']} data, {found['images']} images:"
    )
    files = ["best.keras", "log.csv", "state.npz", "result.json", "picture.png", "predictions"]
    if recipe.classes:
        print(class_scores.table(found, found["baseline_report"]))
        print(
            f"\nMean IoU {found['mean_iou']:.4f}; a prediction of the most frequent class of each "
            f"place, whatever the image shows, has {found['baseline']:.4f}."
        )
        files += ["confusion.png", "classes.csv"]
    else:
        print(scores.table(found, found["baseline"]))
    print(f"Written to {to}: {', '.join(files)}")


def run_ui(arguments):
    from unet_tf import tracking

    server, address = tracking.ui(arguments.store, arguments.port, arguments.tunnel)
    print(f"MLflow: {address} (Ctrl-C ends it)", flush=True)
    try:
        status = server.wait()
    finally:
        server.terminate()
    if status:
        raise ValueError(f"MLflow's server ended with status {status}: its words are above")


def run_predict(arguments):
    import hashlib

    from tqdm import tqdm

    from unet_tf import classes, predict, predict_files

    if arguments.overlays and arguments.rle:
        raise ValueError("--overlays are pictures beside masks: they go with --to, not with --rle")
    paths = predict_files.images(arguments.files)
    model = predict.load(arguments.model)
    own = predict.size_of_model(model)
    number = model.output_shape[-1]
    if number > 1 and (arguments.rle or arguments.threshold is not None):
        raise ValueError(
            f"this model knows {number} classes: --rle and --threshold are for one, use --to alone"
        )
    table = classes.table_of(Path(arguments.model).parent) if number > 1 else None
    if table and len(table.names) != number:
        table = None  # of another model
    size = getattr(arguments, "image_size", own)
    if own and size != own:
        raise ValueError(f"this model takes {own[0]}x{own[1]} alone: leave --image-size out")
    if arguments.tiles and size is None:
        raise ValueError("this model takes any size: say how large the tiles are by --image-size")
    flips = {"both": ("horizontal", "vertical")}.get(arguments.flips, (arguments.flips,))
    settings = {
        "model": hashlib.sha256(Path(arguments.model).read_bytes()).hexdigest()[:16],
        "tiles": [size, arguments.overlap] if arguments.tiles else None,
        "flips": arguments.flips,
    }
    forward = predict.compiled(model)
    if arguments.flips:
        forward = predict.flipped(forward, flips)
    if arguments.tiles:
        forward = predict.tiled(forward, size, arguments.overlap, arguments.batch_size)
    options = {
        "settings": settings,
        "threshold": 0.5 if arguments.threshold is None else arguments.threshold,
        "image_size": None if arguments.tiles else size,
        "resize": arguments.resize,
        "batch_size": arguments.batch_size,
    }
    if arguments.rle:
        outcomes = predict_files.to_submission(forward, paths, arguments.rle, **options)
    else:
        outcomes = predict_files.to_folder(
            forward,
            paths,
            arguments.to,
            overlays=arguments.overlays,
            classes=table,
            **options,
        )
    broken, kept, bar = 0, 0, None
    for _, outcome in outcomes:
        if outcome == predict_files.KEPT:
            kept += 1
            continue
        # Only now: what is kept would make the time left too short.
        bar = bar or tqdm(total=len(paths), initial=kept, unit=" images", smoothing=0.02)
        bar.update()
        if outcome:
            broken += 1
            bar.write(f"skipped: {outcome}", file=sys.stderr)
    if bar:
        bar.close()
    print(f"{len(paths) - broken} masks in {arguments.rle or arguments.to}")
    if broken:
        raise ValueError(
            f"{broken} of {len(paths)} images were skipped, named above. Replace them and run the "
            "same command again: what is there is kept"
        )


def run_reproduce(arguments):
    from unet_tf import data, ledger, recipes, runs
    from unet_tf.files import write_text

    to = Path(arguments.to or "runs/reproduce")
    chosen = [recipe for recipe in recipes.RECIPES if recipe.name in arguments.recipe]
    if len({recipe.kind for recipe in chosen}) > 1:
        raise ValueError("these recipes are for different data: reproduce them one by one")
    folder = data.find(arguments.data, chosen[0].kind)
    if not arguments.full:
        chosen = [recipes.quick(recipe) for recipe in chosen if recipe.variant == "corrected"]
    summaries = []
    for recipe in chosen:
        recipe = adjusted(recipe, arguments)
        results = []
        for seed in range(arguments.seeds):
            print(f"\n{recipe.name}, {recipe.variant}, seed {seed}")
            results.append(
                runs.run(
                    recipe,
                    folder,
                    seed,
                    to / recipe.slug / f"seed{seed}",
                    arguments.precision,
                    verbosity(),
                    resume=True,
                )
            )
        summaries.append(ledger.save_summary(results, to / f"{recipe.slug}.json"))
    text = (ledger.class_table if chosen[0].classes else ledger.table)(summaries)
    write_text(to / "table.md", text + "\n")
    print(f"\n{text}\n")
    if summaries[0]["data"] == "rendered":
        print("These scores are of rendered images: the published ones are of photographs.")
    print(f"Table and records: {to}; pictures: {to}/*/seed0/picture.png")


def main(argv=None):
    """Run a command; the exit status is 0, or 1 after an error of the data or the download."""
    from unet_tf.carvana import CarvanaError

    arguments = parser().parse_args(argv)
    commands = {
        "data": run_data,
        "check": run_check,
        "train": run_train,
        "predict": run_predict,
        "ui": run_ui,
        "reproduce": run_reproduce,
    }
    try:
        return commands[arguments.command](arguments) or 0
    except (CarvanaError, ValueError, OSError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        again = " with --resume" if arguments.command == "train" else ""
        remedy = f". Make room and run the same command again{again}" if full else ""
        print(f"error: {error}{remedy}", file=sys.stderr)
        return 1
    except Exception as error:
        # TensorFlow wraps what a reader of files says: show that sentence alone.
        found = re.search(r"ValueError: (.+)", str(error))
        if not type(error).__module__.startswith("tensorflow") or not found:
            raise
        print(f"error: {found[1]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = "; the same command with --resume goes on" if arguments.command == "train" else ""
        print(f"interrupted{again}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    try:
        status = main()
    except Exception:
        traceback.print_exc()
        status = 1
    if status:
        # Files may still be read ahead in threads of tf.data; on the way out Python 3.13 would wait
        # for them, and they for Python, for ever.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
