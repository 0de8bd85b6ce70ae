"""`python -m unet_tf`: see `unet_tf.cli`."""

import os
import sys
import traceback

from unet_tf.cli import main

if __name__ == "__main__":
    try:
        status = main()
    except Exception:
        traceback.print_exc()
        status = 1
    if status:
        # Files may still be read ahead in threads of tf.data; on the way out Python 3.13 would wait
        # for them, and they for Python, for ever.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
