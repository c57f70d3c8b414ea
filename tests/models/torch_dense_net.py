"""TorchXRayVision's DenseNet in PyTorch: same names, same arithmetic, random weights. Imports PyTorch."""

from collections import OrderedDict

import torch
from torch import nn


class _DenseLayer(nn.Module):
    def __init__(self, channels, growth_rate):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(4 * growth_rate)
        self.conv1 = nn.Conv2d(channels, 4 * growth_rate, 1, bias=False)
        self.conv2 = nn.Conv2d(4 * growth_rate, growth_rate, 3, padding=1, bias=False)

    def forward(self, x):
        new = self.conv1(torch.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(torch.relu(self.norm2(new)))], dim=1)


class DenseNet(nn.Module):
    """From (batch, 1, size, size) images in [-1024, 1024] to (batch, 18) logits."""

    def __init__(self, blocks=(6, 12, 24, 16), growth_rate=32, stem_channels=64):
        super().__init__()
        layers = OrderedDict(
            conv0=nn.Conv2d(1, stem_channels, 7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(stem_channels),
            relu0=nn.ReLU(),
            pool0=nn.MaxPool2d(3, stride=2, padding=1),
        )
        channels = stem_channels
        for block, depth in enumerate(blocks, start=1):
            dense_layers = OrderedDict()
            for layer in range(1, depth + 1):
                dense_layers[f"denselayer{layer}"] = _DenseLayer(channels, growth_rate)
                channels += growth_rate
            layers[f"denseblock{block}"] = nn.Sequential(dense_layers)
            if block < len(blocks):
                layers[f"transition{block}"] = nn.Sequential(
                    OrderedDict(
                        norm=nn.BatchNorm2d(channels),
                        relu=nn.ReLU(),
                        conv=nn.Conv2d(channels, channels // 2, 1, bias=False),
                        pool=nn.AvgPool2d(2),
                    )
                )
                channels //= 2
        layers["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(layers)
        self.classifier = nn.Linear(channels, 18)
        self.register_buffer("op_threshs", torch.linspace(0.05, 0.4, 18))

    def forward(self, x):
        return self.classifier(torch.relu(self.features(x)).mean(dim=(2, 3)))


@torch.no_grad()
def random_dense_net(images, **widths):
    """A network in evaluation mode whose statistics are those of `images`, unevenly disturbed."""
    torch.manual_seed(0)
    model = DenseNet(**widths)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.normal_(0, 0.3)
    model.train()(images)
    for norm in norms:
        norm.running_mean += 0.2 * torch.randn_like(norm.running_mean) * norm.running_var.sqrt()
        norm.running_var *= torch.empty_like(norm.running_var).uniform_(0.5, 1.5)
    return model.eval()


@torch.no_grad()
def outputs(model, images):
    """What each module gives, by its name, as (batch, height, width, channels) or (batch, logits) arrays."""
    found = {}
    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: found.update({name: output.clone()}))
        for name, module in model.named_modules()
        if name
    ]
    model(images)
    for hook in hooks:
        hook.remove()
    return {name: value.movedim(1, -1).numpy() for name, value in found.items()}
