"""A process that renders: Python runs this file, with a task in JSON as its argument.

So it imports neither TensorFlow nor the script or notebook that wants the pictures.
"""

import importlib
import json
import sys
from pathlib import Path

if __name__ == "__main__":
    # This very package, and nothing that lies beside it: its folder leaves the path again.
    sys.path.insert(0, str(Path(__file__).parents[2]))
    importlib.import_module("unet_tf")
    del sys.path[0]
    from unet_tf.rendered.data_sets import draw_all

    draw_all(*json.loads(sys.argv[1]))
