"""The commands `data` and `check`."""

from pathlib import Path

from unet_tf.cli.types import patterns_of


def run_data(arguments):
    from unet_tf import data, kaggle, pets, rendered

    folder = arguments.data
    kind = "town" if arguments.download_buildings else arguments.kind
    if arguments.download:
        folder = arguments.to or "data/carvana"
        kaggle.download(arguments.download, folder)
    elif arguments.download_buildings:
        folder = kaggle.download_buildings(arguments.to or "data/massachusetts-buildings")
    elif arguments.download_pets:
        folder = pets.download_pets(arguments.to or "data/pets", arguments.border)
    elif arguments.render:
        cars = {"cars": arguments.cars} if arguments.cars and kind != "town" else {}
        folder = rendered.write(kind, arguments.to, arguments.render, arguments.seed, **cars)
    if arguments.download and data.layout(Path(folder)) is None:
        return
    folder = data.find(folder, kind)
    pairs = data.pair(folder)
    images = [image for image, _ in pairs]
    groups, word = set(data.groups_of(images)), data.word_of(images)
    height, width = data.size_of(images[0])
    print(f"Folder: {folder}")
    print(f"{len(pairs)} pairs of {len(groups)} {word}s; the first is {width}x{height} pixels")


def run_check(arguments):
    from unet_tf import data, doctor

    folder = Path(arguments.folder)
    apart = data.objects_apart(folder) if arguments.write_masks and folder.is_dir() else []
    if apart:
        doctor.join_objects(apart, arguments.write_masks)
        print(f"{len(apart)} images and their joined masks written to {arguments.write_masks}")
        return 0
    patterns = patterns_of(arguments)
    report = doctor.check(arguments.folder, arguments.classes, patterns, arguments.region)
    print(report.text())
    if arguments.picture:
        Path(arguments.picture).parent.mkdir(parents=True, exist_ok=True)
        report.picture(arguments.picture)
        print(f"\nWritten to {arguments.picture}")
    if arguments.write_masks:
        masks = doctor.write_masks(report, arguments.write_masks, arguments.foreground)
        print(f"\n{len(masks)} masks written to {arguments.write_masks}: put them in the place of")
        print("the others, or name both by --image-files PATTERN --mask-files PATTERN")
        return 0
    return report.status
