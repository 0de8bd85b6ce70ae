"""All that is to be measured on a GPU, part by part, within some minutes of one card.

    python benchmarks/gpu.py                           # begins no part after eight minutes
    python benchmarks/gpu.py --small --to /tmp         # does it run? On a CPU, in some minutes
    python benchmarks/gpu.py --parts saving input      # these alone, into the same record

Each part is a process of its own with a limit of time, and the record is written after each: what a
cut leaves out is only the rest. Parts that need what is not installed (PyTorch, JAX) say so in the
record. A rate is images per second, three times 40 steps; the first epoch, which traces and
compiles, stands apart.
"""

import gc
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import measure
from peers import BATCH, FILTERS, SIZE, random_batch, widths

IMAGES = 800
PEER = "U-Net, 2x2"  # the network of `peer_torch.py`
GUIDE = "guide_unet"  # it takes the longest, so it comes last
FIRST = ["article_unet", PEER, "article_simple"]
AS_IT_IS = "as it is"
# What is measured in one process, one after another: network, kernels, what is tried.
WAYS = {
    "plain": [
        *((name, "any kernels", AS_IT_IS) for name in [*FIRST, GUIDE]),
        *((name, "deterministic", AS_IT_IS) for name in ("article_unet", "article_simple", GUIDE)),
    ],
    "xla": [
        *((name, "any kernels", AS_IT_IS) for name in FIRST),
        *((PEER, "any kernels", trial) for trial in ("pool by slices", "head by a sum", "float16")),
        ("article_unet", "deterministic", AS_IT_IS),
        (GUIDE, "any kernels", AS_IT_IS),
    ],
}
PARTS = {  # part: seconds that it may take, its arguments of `--one`
    "plain": (140, "steps:plain"),
    "xla": (270, "steps:xla"),
    "saving": (90, "saving"),
    "PyTorch, eager": (60, "torch:eager"),
    "PyTorch, compiled": (120, "torch:compiled"),
    "JAX": (90, "jax"),
    "input": (90, "reading"),
    "submission": (60, "submission"),
    **{
        f"precision, {policy}": (240, f"precision:{policy}")
        for policy in ("float32", "mixed_bfloat16", "mixed_float16")
    },
}


def rate(function, done, small, images=BATCH):
    """Images per second of a function of one batch, three times; `done` waits for the device."""
    count, rates = (1 if small else 40), []
    for _ in range(1 if small else 5):
        function()
    done()
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(count):
            function()
        done()
        rates.append(count * images / (time.perf_counter() - start))
    return rates


def size_of(name):
    """Height and width of a network's images."""
    return (160, 240) if name == GUIDE else SIZE


def built(name, trial, small):
    """A network by its name, with what is tried in it."""
    import keras
    from keras import layers, ops

    from unet_tf import network, protocol

    class PoolBySlices(layers.Layer):
        """2x2 max pooling: XLA joins these operations, and their gradient, with others."""

        def call(self, x):
            rows = ops.maximum(x[:, ::2], x[:, 1::2])
            return ops.maximum(rows[:, :, ::2], rows[:, :, 1::2])

        def compute_output_shape(self, shape):
            return (shape[0], shape[1] // 2, shape[2] // 2, shape[3])

    class HeadBySum(layers.Layer):
        """A 1x1 convolution to one channel, as a sum."""

        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1],))
            self.bias = self.add_weight(shape=(1,), initializer="zeros")

        def call(self, x):
            x = ops.cast(x, "float32") * self.kernel
            return ops.sum(x, axis=-1, keepdims=True) + self.bias

    keras.config.set_dtype_policy("mixed_float16" if trial == "float16" else "mixed_bfloat16")
    shape, filters = (*size_of(name), 3), widths(first(small))
    if name == "article_simple":
        return network.simple_fcn(shape, filters[:3])
    if name == "article_unet":
        return network.unet(shape, filters)
    if name == GUIDE:
        return protocol.guide_unet(shape, filters)
    model = network.unet(shape, filters, dropout=0.0, upsampling="transposed_2x2")
    if trial in (AS_IT_IS, "float16"):
        return model

    def other(layer):
        if trial == "pool by slices" and isinstance(layer, layers.MaxPooling2D):
            return PoolBySlices()
        if trial == "head by a sum" and layer.name == "head":
            return HeadBySum(dtype="float32")
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=other)


