"""The command `data`."""

from unet_tf import protocol
from unet_tf.cli import commands
from unet_tf.protocol import published as protocol_published


def small(name="article_simple", variant="corrected", **settings):
    filters = (8, 16) if name == "article_simple" else (4, 8, 16)
    return protocol_published.dataclasses.replace(
        protocol.get(name, variant),
        **{"filters": filters, "image_size": (24, 36), "epochs": 2, "batch_size": 4, **settings},
    )


def test_data_command(folder, capsys):
    assert commands.main(["data", "--data", str(folder)]) == 0
    assert "24 pairs of 12 cars; the first is 36x24 pixels" in capsys.readouterr().out


def test_render_command(tmp_path, capsys):
    assert commands.main(["data", "--render", "48x32", "--cars", "1", "--to", "small"]) == 0
    output = capsys.readouterr().out
    assert "the rendered car studio, no photographs" in output
    assert "16 pairs of 1 cars; the first is 48x32 pixels" in output


def test_download_without_credentials_says_where_to_get_them(tmp_path, monkeypatch, capsys):
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert commands.main(["data", "--download", "train_masks.zip"]) == 1
    error = capsys.readouterr().err
    assert "https://www.kaggle.com/settings" in error
    assert "Traceback" not in error
