"""The course as static pages: `make site`. Nothing is executed; outputs are the committed ones."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from unet_tf import REPOSITORY, __version__

project = "U-Net segmentation in Keras 3"
author = "the authors of unet_tf"
copyright = "the authors of unet_tf, MIT licence"
release = __version__

extensions = ["myst_nb", "sphinx.ext.githubpages"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables that cells put out; the default knows none
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
exclude_patterns = ["py", "runs", "data", "**.ipynb_checkpoints", "__pycache__"]

html_theme = "sphinx_book_theme"
html_title = project
html_theme_options = {
    "repository_url": f"https://github.com/{REPOSITORY}",
    "repository_branch": "main",
    "path_to_docs": "notebooks",
    "use_repository_button": True,
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    "show_toc_level": 2,
    "navbar_persistent": [],  # else a second search field stands above the one in the sidebar
}


def setup(app):
    """Links to files beside the notebooks lead to the repository."""
    app.connect("source-read", outside)


def outside(app, name, source):
    if "/" in name:  # an exercise's links lead to pages beside its folder
        return
    address = f"https://github.com/{REPOSITORY}/blob/main/"
    source[0] = re.sub(r"\]\(\.\./([^)]+)\)", rf"]({address}\1)", source[0])