def first(small):
    """How many filters the first level has."""
    return 4 if small else FILTERS


def epochs_of(times):
    """Seconds of the first epoch and of the later ones, from the moments at which they began."""
    first, *later = [end - start for start, end in itertools.pairwise(times)]
    return {"first epoch, seconds": first, "later epochs, seconds": later}


def clock(times):
    """A callback that notes when epochs begin, and when the training ends."""
    import keras

    def note(*arguments, **words):
        times.append(time.perf_counter())

    return keras.callbacks.LambdaCallback(on_epoch_begin=note, on_train_end=note)


def trained(name, xla, trial, small):
    """Epochs of 800 images with a validation of 192, bare steps, and predictions of a network."""
    import keras
    import tensorflow as tf

    from unet_tf import predict, training

    keras.utils.set_random_seed(0)
    model, times = built(name, trial, small), []
    batch = random_batch(size_of(name))
    batches = tf.data.Dataset.from_tensors(batch)
    steps = 2 if small else IMAGES // BATCH
    gpu = bool(tf.config.list_physical_devices("GPU"))
    if gpu:
        tf.config.experimental.reset_memory_stats("GPU:0")
    adam = keras.optimizers.Adam(1e-4, epsilon=1e-6)
    training.fit(
        *(model, batches.repeat(steps).prefetch(4), batches.repeat(6).prefetch(4)),
        **{"epochs": 5, "optimizer": adam, "callbacks": [clock(times)], "verbose": 0, "xla": xla},
    )
    found = epochs_of(times)
    if gpu:
        found["GiB at most"] = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**30
    iterator, logs = iter(batches.repeat().prefetch(4)), [None]

    def step():
        logs[0] = model.train_function(iterator)

    found["steps"] = rate(step, lambda: float(logs[0]["loss"]), small)
    if xla:

        @tf.function(autograph=False)
        def eight(batches):
            return [model.train_function(batches) for _ in range(8)][-1]

        def step():
            logs[0] = eight(iterator)

        found["steps, 8 in one call"] = rate(step, lambda: float(logs[0]["loss"]), small, 8 * BATCH)
    if trial == AS_IT_IS:
        found |= predicted(predict.compiled(model), batch[0], xla, small)
    return {**found, "parameters": model.count_params()}


def predicted(model, images, xla, small):
    """Predictions of one batch, each fetched before the next, and one fetched behind the next."""
    import tensorflow as tf

    if xla:
        model = tf.function(model, jit_compile=True)
    start = time.perf_counter()
    model(images, training=False).numpy()
    found, before = {"first prediction, seconds": time.perf_counter() - start}, [None]

    def fetched():
        model(images, training=False).numpy()

    def behind():
        answers, before[0] = before[0], model(images, training=False)
        if answers is not None:
            answers.numpy()

    found["prediction"] = rate(fetched, lambda: None, small)
    found["prediction, fetched behind the next"] = rate(behind, lambda: before[0].numpy(), small)
    return found


def steps(how, small):
    """All ways of `plain` or of `xla`, in one process, in which XLA keeps what it has tuned."""
    import keras
    import tensorflow as tf

    for name, kernels, trial in WAYS[how]:
        if kernels == "deterministic":
            tf.config.experimental.enable_op_determinism()
        found = trained(name, how == "xla", trial, small)
        yield f"{name}, {how}, {kernels}, {trial}", found
        keras.backend.clear_session()
        gc.collect()


def jax_steps(small):
    """The network of `peer_torch.py` by Keras on JAX: epochs of 800 images in memory."""
    import keras
    import numpy as np

    from unet_tf.network import bce_dice_loss, hard_dice

    keras.utils.set_random_seed(0)
    model, times = built(PEER, AS_IT_IS, small), []
    images, masks = (np.tile(a, (2 if small else 25, 1, 1, 1)) for a in random_batch())
    model.compile(keras.optimizers.Adam(1e-4), bce_dice_loss, metrics=[hard_dice], jit_compile=True)
    options = {"epochs": 5, "batch_size": BATCH, "verbose": 0, "callbacks": [clock(times)]}
    model.fit(images, masks, shuffle=False, **options)
    found = epochs_of(times)
    found["steps"] = [len(images) / seconds for seconds in found["later epochs, seconds"]]
    model.predict(images, batch_size=BATCH, verbose=0)
    found["prediction"] = rate(
        lambda: model.predict(images, batch_size=BATCH, verbose=0), lambda: None, True, len(images)
    )
    yield f"{PEER}, JAX", {**found, "parameters": model.count_params()}


