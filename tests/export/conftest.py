"""What the tests of this room share."""

import numpy as np
import pytest
from small_models import saved


@pytest.fixture
def model(tmp_path):
    return saved(tmp_path / "small.keras")


@pytest.fixture
def image():
    """Wider than high, and of no special size."""
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype("uint8")
