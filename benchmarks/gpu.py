"""All that is to be measured on a GPU, part by part, within some minutes of one card.

    python benchmarks/gpu.py                           # eight minutes; results/speed/gpu.json
    python benchmarks/gpu.py --small --to /tmp         # does it run? On a CPU, in three minutes
    python benchmarks/gpu.py --parts saving precision  # these alone

Each part is a process of its own with a limit of time, and the record is written after each: what a
cut leaves out is only the rest. Parts that need what is not installed (PyTorch, JAX) say so in the
record. A rate is images per second; the first step, which traces and compiles, stands apart.
"""

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

BATCH, SIZE = 32, (96, 128)
# part: seconds that it may take, its arguments of `--one`
PARTS = {
    **{
        f"{model}, {xla}, {kernels}": (120, f"steps:{model}:{xla}:{kernels}")
        for model, xla, kernels in (
            ("article_unet", "plain", "any kernels"),
            ("article_unet", "plain", "deterministic"),
            ("article_unet", "xla", "any kernels"),
            ("article_unet", "xla", "deterministic"),
            ("article_simple", "plain", "any kernels"),
            ("article_simple", "xla", "any kernels"),
            ("guide_unet", "plain", "any kernels"),
            ("guide_unet", "xla", "any kernels"),
        )
    },
    "saving": (150, "saving"),
    "PyTorch, eager": (60, "torch:eager"),
    "PyTorch, compiled": (120, "torch:compiled"),
    "JAX": (90, "steps:article_unet:xla:any kernels"),
    "input": (120, "reading"),
    "precision": (240, "precision"),
    "submission": (120, "submission"),
}


def rates(step, predict, count, size, done=lambda: None):
    """Rates of a step and of a prediction of one batch, and the seconds of the first of each;
    `done` waits until the device has finished."""
    found = {}
    for name, function in (("train", step), ("predict", predict)):
        start = time.perf_counter()
        function()
        done()
        found[f"{name}, first call, seconds"] = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(count):
            function()
        done()
        found[f"{name}, images per second"] = count * size / (time.perf_counter() - start)
    return found


def steps(recipe, xla, kernels, small):
    """A training step and a prediction of a recipe's network, one batch again and again."""
    import keras
    import numpy as np

    from unet_tf import network

    if kernels == "deterministic":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("mixed_bfloat16")
    size, filters, batch = (160, 240) if recipe == "guide_unet" else SIZE, 4 if small else 64, BATCH
    widths = tuple(filters * 2**level for level in range(5))
    if recipe == "article_simple":
        model = network.simple_fcn((*size, 3), widths[:3])
    else:
        model = network.unet((*size, 3), widths, batch_norm=recipe == "guide_unet")
    adam = keras.optimizers.Adam(1e-4, epsilon=1e-6)
    model.compile(adam, network.bce_dice_loss, jit_compile=xla == "xla")
    images = np.random.default_rng(0).random((batch, *size, 3), "float32")
    masks = (images[..., :1] > 0.5).astype("float32")
    images, masks = keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(masks)
    found = rates(
        lambda: model.train_on_batch(images, masks),
        lambda: model.predict_on_batch(images),
        2 if small else 30,
        batch,
    )
    return {**found, "parameters": model.count_params(), "backend": keras.backend.backend()}


def cars(count, size, small):
    """Pairs of rendered cars."""
    from unet_tf import data, rendered

    count, size = (32, (240, 160)) if small else (count, size)
    return data.pair(rendered.write("cars", cars=-(-count // 16), size=size))[:count]


def saving(small):
    """Seconds of a later epoch of the article's U-Net: bare, and with all that is saved; without
    XLA, so that nothing compiles between."""
    import keras

    from unet_tf import network, pipeline, training

    keras.config.set_dtype_policy("mixed_bfloat16")
    pairs, filters = cars(1000, (480, 320), small), 4 if small else 64
    cut = len(pairs) * 4 // 5
    batches = pipeline.dataset(pairs[:cut], batch_size=BATCH, shuffle=True, cache="memory")
    validation = pipeline.dataset(pairs[cut:], batch_size=BATCH, cache="memory")
    found = {}
    for name in ("bare", "saved"):
        keras.utils.set_random_seed(0)
        model = network.unet(filters=tuple(filters * 2**level for level in range(5)))
        times = []
        clock = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs, times=times: times.append(time.perf_counter())
        )
        with tempfile.TemporaryDirectory() as folder:
            options = {"folder": folder} if name == "saved" else {}
            begun = time.perf_counter()
            training.fit(
                *(model, batches, validation),
                **{"epochs": 5, "callbacks": [clock], "verbose": 0, "xla": False, **options},
            )
            whole = time.perf_counter() - begun
        later = [end - start for start, end in itertools.pairwise(times[1:])]
        found[f"{name}, seconds of later epochs"] = later
        found[f"{name}, seconds of all"] = whole
    return found


def torch_steps(how, small):
    """The same U-Net in PyTorch: autocast to bfloat16, channels last, eager or compiled."""
    import peer_torch
    import peers
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    model = peer_torch.UNet(peers.widths(4 if small else 64)).to(device)
    model = model.to(memory_format=torch.channels_last)
    network = torch.compile(model) if how == "compiled" else model
    options = {"fused": True} if device == "cuda" else {}
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, **options)
    images, masks = (
        torch.from_numpy(a).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        for a in peers.random_batch()
    )
    images, masks = images.to(device), masks.to(device)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=torch.bfloat16):
            logits = network(images)
        peer_torch.bce_dice(logits.float(), masks).backward()
        optimizer.step()

    def predict():
        with torch.inference_mode(), torch.autocast(device, dtype=torch.bfloat16):
            return torch.sigmoid(network(images)).float().cpu()

    done = torch.cuda.synchronize if device == "cuda" else lambda: None
    return rates(step, predict, 2 if small else 30, len(images), done)


