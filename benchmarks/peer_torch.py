"""The article's U-Net in plain PyTorch, eager; started by `peers.py` in an environment of its own.

As `unet_tf.network.unet(upsampling="transposed_2x2", dropout=0)`: the same layers, as many
parameters. Prints a JSON object.
"""

import json

import peers
import torch
from torch import nn
from torch.nn import functional


def block(channels, width):
    """Two 3x3 convolutions with ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """Float32 `(B, 3, H, W)` in [0, 1] to logits `(B, 1, H, W)`."""

    def __init__(self, filters):
        super().__init__()
        *encoder, bottleneck = filters
        self.down = nn.ModuleList(map(block, [3, *encoder], encoder))
        self.bottleneck = block(encoder[-1], bottleneck)
        decoder = encoder[::-1]
        below = [bottleneck, *decoder]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(wide, width, 2, stride=2)
            for wide, width in zip(below, decoder, strict=False)
        )
        self.joined = nn.ModuleList(block(2 * width, width) for width in decoder)
        self.last = nn.Sequential(nn.Conv2d(encoder[0], encoder[0], 3, padding=1), nn.ReLU())
        self.head = nn.Conv2d(encoder[0], 1, 1)

    def forward(self, x):
        skips = []
        for down in self.down:
            skips.append(down(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        for up, joined, skip in zip(self.up, self.joined, reversed(skips), strict=True):
            x = joined(torch.cat([up(x), skip], dim=1))
        return self.head(self.last(x))


def bce_dice(logits, masks):
    """`unet_tf.network.bce_dice_loss`, of logits: the mean over the images."""
    probabilities, axes = torch.sigmoid(logits), (1, 2, 3)
    overlap = (masks * probabilities).sum(axes)
    dice = (2 * overlap + 1e-5) / (masks.sum(axes) + probabilities.sum(axes) + 1e-5)
    return functional.binary_cross_entropy_with_logits(logits, masks) + (1 - dice).mean()


def main():
    parser = peers.options(__doc__)
    parser.add_argument("--format", choices=peers.FORMATS, default="contiguous")
    arguments = parser.parse_args()
    torch.set_num_threads(peers.CORES)
    form = torch.channels_last if arguments.format == "channels_last" else torch.contiguous_format
    images, masks = (
        torch.from_numpy(array).permute(0, 3, 1, 2).contiguous(memory_format=form)
        for array in peers.random_batch()
    )
    model = UNet(peers.widths(arguments.filters)).to(memory_format=form)
    optimizer = torch.optim.Adam(model.parameters(), lr=peers.LEARNING_RATE)

    def autocast():
        bfloat16 = arguments.precision == "bfloat16"
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16)

    def step():
        optimizer.zero_grad()
        with autocast():
            logits = model(images)
        loss = bce_dice(logits.float(), masks)
        loss.backward()
        optimizer.step()
        return loss.item()

    def predict():
        with torch.inference_mode(), autocast():
            return torch.sigmoid(model(images)).float().numpy()

    found = peers.measured(step, predict, arguments.steps)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    versions = {"torch": torch.__version__}
    threads = torch.get_num_threads()
    print(json.dumps({**found, "parameters": parameters, "threads": threads, "versions": versions}))


if __name__ == "__main__":
    main()