def cars(count, size, small):
    """Pairs of rendered cars, 16 views of each."""
    from unet_tf import data, rendered

    count, size = (32, (240, 160)) if small else (count, size)
    return data.pair(rendered.write("cars", cars=-(-count // 16), size=size))[:count]


def large_cars(small):
    """512 pairs of Carvana's size."""
    return cars(32, None, small) if small else measure.large_pairs(512)


def saving(small):
    """Seconds of a later epoch of the article's U-Net: bare, and with all that is saved; without
    XLA, so that nothing compiles between."""
    import keras

    from unet_tf import network, pipeline, training

    keras.config.set_dtype_policy("mixed_bfloat16")
    pairs = cars(1000, (480, 320), small)  # read once, so they may be small
    cut = len(pairs) * 4 // 5
    batches = pipeline.dataset(pairs[:cut], batch_size=BATCH, shuffle=True, cache="memory")
    validation = pipeline.dataset(pairs[cut:], batch_size=BATCH, cache="memory")
    found = {}
    for name in ("bare", "saved", "bare, again"):
        keras.utils.set_random_seed(0)
        model = network.unet(filters=widths(first(small)))
        times = []
        with tempfile.TemporaryDirectory() as folder:
            options = {"folder": folder} if name == "saved" else {}
            begun = time.perf_counter()
            training.fit(
                *(model, batches, validation),
                **{"epochs": 6, "callbacks": [clock(times)], "verbose": 0, "xla": False, **options},
            )
            whole = time.perf_counter() - begun
        found[name] = {**epochs_of(times), "all, seconds": whole}
    yield "saving", found


def torch_steps(how, small):
    """The same U-Net in PyTorch: autocast to bfloat16, channels last, eager or compiled."""
    import peer_torch
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    model = peer_torch.UNet(widths(first(small)))
    model = model.to(device, memory_format=torch.channels_last)
    network = torch.compile(model) if how == "compiled" else model
    options = {"fused": True} if device == "cuda" else {}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, **options)
    held = [
        torch.from_numpy(a).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        for a in random_batch()
    ]
    held = [a.pin_memory() for a in held] if device == "cuda" else held

    def step():
        images, masks = (a.to(device, non_blocking=True) for a in held)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=torch.bfloat16):
            logits = network(images)
        peer_torch.bce_dice(logits.float(), masks).backward()
        optimizer.step()

    def forward():
        images = held[0].to(device, non_blocking=True)
        with torch.inference_mode(), torch.autocast(device, dtype=torch.bfloat16):
            return torch.sigmoid(network(images)).float()

    done = torch.cuda.synchronize if device == "cuda" else lambda: None
    start = time.perf_counter()
    step()
    done()
    found = {"first step, seconds": time.perf_counter() - start}
    found["steps"] = rate(step, done, small)
    if device == "cuda":
        found["GiB at most"] = torch.cuda.max_memory_allocated() / 2**30
    found["prediction"] = rate(lambda: forward().cpu(), done, small)
    before = [None]

    def behind():
        answers, before[0] = before[0], forward()
        if answers is not None:
            answers.cpu()

    found["prediction, fetched behind the next"] = rate(behind, done, small)
    parameters = sum(p.numel() for p in model.parameters())
    yield f"{PEER}, PyTorch, {how}", {**found, "parameters": parameters, "torch": torch.__version__}


def reading(small):
    """Images per second from 1918x1280 files: the first pass, and passes from memory."""
    from unet_tf import pipeline

    pairs, found = large_cars(small), {"cores": os.cpu_count()}
    for augment in (False, True):
        batches = pipeline.dataset(
            pairs, batch_size=BATCH, shuffle=True, augment=augment, cache="memory"
        )
        for name in ("first pass", "from memory", "from memory, again"):
            start = time.perf_counter()
            count = sum(len(images) for images, _ in batches)
            found[f"{name}, augmented {augment}"] = count / (time.perf_counter() - start)
    yield "input", found


def precision(policy, small):
    """The validation dice of a small U-Net in one policy, five seeds; loss scales at the end."""
    import keras

    from unet_tf import network, pipeline, training

    pairs = cars(640, (480, 320), small)[:320]  # the default set, which exists
    cut = len(pairs) * 4 // 5
    batches = pipeline.dataset(
        pairs[:cut], batch_size=16, shuffle=True, augment=True, cache="memory"
    )
    validation = pipeline.dataset(pairs[cut:], batch_size=16, cache="memory")
    keras.config.set_dtype_policy(policy)
    for seed in range(1 if small else 5):
        keras.utils.set_random_seed(seed)
        model = network.unet(filters=(4, 8) if small else (16, 32, 64, 128, 256))
        adam = keras.optimizers.Adam(1e-3, epsilon=1e-6)
        options = {"epochs": 1 if small else 8, "optimizer": adam, "verbose": 0, "xla": False}
        history = training.fit(model, batches, validation, **options)
        found = {"dice": max(history.history["val_hard_dice"])}
        if policy == "mixed_float16":
            found["loss scale"] = float(model.optimizer.dynamic_scale)
        yield f"{policy}, seed {seed}", found


def submission(small):
    """Images per second from JPEG files of 1918x1280 to run lengths, by the article's U-Net."""
    import keras

    from unet_tf import data, network, predict

    keras.config.set_dtype_policy("mixed_bfloat16")
    pairs, found = large_cars(small), {"cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "unet.keras"
        network.unet(filters=widths(first(small))).save(path)
        data.Card(data.Labels.foreground("car"), SIZE).write(path)
        model = predict.load(path)
        for name in ("first", "again", "once more"):
            start = time.perf_counter()
            images, target = [image for image, _ in pairs], Path(folder) / f"{name}.csv.gz"
            count = len(list(predict.to_submission(model, images, target, batch_size=BATCH)))
            found[name] = count / (time.perf_counter() - start)
    yield "submission", found


ONE = {f.__name__: f for f in (steps, saving, reading, precision, submission)}
ONE |= {"torch": torch_steps, "jax": jax_steps}


def in_time(part, small, to):
    """What a part gives, run as a process of its own, also where it is cut; and why it was. Its
    lines lie in a file beside the record meanwhile: a cut of this process leaves them there."""
    seconds, one = PARTS[part]
    command = [sys.executable, __file__, "--one", one, *(["--small"] if small else [])]
    environment = {**os.environ, **({"KERAS_BACKEND": "jax"} if part == "JAX" else {})}
    path = to / f"gpu {part}.txt"
    with open(path, "w+") as out, tempfile.TemporaryFile("w+") as errors:
        try:
            options = {"stdout": out, "stderr": errors, "timeout": seconds, "env": environment}
            code = subprocess.run(command, **options).returncode
        except subprocess.TimeoutExpired:
            code = f"it took more than {seconds} s"
        lines = [line for line in path.read_text().splitlines() if line.startswith('{"')]
        found = {name: one for line in lines for name, one in json.loads(line).items()}
        if code:
            errors.seek(0)
            last = (errors.read().strip() or "no word").splitlines()[-1][-300:]
            found["cut"] = code if isinstance(code, str) else last
    path.unlink()
    return found


def main():
    parser = measure.parser(__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--small", action="store_true", help="tiny networks and few images")
    parser.add_argument("--minutes", type=float, default=8, help="begin no part after these (8)")
    parser.add_argument("--one", help="measure this one here")
    arguments = parser.parse_args()
    if arguments.one:
        name, *options = arguments.one.split(":")
        for found in ONE[name](*options, arguments.small):
            print(json.dumps(dict([found])), flush=True)
        return
    from unet_tf import training

    begun, path = time.perf_counter(), arguments.to / "gpu.json"
    arguments.to.mkdir(parents=True, exist_ok=True)
    record = json.loads(path.read_text()) if path.exists() else {"small": arguments.small}
    there = record.get("hardware", training.hardware()), record["small"]
    if there != (training.hardware(), arguments.small):
        raise SystemExit(f"{path} is of another machine or size ({there}): give another --to")
    parts = record.setdefault("parts", {})
    for part in arguments.parts:
        if time.perf_counter() - begun > 60 * arguments.minutes:
            break
        start = time.perf_counter()
        found = in_time(part, arguments.small, arguments.to)
        parts[part] = {**found, "seconds": time.perf_counter() - start}
        print(part, json.dumps(parts[part]), flush=True)
        measure.write(arguments.to, "gpu", record)


if __name__ == "__main__":
    main()