def reading(small):
    """Images per second from 1918x1280 files: the first pass, and one from memory."""
    from unet_tf import pipeline

    pairs, found = cars(256, (1918, 1280), small), {}
    batches = pipeline.dataset(pairs, batch_size=BATCH, shuffle=True, augment=True, cache="memory")
    for name in ("first pass", "from memory", "from memory, again"):
        start = time.perf_counter()
        count = sum(len(images) for images, _ in batches)
        found[f"{name}, images per second"] = count / (time.perf_counter() - start)
    return {**found, "cores": os.cpu_count()}


def precision(small):
    """The validation dice of a small U-Net, by policy, five seeds each; loss scales at the end."""
    import keras

    from unet_tf import network, pipeline, training

    pairs, found = cars(320, (480, 320), small), {}
    cut = len(pairs) * 4 // 5
    batches = pipeline.dataset(
        pairs[:cut], batch_size=16, shuffle=True, augment=True, cache="memory"
    )
    validation = pipeline.dataset(pairs[cut:], batch_size=16, cache="memory")
    for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        dices, scales = [], []
        for seed in range(1 if small else 5):
            keras.utils.set_random_seed(seed)
            model = network.unet(filters=(4, 8) if small else (16, 32, 64, 128, 256))
            adam = keras.optimizers.Adam(1e-3, epsilon=1e-6)
            options = {"epochs": 1 if small else 8, "optimizer": adam, "verbose": 0, "xla": False}
            history = training.fit(model, batches, validation, **options)
            dices.append(max(history.history["val_hard_dice"]))
            if policy == "mixed_float16":
                scales.append(float(model.optimizer.dynamic_scale))
        found[policy] = {"dice": dices, "loss_scales": scales}
    return found


def submission(small):
    """Images per second from JPEG files of 1918x1280 to run lengths, by the article's U-Net."""
    import keras

    from unet_tf import data, network, predict

    keras.config.set_dtype_policy("mixed_bfloat16")
    pairs = cars(256, (1918, 1280), small)
    filters = 4 if small else 64
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "unet.keras"
        network.unet(filters=tuple(filters * 2**level for level in range(5))).save(path)
        data.Card(data.Labels.foreground("car"), SIZE).write(path)
        model, found = predict.load(path), {}
        for name in ("first", "again"):
            start = time.perf_counter()
            images, target = [image for image, _ in pairs], Path(folder) / f"{name}.csv.gz"
            count = len(list(predict.to_submission(model, images, target, batch_size=BATCH)))
            found[f"{name}, images per second"] = count / (time.perf_counter() - start)
    return found


ONE = {f.__name__: f for f in (steps, saving, reading, precision, submission)}
ONE["torch"] = torch_steps


def in_time(part, small):
    """What a part gives, run as a process of its own; or why it gave nothing."""
    seconds, one = PARTS[part]
    command = [sys.executable, __file__, "--one", one, *(["--small"] if small else [])]
    environment = {**os.environ, **({"KERAS_BACKEND": "jax"} if part == "JAX" else {})}
    options = {"capture_output": True, "text": True, "timeout": seconds, "env": environment}
    try:
        done = subprocess.run(command, **options)
    except subprocess.TimeoutExpired:
        return {"nothing": f"it took more than {seconds} s"}
    if done.returncode:
        return {"nothing": (done.stderr.strip() or "no word").splitlines()[-1][-300:]}
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = measure.parser(__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--small", action="store_true", help="tiny networks and few images")
    parser.add_argument("--minutes", type=float, default=8, help="begin no part after these (8)")
    parser.add_argument("--one", help="measure this one here")
    arguments = parser.parse_args()
    if arguments.one:
        name, *options = arguments.one.split(":")
        print(json.dumps(ONE[name](*options, arguments.small)))
        return
    begun, record = time.perf_counter(), {"small": arguments.small, "parts": {}}
    for part in arguments.parts:
        if time.perf_counter() - begun > 60 * arguments.minutes:
            record["parts"][part] = {"nothing": "the minutes were over"}
            continue
        start = time.perf_counter()
        found = in_time(part, arguments.small)
        record["parts"][part] = {**found, "seconds": time.perf_counter() - start}
        print(part, json.dumps(record["parts"][part]), flush=True)
        measure.write(arguments.to, "gpu", record)


if __name__ == "__main__":
    main()
