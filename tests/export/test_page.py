"""The page in headless Chromium: its masks against Python's, of the same files."""

import json
import threading
import urllib.request

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image, ImageCms

from unet_tf import data, export, predict, rendered, scores
from unet_tf.cli import commands
from unet_tf.data import Card, Labels
from unet_tf.export import page as pages
from unet_tf.files import UserError

pytestmark = pytest.mark.slow
browser = pytest.importorskip("browser")
PARTS = Labels(("wall", "glass", "tyre"), ((0, 0, 0), (200, 30, 30), (30, 30, 200)))


def by_brightness(labels):
    """A model that tells what it finds by how dark it is, smoothly."""
    inputs = keras.Input((96, 128, 3))
    x = layers.AveragePooling2D(5, 1, "same")(inputs)
    head = "sigmoid" if labels.binary else "softmax"
    outputs = layers.Conv2D(labels.channels, 1, activation=head)(x)
    model = keras.Model(inputs, outputs)
    slopes, offsets = ([-8], [12]) if labels.binary else ([9, 0, -9], [-17, 0, 11])
    model.layers[-1].set_weights([np.array([slopes] * 3, "float32")[None, None], np.array(offsets)])
    return predict.Predictor(model, Card(labels, (96, 128), trained_on={"seed": 0}))


@pytest.fixture(scope="module")
def car(tmp_path_factory):
    folder = rendered.write("cars", tmp_path_factory.mktemp("car") / "cars", (480, 320), cars=2)
    return data.pair(folder)[3].image


