"""Where data are looked for."""

import pytest
from PIL import Image

from unet_tf import data
from unet_tf import rendered as rendered_room


def save(path, size=(12, 8), colour=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, colour).save(path)


def carvana_like(folder, cars=5, views=4, layout=("train_hq", "train_masks")):
    for car in range(cars):
        for view in range(1, views + 1):
            name = f"{car:012x}_{view:02}"
            save(folder / layout[0] / f"{name}.jpg", colour=90)
            save(folder / layout[1] / f"{name}_mask.gif", colour=0)
    return folder


def test_where_find_looks(tmp_path, monkeypatch, capsys):
    rendered = tmp_path / "rendered"
    monkeypatch.setattr(rendered_room, "write", lambda kind: rendered)
    monkeypatch.setattr(rendered_room, "is_rendered", lambda folder: folder == rendered)
    assert data.find() == rendered
    assert capsys.readouterr().out == "Data: the rendered car studio, no photographs\n"

    carvana_like(tmp_path / "data" / "carvana")  # the test's working folder is tmp_path
    assert data.find().resolve() == tmp_path / "data" / "carvana"
    carvana_like(tmp_path / "mine")
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "mine"))
    assert data.find() == tmp_path / "mine"
    carvana_like(tmp_path / "asked")
    assert data.find(tmp_path / "asked") == tmp_path / "asked"


def test_a_folder_without_pairs_is_refused_with_what_was_expected(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"train_hq \+ train_masks.*images \+ masks"):
        data.find(tmp_path)
    with pytest.raises(ValueError, match="nowhere"):
        data.pair(tmp_path / "nowhere")
    monkeypatch.setenv("UNET_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(ValueError, match="elsewhere"):
        data.find()
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(ValueError, match="hold no images"):
        data.pair(tmp_path)
