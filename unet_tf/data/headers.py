"""What the header of an image file says, and which files are refused before they are decoded."""

from PIL import Image, TiffImagePlugin

from unet_tf.files import UserError

ORIENTATION = 0x0112  # EXIF: how a viewer turns or mirrors the stored pixels, 1 to 8
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SUBFILE, SMALLER_OR_MASK = 254, 1 | 4  # TIFF's tag of what a page is, and two of its bits
BANDS = 277  # TIFF's tag: numbers a pixel
# Scenes of up to 2**30 pixels are read, 3 GiB as RGB; Pillow, whose own limit is a sixth of that,
# refuses twice this number and warns from it on.
Image.MAX_IMAGE_PIXELS = 2**29


class Unreadable(UserError):
    """A file that cannot be read: `reason` says why, without the file's name; `remedy` what to do,
    where it is whole."""

    def __init__(self, name, reason, remedy=""):
        super().__init__(f"{name}: {reason}{f'. {remedy}' * bool(remedy)}")
        self.reason, self.remedy = reason, remedy


def orientation_of(image):
    """EXIF's orientation of a Pillow image, 1 to 8: 1 is upright, or not said.

    As in browsers damaged EXIF says nothing, nor does what stands behind a PNG's pixels.
    """
    try:
        number = Image.Image.getexif(image).get(ORIENTATION, 1)  # a PNG's own would decode it all
    except Exception:  # EXIF of cameras raises what its bytes make Pillow stumble on
        return 1
    return number if number in TURNS else 1


def upright_size(image):
    """(width, height) of a Pillow image as a viewer shows it, before it is loaded."""
    quarter = orientation_of(image) > 4 and image.format != "TIFF"  # TIFF: Pillow has done it
    return image.size[::-1] if quarter else image.size


def pages_of(image):
    """The numbers of a file's pages or frames; a TIFF's smaller copies and mattes are left out, and
    so are the previews behind a camera's JPEG."""
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return [0]
    pages = list(range(image.n_frames))
    if image.format == "TIFF":
        kinds = []
        for page in pages:
            image.seek(page)
            kinds.append(image.tag_v2.get(SUBFILE, 0))
        image.seek(0)
        pages = [
            page for page, kind in zip(pages, kinds, strict=True) if not kind & SMALLER_OR_MASK
        ]
    return pages


def require_one(image, path):
    """`Unreadable`, unless the one image of a file is its first page, of three bands at most, or
    four of which the last is alpha or all are ink."""
    if image.format == "TIFF":  # Pillow drops further bands without a word
        bands = image.tag_v2.get(BANDS, 1)
        if bands > len(image.getbands()) or image.mode == "RGBX":
            raise of_bands(path, bands)
    pages = pages_of(image)
    if pages != [0]:
        raise Unreadable(
            path,
            f"it holds {len(pages)} pages or frames, and none is taken for the others",
            "Make each a file of its own, for instance by ImageMagick: magick in.tif in_%02d.png",
        )


def of_bands(path, count):
    """The `Unreadable` of a file of more bands than red, green and blue."""
    return Unreadable(
        path,
        f"it holds {count} bands, and which of them are red, green and blue is not said",
        "Write three, for instance by GDAL: gdal_translate -b 1 -b 2 -b 3 in.tif out.tif",
    )


def bands_of(path):
    """The number of bands of a TIFF that Pillow cannot open; 0 where that is no TIFF."""
    try:
        with open(path, "rb") as file:
            tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
            file.seek(tags.next)
            tags.load(file)
        return tags.get(BANDS, 1)
    except Exception:  # whatever its bytes make Pillow stumble on
        return 0


def ends(content, kind):
    """Does a file go on to the end of its image? `content` are its bytes; what stands behind the
    end, such as the film of a phone's moving photograph, does not matter."""
    try:
        return {"JPEG": jpeg_ends, "PNG": png_ends, "GIF": gif_ends}[kind](content)
    except (IndexError, ValueError):
        return False


def png_ends(content):
    """Chunks of length, kind, data and checksum, up to IEND."""
    place = 8
    while content[place + 4 : place + 8] != b"IEND":
        place += 12 + int.from_bytes(content[place : place + 4], "big")
        content[place + 11]  # else cut
    return place + 12 <= len(content)


def gif_ends(content):
    """Blocks of images and extensions, each of sub-blocks of a length, up to 0x3B."""

    def colours(flags):
        return 3 << (flags & 7) + 1 if flags & 0x80 else 0

    place = 13 + colours(content[10])
    while content[place] != 0x3B:
        # An image has a head of 10 bytes, perhaps colours, and a byte; an extension two bytes.
        image = content[place] == 0x2C
        place += 11 + colours(content[place + 9]) if image else 2
        while content[place]:
            place += 1 + content[place]
        place += 1
    return True


def jpeg_ends(content):
    """Segments of a marker and a length; behind a scan's head its data, up to the next marker."""
    place = 2
    while (marker := content[place + 1]) != 0xD9:
        if marker == 0xFF:  # fills up
            place += 1
            continue
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == 0xDA:
            place = content.index(b"\xff", place)
            while content[place + 1] in (0, *range(0xD0, 0xD8)):
                place = content.index(b"\xff", place + 2)
    return True
