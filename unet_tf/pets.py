"""The Oxford-IIIT Pet data set: photographs without an account.

7,349 photographs of 37 breeds of cats and dogs, each with a trimap: 1 pet, 2 background, 3 border
(Parkhi, Vedaldi, Zisserman and Jawahar, "Cats and Dogs", 2012,
https://www.robots.ox.ac.uk/~vgg/data/pets/). The trimaps stay as they are: a class table says what
their values mean.
"""

import hashlib
import json
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from unet_tf.files import UserError, atomically, write_json, write_text

PAGE = "https://www.robots.ox.ac.uk/~vgg/data/pets/"
FILES = ("images.tar.gz", "annotations.tar.gz")
RECORD = "pets.json"  # the size and SHA-256 of each archive, as first downloaded
IMAGES, MASKS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"
TABLE = "label_class_dict.csv"


def download_pets(folder="data/pets", border_counts=False):
    """Download the data set, 0.8 GB, and lay it out as PASCAL VOC's, with its official lists.

    Parameters
    ----------
    folder : path
        Gets `JPEGImages`, `SegmentationClass`, `ImageSets/Segmentation/train.txt` (the official
        trainval) and `test.txt`, and `label_class_dict.csv`.
    border_counts : bool
        The border is a class of its own, the third; else it is void, and counts nowhere.

    Returns
    -------
    Path of `folder`. What is there already is not downloaded again. An archive gets its name when
    it is whole, is kept by its SHA-256 in `pets.json`, and is removed once all is laid out.

    Raises
    ------
    UserError
        No connection, a damaged archive, another archive than the first time, a member that would
        leave the folder, lists that name no image.
    """
    folder = Path(folder)
    if folder.is_file():
        raise UserError(f"{folder}: is a file. Give a folder by --to")
    folder.mkdir(parents=True, exist_ok=True)
    if all((folder / name).is_dir() for name in (IMAGES, MASKS, LISTS)):
        print(f"{folder}: there already")
    else:
        archives = [fetched(folder, name) for name in FILES]
        try:
            laid_out(folder, *archives)
        except UserError:  # what is to be deleted is not what the next one is compared with
            (folder / RECORD).unlink(missing_ok=True)
            raise
        for archive in archives:
            archive.unlink()
    third = "border" if border_counts else "void"
    write_text(folder / TABLE, f"name,r,g,b\nbackground,2,2,2\npet,1,1,1\n{third},3,3,3\n")
    print("The numbers in the names count photographs of a breed: --set split_by=image fits them")
    return folder


def like_carvana(count=320, folder="data/pets"):
    """Some of the pets, evenly over the breeds, in Carvana's layout: for the notebooks.

    A mask is 255 where the trimap has pet or border, else 0. Downloads the data set to `folder`
    where it is not there; returns the path of `<folder>-<count>`.
    """
    folder = download_pets(folder)
    target = folder.with_name(f"{folder.name}-{count}")
    if target.is_dir():
        return target
    listed = (folder / LISTS / f"{name}.txt" for name in ("train", "test"))
    names = sorted(name for path in listed for name in path.read_text().split())
    with atomically(target) as part:
        for place in ("train", "train_masks"):
            (part / place).mkdir(parents=True)
        for name in names[:: max(1, len(names) // count)][:count]:
            trimap = np.asarray(Image.open(folder / MASKS / f"{name}.png"))
            mask = Image.fromarray(np.where(trimap == 2, 0, 255).astype("uint8"))
            mask.save(part / "train_masks" / f"{name}_mask.gif")
            image = Image.open(folder / IMAGES / f"{name}.jpg").convert("RGB")  # some are no JPEG
            image.save(part / "train" / f"{name}.jpg", quality=95)
    return target


def fetched(folder, name):
    """The path of an archive: the one that is there, else downloaded."""
    archive, address, record = folder / name, f"{PAGE}data/{name}", recorded(folder / RECORD)
    partial = archive
    if not archive.exists():
        partial = folder / f".partial-{name}"
        download(address, partial)
    found = marks(partial)
    if record.get(name, found) != found:
        raise UserError(
            f"{partial}: is another file than the first time ({record[name]['bytes']} bytes then, "
            f"{found['bytes']} now). If this one is right, remove {folder / RECORD}, else remove it"
        )
    os.replace(partial, archive)
    write_json(folder / RECORD, {**record, name: found})
    return archive


def download(address, partial):
    """Download to a file, anew: what a killed run left of it, Keras would take for whole."""
    import keras  # a second: not for those who download nothing

    partial.unlink(missing_ok=True)
    try:
        keras.utils.get_file(partial.name, address, cache_dir=str(partial.parent), cache_subdir="")
    except Exception as error:  # Keras raises no narrower one
        if isinstance(error, OSError) and error.errno:  # such as a full disk
            raise
        raise UserError(
            f"{address}: cannot be downloaded ({error}). Run this again; or put the file, from "
            f"{PAGE}, into {partial.parent}"
        ) from None


def recorded(path):
    """What an earlier download has written down; empty where there was none."""
    try:
        return json.loads(path.read_text()) if path.exists() else {}
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error}). Remove it") from None


def marks(archive):
    """What an archive is known again by."""
    with archive.open("rb") as file:
        return {
            "bytes": archive.stat().st_size,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
        }


def laid_out(folder, images, annotations):
    """Extract both archives, and give the folder its layout in the last step."""
    part = folder / ".partial-extracted"
    shutil.rmtree(part, ignore_errors=True)
    extracted(images, "images", ".jpg", part / IMAGES)
    extracted(annotations, "annotations/trimaps", ".png", part / MASKS)
    lists = extracted(annotations, "annotations", ".txt", part / "lists")
    photographs = {path.stem for path in (part / IMAGES).iterdir()}
    for name, official in (("train", "trainval"), ("test", "test")):
        path = lists / f"{official}.txt"
        rows = path.read_text().splitlines() if path.exists() else []
        names = [row.split()[0] for row in rows if row.strip() and not row.startswith("#")]
        if not names or set(names) - photographs:
            raise UserError(
                f"{annotations}: its list {official}.txt is missing, or names images that "
                f"{images.name} does not hold: delete both archives and run this again"
            )
        write_text(part / LISTS / f"{name}.txt", "\n".join(names) + "\n")
    for name in (IMAGES, MASKS, LISTS.partition("/")[0]):
        shutil.rmtree(folder / name, ignore_errors=True)
        os.replace(part / name, folder / name)
    shutil.rmtree(part)


def extracted(archive, inside, ending, target):
    """The files of an archive that lie directly in a folder of it, as files of `target`.

    Links and folders are left out; nothing is unpacked where one would leave its place.
    """
    target.mkdir(parents=True)
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                place = PurePosixPath(member.name)
                if place.is_absolute() or ".." in place.parts:
                    raise UserError(
                        f"{archive}: {member.name} would leave the folder. Nothing of it is used: "
                        f"delete it, and take it from {PAGE}"
                    )
                wanted = place.parent == PurePosixPath(inside) and place.suffix == ending
                if wanted and member.isfile() and not place.name.startswith("."):
                    with opened.extractfile(member) as file:
                        (target / place.name).write_bytes(file.read())
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{archive}: is damaged ({error}). Delete it and run this again") from None
    return target
