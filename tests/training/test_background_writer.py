"""Files are written beside a training: in order, the newest wins, and what fails is said."""

import threading

import pytest

from unet_tf.training.writer import Writer


def test_one_at_a_time_and_of_what_waits_the_newest():
    begun, go, written = threading.Event(), threading.Event(), []

    def write(**job):
        begun.set()
        assert go.wait(60)
        written.append(job)

    writer = Writer(write)
    writer.hand(state=1, better="one")
    assert begun.wait(60)
    writer.hand(state=2, better="two")
    writer.hand(state=3)  # no better than two, which is not written yet
    writer.hand(state=4)
    assert written == []
    go.set()
    writer.close()
    assert written == [{"state": 1, "better": "one"}, {"state": 4, "better": "two"}]


def test_what_fails_is_raised_and_nothing_more_is_written():
    written = []

    def write(state):
        written.append(state)
        raise OSError("No space left on device")

    writer = Writer(write)
    writer.hand(state=1)
    while writer.failed is None:
        pass
    with pytest.raises(OSError, match="No space"):
        writer.hand(state=2)
    with pytest.raises(OSError, match="No space"):
        writer.close()
    assert written == [1]