def require():
    for name in ("onnx", "tf2onnx"):
        pytest.importorskip(name)
    try:
        pages.packaged()
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=[("binary", "dynamic"), ("classes", None)])
def shown(request, tmp_path_factory):
    """A model, and its page in a browser."""
    if browser.CHROMIUM is None:
        pytest.skip("no Chromium")
    require()
    keras.config.set_dtype_policy("float32")
    task, quantize = request.param
    model = by_brightness(Labels.foreground("car") if task == "binary" else PARTS)
    place = tmp_path_factory.mktemp("page")
    export.write_page(model, place / "page", "brightness", quantize)
    with export.server(place / "page", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        with browser.page(place / "profile") as page:
            (place / "downloads").mkdir()
            options = {"behavior": "allow", "downloadPath": str(place / "downloads")}
            page.ask("Browser.setDownloadBehavior", **options)
            page.open(address)
            page.until("document.getElementById('status')?.textContent === 'Ready.'")
            yield model, page, place / "downloads", address
        server.shutdown()


def segmented(page, path):
    """What the page says of a picture, once it is done."""
    page.run("document.getElementById('status').textContent = 'waiting'")
    page.choose(path)
    over = "!document.getElementById('file').disabled"
    page.until(f"{over} && !/waiting|…/.test(document.getElementById('status').textContent)")
    return page.run("document.getElementById('status').textContent")


def downloaded(page, folder, labels):
    """The mask that the button gives, as ids."""
    for path in folder.iterdir():
        path.unlink()
    page.run("document.getElementById('download').click()")
    end = "document.hidden || true"
    for _ in range(300):
        page.until(end)
        found = list(folder.glob("*_mask.png"))
        if found and not list(folder.glob("*.crdownload")):
            break
        threading.Event().wait(0.1)
    pixels = np.asarray(Image.open(found[0]).convert("RGB"))
    colours = np.array(labels.colours, "uint8")
    same = (pixels[:, :, None] == colours).all(-1)
    assert same.any(-1).all()  # no colour but the classes'
    return same.argmax(-1)


def agree(model, path, mask):
    """Dice of each class between the page's mask and Python's."""
    (own,) = model.masks([path])
    assert own.shape == mask.shape
    ids = range(len(model.card.labels.names))
    assert all((own == id).any() for id in ids)
    return [scores.dice(own == id, mask == id) for id in ids]


def test_a_photograph_s_mask_is_python_s_and_nobody_else_is_asked(shown, car):
    model, page, folder, address = shown
    said = segmented(page, car)
    assert said.startswith(f"{car.name}: 480 x 320 pixels in ")
    assert min(agree(model, car, downloaded(page, folder, model.card.labels))) > 0.99
    legend = page.run("document.getElementById('legend').innerText")
    names = model.card.labels.names
    assert all(name in legend for name in names[model.card.labels.binary :])
    label = page.run("document.getElementById('view').getAttribute('aria-label')")
    assert label.startswith(f"{car.name} with the outline of its mask: ")
    urls, failed = page.requested()
    assert failed == []
    assert all(url.startswith((address, "data:", f"blob:{address}")) for url in urls)


def test_a_phone_s_portrait_picture_is_upright_and_of_12_megapixels(shown, car, tmp_path):
    model, page, folder, _ = shown
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    path = tmp_path / "portrait.jpg"
    upright = Image.open(car).resize((3000, 4000), Image.Resampling.BILINEAR)
    upright.rotate(90, expand=True).save(path, exif=exif, quality=95)
    page.choose(path)
    page.until("document.getElementById('file').disabled")
    assert page.run("document.getElementById('threshold').disabled")  # no mask to cut yet
    page.until("!document.getElementById('file').disabled")
    assert "3000 x 4000 pixels" in segmented(page, path)
    assert min(agree(model, path, downloaded(page, folder, model.card.labels))) > 0.99


def test_a_broken_file_is_a_sentence_and_the_next_one_works(shown, car, tmp_path):
    _, page, _, _ = shown
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff no photograph")
    assert segmented(page, broken).startswith(
        "broken.jpg cannot be read as a picture: it is broken"
    )
    assert page.run("document.getElementById('status').className") == "error"
    assert " pixels in " in segmented(page, car)
    assert page.run("document.getElementById('status').className") == ""


def other_profile():
    """sRGB with red and blue exchanged: a browser that heeds it shows other colours."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"____").replace(b"bXYZ", b"rXYZ").replace(b"____", b"bXYZ")


def test_pixels_are_the_file_s_whatever_its_colour_profile(shown, tmp_path):
    model, page, _, _ = shown
    pixel = [200, 130, 30] if model.card.labels.binary else [250, 240, 230]  # of the background
    path = tmp_path / "profile.png"
    Image.new("RGB", (48, 32), tuple(pixel)).save(path, icc_profile=other_profile())
    segmented(page, path)
    found = page.run(
        "[...document.getElementById('view').getContext('2d').getImageData(9, 9, 1, 1).data]"
    )
    assert found == [*pixel, 255]


def test_what_is_transparent_is_black_and_said(shown, tmp_path):
    _, page, _, _ = shown
    path = tmp_path / "clear.png"
    Image.new("RGBA", (48, 32), (250, 250, 250, 0)).save(path)
    assert segmented(page, path).endswith("; what is transparent counts as black.")
    found = page.run(
        "document.getElementById('view').getContext('2d').getImageData(9, 9, 1, 1).data[3]"
    )
    assert found == 255


def test_opened_as_a_file_it_says_what_to_do(shown):
    _, page, _, address = shown
    page.open((pages.OWN / "index.html").as_uri())
    page.until("/Serve its folder/.test(document.getElementById('status')?.textContent)")
    page.open(address)
    page.until("document.getElementById('status')?.textContent === 'Ready.'")


def test_the_camera_gives_a_picture(shown):
    _, page, _, _ = shown
    page.run("document.getElementById('camera').focus()")
    page.run("document.getElementById('camera').click()")
    page.until("document.getElementById('video').videoWidth > 0")
    page.run("document.getElementById('take').click()")
    page.until("/^camera.png: .* pixels in/.test(document.getElementById('status').textContent)")
    assert page.run("document.getElementById('video').srcObject") is None
    assert page.run("document.activeElement.id") == "camera"  # the keyboard goes on from there


def test_all_is_reached_by_keyboard_and_the_slider_moves_the_mask(shown, car):
    model, page, folder, _ = shown
    page.run("document.getElementById('file').focus()")
    segmented(page, car)
    assert page.run("document.activeElement.id") == "file"
    reached, binary = set(), model.card.labels.binary
    for _ in range(6):
        page.press("Tab", 9)
        reached.add(page.run("document.activeElement.id"))
    assert reached - {""} == {"file", "camera", "download", *["threshold"] * binary}
    if not binary:
        return
    page.run("document.getElementById('threshold').focus()")
    for _ in range(20):
        page.press("ArrowRight", 39)
    assert page.run("document.getElementById('shown').textContent") == "0.70"
    (own,) = predict.predict(model, [car], threshold=0.7)
    assert scores.dice(own == 1, downloaded(page, folder, model.card.labels) == 1) > 0.99


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(shown, car, width):
    _, page, _, address = shown
    page.open(address, width)
    page.until("document.getElementById('status')?.textContent === 'Ready.'")
    segmented(page, car)
    assert page.run("document.documentElement.scrollWidth") <= width


def test_a_folder_of_something_else_stays(tmp_path):
    (tmp_path / "photo.txt").write_text("mine")
    with pytest.raises(UserError, match="something else"):
        export.write_page(by_brightness(PARTS), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.txt"]


def test_a_page_that_was_interrupted_is_written_again(monkeypatch, tmp_path):
    def reached():
        raise UserError("reached")

    monkeypatch.setattr(pages, "writer_of", lambda path: None)
    monkeypatch.setattr(pages, "packaged", reached)
    for name in ("model.onnx", "app.js", ".DS_Store"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="reached"):
        export.write_page(by_brightness(PARTS), tmp_path)


def test_a_browser_that_waits_for_the_page_gets_it(monkeypatch, tmp_path, capsys):
    """As one in the terminal does: `webbrowser.open` returns when it is closed. A model that is too
    large for some hosts is said."""
    started, server = [], export.server

    def starts(*arguments):
        started.append(server(*arguments))
        return started[0]

    def opened(address):
        with urllib.request.urlopen(f"{address}index.html", timeout=20) as answer:
            assert answer.read() == b"page"
        started[0].shutdown()

    monkeypatch.setattr(export, "server", starts)

    def written(model, folder, name, quantize):
        (folder / "index.html").write_text("page")
        with open(folder / "model.onnx", "wb") as file:
            file.truncate(138_200_000)

    monkeypatch.setattr(export, "write_page", written)
    monkeypatch.setattr("unet_tf.cli.export.loaded", lambda _: by_brightness(PARTS))
    monkeypatch.setattr("webbrowser.open", opened)
    assert (
        commands.main(["demo", "a.keras", "--folder", str(tmp_path), "--port", "0", "--open"]) == 0
    )
    assert (
        "model.onnx has 138 MB, and GitHub takes no file of more than 100"
        in capsys.readouterr().out
    )


def test_the_command_writes_a_folder_and_writes_it_again(tmp_path, capsys):
    require()
    model = by_brightness(PARTS)
    model.model.save(tmp_path / "mine.keras")
    model.card.write(tmp_path / "mine.keras")
    for _ in range(2):
        command = ["demo", str(tmp_path / "mine.keras"), "--folder", str(tmp_path / "page")]
        assert commands.main([*command, "--no-server"]) == 0
    own = {path.name for path in pages.OWN.iterdir()}
    there = {path.name for path in (tmp_path / "page").iterdir()}
    assert there == own | {"model.onnx", "card.json", *pages.FILES}
    card = json.loads((tmp_path / "page/card.json").read_text())
    assert card["name"] == "mine" and card["palette"] == [list(one) for one in PARTS.colours]


def test_the_runtime_is_the_known_one_or_none(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9/")
    with pytest.raises(UserError, match="cannot be downloaded"):
        pages.packaged()
    (tmp_path / "unet_tf" / pages.RUNTIME).write_bytes(b"another")
    with pytest.raises(UserError, match="checksum differs"):
        pages.packaged()
    assert not (tmp_path / "unet_tf" / pages.RUNTIME).exists()


def test_a_port_that_is_taken_is_said(tmp_path):
    with export.server(tmp_path, 0) as server:
        port = server.server_address[1]
        for one in (port, 70000):
            with pytest.raises(UserError, match=f"port {one}: .*--port N"):
                export.server(tmp_path, one)


def test_a_browser_that_has_gone_is_no_error(tmp_path, capsys):
    with export.server(tmp_path, 0) as server:
        for error in (BrokenPipeError, ConnectionResetError, RuntimeError):
            try:
                raise error
            except error:
                server.handle_error(None, ("127.0.0.1", 1))
            assert ("Traceback" in capsys.readouterr().err) == (error is RuntimeError)
