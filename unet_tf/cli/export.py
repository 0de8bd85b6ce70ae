"""The commands `export` and `demo`."""

import contextlib
import threading
import webbrowser
from pathlib import Path

from unet_tf.cli.predict import loaded
from unet_tf.files import UserError, write_json

LARGE = 100  # MB of a file, the most that GitHub takes


def run_export(arguments):
    from unet_tf import export

    model = loaded(arguments)
    if not arguments.check and (arguments.json or "int8" in arguments.quantize):
        what = "--json keeps the table of" if arguments.json else "int8 is calibrated on images of"
        raise UserError(f"{what} --check DIR: name a folder of images and masks")
    targets = targets_of(arguments, export.QUANTIZABLE)
    for path, how in targets:  # before the first is written, which takes a while
        export.writer_of(path, how, model.card)
        if arguments.check:
            export.need_runtime(path)
    pairs, images = [], []
    if arguments.check:
        which = arguments.part, arguments.seen, arguments.images
        pairs, images = export.pairs_to_check(model, arguments.check, *which)
    for path, how in targets:
        export.export(model, path, how, images)
        print(f"Written to {path}", flush=True)
    say_range(model)
    if arguments.check:
        rows = export.check(model, [path for path, _ in targets], pairs)
        rows[0] |= {"bytes": Path(arguments.model).stat().st_size}
        print(f"\n{len(pairs)} images of {arguments.check}:\n\n{export.table(rows)}")
        if arguments.json:
            write_json(arguments.json, {"model": arguments.model, "rows": rows})


def say_range(model):
    """What to do with images of more than 8 bits, where the model was trained on such."""
    if model.card.value_range:
        black, white = model.card.value_range
        print(
            "It takes 8 bits, where this model was trained on more: bring images to 8 as training "
            f"did, {black:.10g} to 0 and {white:.10g} to 255"
        )


def targets_of(arguments, quantizable):
    """What to write: (path, how it is quantized or None) each, once."""
    targets = dict.fromkeys(map(Path, arguments.to))
    for path in list(targets):
        if path.resolve() == Path(arguments.model).resolve():
            raise UserError(f"{path}: that is the model itself: choose another name, --to FILE")
        for how in arguments.quantize if path.suffix in quantizable else ():
            targets[path.with_name(f"{path.stem}-{how}{path.suffix}")] = how
    if arguments.quantize and not any(targets.values()):
        raise UserError("--quantize is for .onnx and .tflite: name such a file, too, by --to")
    return list(targets.items())


def run_demo(arguments):
    from unet_tf import export

    folder = Path(arguments.folder)
    model = loaded(arguments)
    port = 0 if arguments.no_server else arguments.port
    served = export.server(folder, port)  # before the export: the port may be taken
    with served:
        name = model.card.trained_on.get("recipe") or Path(arguments.model).stem
        export.write_page(model, folder, name, arguments.quantize)
        print(f"Written to {folder}: all of it can be put on any static host")
        say_range(model)
        size = (folder / "model.onnx").stat().st_size / 1e6
        if size > LARGE:
            print(
                f"Its model.onnx has {size:.0f} MB, and GitHub takes no file of more than {LARGE}: "
                "--quantize float16 halves it, dynamic quarters it"
            )
        if arguments.no_server:
            return
        address = f"http://127.0.0.1:{served.server_address[1]}/"
        print(f"The page: {address} (Ctrl-C ends it)", flush=True)
        if arguments.open:  # beside: a browser in the terminal would keep the server waiting
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            served.serve_forever()
