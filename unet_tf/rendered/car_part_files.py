"""Renders the embedded data of many classes: the car studio's pictures with their part maps.

The layout is that of a folder of one's own: images, palette PNGs of the same names whose values are
class ids, and a class table. `rendered.json` says that these are no photographs.
"""

from PIL import Image
from tqdm import tqdm

from unet_tf.files import UserError
from unet_tf.rendered import car_files, once
from unet_tf.rendered.car_pictures import PARTS, VOID, render_with_parts
from unet_tf.rendered.car_scene import VIEWS
from unet_tf.rendered.car_shapes import make_car

NOTE = "Rendered by unet_tf, not photographed: the car studio of unet_tf.rendered, in parts."


COLOURS = {  # PASCAL VOC's, of ids 0 to 4 and of void
    "background": (0, 0, 0), "body": (128, 0, 0), "window": (0, 128, 0), "wheel": (128, 128, 0),
    "light": (0, 0, 128), "void": (224, 224, 192),
}  # fmt: skip


def car_parts_folder(cars=12, size=(240, 160), seed=0):
    """Where `write` puts a data set unless told: a folder of the user's cache, by its settings."""
    name = f"car-parts-{cars}-{size[0]}x{size[1]}-seed{seed}-v{car_files.RENDER_VERSION}"
    return once.cache() / name


def write_car_parts(folder=None, cars=12, size=(240, 160), seed=0, progress=True):
    """Render images and masks of the cars' parts, once; they are found again the next time.

    Parameters
    ----------
    folder : path, optional
        Missing, empty, or holding this very data set. Default: `default_folder`.
    cars : int
        1 or more, 16 views each; the same cars as `toy.write` renders.
    size : (int, int)
        Width and height in pixels, 16 or more.
    seed : int
        The studio, 0 or more. The same settings and library versions give the same bytes.
    progress : bool
        Show a progress bar on stderr, where that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder: `images/<id>_<view>.jpg`, `masks/<id>_<view>.png` (palette PNG, values as from
        `studio.parts`: 0 to 4, void is 255), `classes.csv` (name, r, g, b: the palette's colours;
        the row called void is the ignored 255), and rendered.json.

    Raises
    ------
    ValueError
        A setting is out of range, or the folder holds something else, which is left as it is.
    """
    cars, seed, size = int(cars), int(seed), tuple(map(int, size))
    if cars < 1 or seed < 0 or len(size) != 2 or min(size) < 16:
        raise UserError(
            f"cars={cars}, size={size}, seed={seed}: expected 1 car or more, width and height of "
            "16 or more, a seed of 0 or more"
        )
    settings = {"rendered": NOTE, "cars": cars, "size": list(size), "seed": seed}
    settings |= {"render_version": car_files.RENDER_VERSION}
    names = {
        f"{car.id}_{view:02d}": (car, view)
        for car in (make_car(seed, number) for number in range(cars))
        for view in VIEWS
    }
    palette = bytearray(3 * 256)
    for value, name in enumerate(PARTS):
        palette[3 * value : 3 * value + 3] = COLOURS[name]
    palette[3 * VOID :] = COLOURS["void"]

    def fill(part):
        for kind in ("images", "masks"):
            (part / kind).mkdir()
        rows = [f"{name},{red},{green},{blue}\n" for name, (red, green, blue) in COLOURS.items()]
        table = "name,r,g,b\n" + "".join(rows)
        (part / "classes.csv").write_text(table, encoding="utf-8", newline="\n")
        silent = None if progress else True  # None: unless stderr is a terminal
        for name in tqdm(names, desc="rendering", unit=" images", disable=silent):
            image, ids = render_with_parts(*names[name], size)
            Image.fromarray(image).save(part / "images" / f"{name}.jpg", quality=88)
            mask = Image.fromarray(ids)
            mask.putpalette(palette)
            mask.save(part / "masks" / f"{name}.png")

    files = [
        f"{kind}/{name}.{end}"
        for name in names
        for kind, end in (("images", "jpg"), ("masks", "png"))
    ]
    folder = folder or car_parts_folder(cars, size, seed)
    return once.written_once(folder, settings, ["classes.csv", *files], fill)
