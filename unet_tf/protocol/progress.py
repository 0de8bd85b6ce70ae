"""How far a training is: a line an epoch and one every half minute, where output is no terminal."""

import time

import keras

EVERY = 30.0  # seconds


class Progress(keras.callbacks.Callback):
    """Prints losses and scores of each epoch beside the score of a constant prediction, and the
    minutes that are left.

    `constant` is what a prediction that never looks at an image scores on the validation part, by
    `monitor`, such as `val_hard_dice`.
    """

    def __init__(self, constant, monitor):
        super().__init__()
        self.constant, self.monitor = constant, monitor
        self.begun = self.said = self.first = None

    def on_train_begin(self, logs=None):
        self.begun = self.said = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.first = epoch if self.first is None else self.first

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() - self.said < EVERY:
            return
        done = (batch + 1) / self.params["steps"]
        step = f"step {batch + 1} of {self.params['steps']}"
        self.say(f"{step}, loss {logs['loss']:.4f}", self.epoch + done)

    def on_epoch_end(self, epoch, logs=None):
        beside = {self.monitor: f" (a constant prediction {self.constant:.4f})"}
        words = [f"{name} {value:.4f}{beside.get(name, '')}" for name, value in logs.items()]
        own = ", ".join(word for word in words if not word.startswith("val_"))
        validation = ", ".join(word[4:] for word in words if word.startswith("val_"))
        self.say(f"{own}; validation: {validation}", epoch + 1)

    def say(self, words, done):
        """One line; `done` epochs are done, of which a part may be one."""
        self.said = time.monotonic()
        minutes = (self.said - self.begun) / 60
        left = minutes / max(done - self.first, 1e-9) * (self.params["epochs"] - done)
        epochs = f"epoch {self.epoch + 1} of {self.params['epochs']}"
        print(f"{epochs}: {words}; {minutes:.1f} min, {left:.1f} left", flush=True)
