"""What a run is made of: frozen dataclasses that become flags, JSON and models.

Every field is a flag of `train.py`, named after the field; its docstring is the flag's help. A preset
(`ctcov_tf/configs/`) is one `Config`.
"""

from collections.abc import Sequence
import dataclasses
import functools
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ctcov_tf import errors

if TYPE_CHECKING:
    import cattrs

Head = Literal["binary", "two_class", "three_class", "four_class", "findings"]
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
Method = Literal[
    "covnet",
    "dl_system",
    "hybrid_3d",
    "unet_plus_plus",
    "densenet169",
    "resnet50",
    "xdnn",
    "light_cnn",
    "caad",
    "covid_resnet",
    "hall",
]
DistributionStrategy = Literal["one_device", "mirrored", "multi_worker_mirrored"]

ROTATION_DEGREES = 15.0  # section 4.1: random rotation in [-15, 15] degrees
TRANSLATION = 0.05  # section 4.1: random translation in [-0.05, 0.05] of the image's size
IMAGE_SIZE = 256  # section 4.1: resize to 256 x 256 x 3
LEARNING_RATE = 1e-5  # section 4.2: Adam
COVERAGE = 0.9  # of prediction sets
FINDINGS = ("atelectasis", "cardiomegaly", "consolidation", "edema", "pleural_effusion", "pneumonia")
"""Part 1's six (section 2.3 names none): the five of CheXpert's competition, and pneumonia."""


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which images, and how they are held."""

    dataset: str = "phantom/ct"
    """TFDS name, `builder` or `builder/config`: phantom/ct, covid_ct, ctcov19, ctcov19/grouped, ..."""
    data_dir: str | None = None
    """Where `tfds build --data_dir` put the dataset; TFDS's own default if not given."""
    positive: str = "covid19"
    """Name of the class, or finding, that the binary head and every binary metric call positive."""
    findings: tuple[str, ...] = FINDINGS
    """Findings that the head of that name learns, of those that the dataset records."""
    uncertain: Literal["ignore", "zeros", "ones"] = "ignore"
    """Findings recorded as uncertain: left out of the loss, absent, or present."""
    unmentioned: Literal["ignore", "zeros"] = "zeros"
    """Findings of which a report says nothing: left out of the loss, or absent."""
    task: Literal["label", "rotation"] = "label"
    """label: the dataset's classes; rotation: every image in four turns, and the class is the turn, to pre-train on."""
    also: tuple[str, ...] = ()
    """More datasets, at the same place, whose training images a pre-training without labels learns from."""
    fold: str | None = None
    """K/N: training and validation images are divided anew into N folds, whole groups, and the K-th validates."""
    cache: bool = True
    """Keep decoded images in memory (grey, 8 bit, native size)."""


@dataclasses.dataclass(frozen=True)
class PreprocessConfig:
    """The five steps of section 4.1; each can be left out."""

    image_size: int = IMAGE_SIZE
    """Side of the square image that the network sees, pixels."""
    equalise: bool = True
    """Histogram equalisation of the 8-bit image."""
    blur: bool = True
    """Gaussian blur, window 3."""
    standardise: bool = True
    """Subtract the image's mean, divide by its standard deviation; if off, scale to [0, 1]."""


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """Random changes of training images (section 4.1); one affine warp."""

    rotation_degrees: float = ROTATION_DEGREES
    """Rotation drawn from [-x, x] degrees."""
    translation: float = TRANSLATION
    """Shift drawn from [-x, x] of the width and of the height."""
    flip: bool = False
    """Mirror left and right with probability 1/2 (not in the paper)."""
    crop: float = 1.0
    """Smallest share of the image's area that a random crop leaves, enlarged to its size; 1 crops nothing (not in
    the paper)."""
    contrast: float = 0.0
    """Factor of the pre-processed image drawn from [1 - x, 1 + x] (not in the paper)."""
    brightness: float = 0.0
    """Added to the pre-processed image, drawn from [-x, x] (not in the paper)."""


@dataclasses.dataclass(frozen=True)
class DenseNetConfig:
    """The DenseNet (arXiv 1608.06993) under a model."""

    blocks: tuple[int, ...] = (6, 12, 24, 16)
    """Dense layers in each block; (6, 12, 24, 16) is DenseNet-121."""
    growth_rate: int = 32
    """Channels that each dense layer adds."""
    stem_channels: int = 64
    """Channels of the first convolution."""
    weights: str = "none"
    """Backbone weights to start from: imagenet, none, or a `.keras` or `.weights.h5` file."""


@dataclasses.dataclass(frozen=True)
class DenseNetClassifierConfig(DenseNetConfig):
    """DenseNet, global average pooling, dense: the network of TorchXRayVision (arXiv 2111.00595)."""

    head: Head = "findings"
    """findings: one sigmoid a finding; binary: one sigmoid, the positive class against the rest; two_class,
    three_class, four_class: softmax over the dataset's classes."""
    input_scale: float = 1.0
    """Factor of the pre-processed image before the first convolution."""
    input_offset: float = 0.0
    """Added after that: 2048 and -1024 take [0, 1] to the [-1024, 1024] of TorchXRayVision."""


@dataclasses.dataclass(frozen=True)
class EfficientNetLiteConfig:
    """The EfficientNet-Lite under a model: EfficientNet (arXiv 1905.11946) for devices."""

    repeats: tuple[int, ...] = (1, 2, 2, 3, 3, 4, 1)
    """Blocks in each of the seven stages; these and width 1 are EfficientNet-Lite0."""
    width: float = 1.0
    """Factor of the stages' channels; stem and last convolution are not scaled."""
    input_scale: float = 0.45
    """Factor of the pre-processed image before the first convolution."""
    input_offset: float = -0.1
    """Added after that: 0.45 and -0.1 give a standardised image the spread and mean that ImageNet has in training."""
    weights: str = "none"
    """Backbone weights to start from: imagenet, none, or a `.keras` or `.weights.h5` file."""


@dataclasses.dataclass(frozen=True)
class PyramidConfig:
    """What stands behind the backbone: pyramid attention, batch norm, flatten or average."""

    attention: Literal["paper", "slim", "none"] = "paper"
    """Variant of feature pyramid attention (arXiv 1805.10180)."""
    attention_channels: int = 64
    """Output channels of the slim variant; the paper variant keeps the backbone's."""
    attention_levels: Literal[2, 3] = 3
    """Levels of the pyramid, each half the size of the last."""
    pooling: Literal["none", "average"] = "none"
    """none: the map is flattened, as in the paper; average: averaged over its positions, so that the layers behind it
    do not depend on the image size."""
    dropout: float = 0.0
    """Share of the last fully connected layer's units dropped in training."""


@dataclasses.dataclass(frozen=True)
class PyramidNetConfig(PyramidConfig, DenseNetConfig):
    """What Deep-CT-Net and part 3 of Deep-CXR-Net share: DenseNet, pyramid attention, batch norm, flatten."""

    output_stride: Literal[16, 32] = 32
    """Image size over feature map size; 16 dilates the last block instead of halving before it."""


@dataclasses.dataclass(frozen=True)
class PyramidNetEdgeConfig(PyramidConfig, EfficientNetLiteConfig):
    """What the two share for devices (not in the paper): EfficientNet-Lite in the place of DenseNet."""

    attention: Literal["paper", "slim", "none"] = "slim"
    """Variant of feature pyramid attention (arXiv 1805.10180)."""


@dataclasses.dataclass(frozen=True)
class DeepCTNetConfig(PyramidNetConfig):
    """Deep-CT-Net (sections 2.2 and 4.2): DenseNet, pyramid attention, batch norm, flatten, dense."""

    head: Head = "binary"
    """binary: one sigmoid, the positive class against the rest; two_class, three_class, four_class: softmax over the
    dataset's classes; findings: one sigmoid a finding."""
    dense_units: int = 32
    """Units of the fully connected layer."""


@dataclasses.dataclass(frozen=True)
class DeepCTNetEdgeConfig(PyramidNetEdgeConfig):
    """Deep-CT-Net over EfficientNet-Lite, for devices (not in the paper)."""

    head: Head = "binary"
    """binary: one sigmoid, the positive class against the rest; two_class, three_class, four_class: softmax over the
    dataset's classes; findings: one sigmoid a finding."""
    dense_units: int = 32
    """Units of the fully connected layer."""


@dataclasses.dataclass(frozen=True)
class FusionConfig:
    """Features of part 3 of Deep-CXR-Net and the likelihoods of two frozen parts, fused (section 2.3)."""

    head: ClassVar[Head] = "binary"

    parts: Literal["both", "part1", "part2", "none"] = "both"
    """Frozen parts whose likelihoods join part 3's features; none trains part 3 alone."""
    part1: str = "runs/cxr_part1"
    """Run directory of part 1: likelihoods of findings."""
    part2: str = "runs/cxr_part2"
    """Run directory of part 2: likelihoods of pneumonia and normal."""
    likelihoods: Literal["cached", "on_the_fly"] = "cached"
    """cached: once an image, before training and without augmentation; on_the_fly: of every augmented image."""
    dense_units: tuple[int, int] = (32, 16)
    """Units of the two fully connected layers."""


@dataclasses.dataclass(frozen=True)
class DeepCXRNetConfig(FusionConfig, PyramidNetConfig):
    """Deep-CXR-Net (sections 2.3 and 4.2)."""


@dataclasses.dataclass(frozen=True)
class DeepCXRNetEdgeConfig(FusionConfig, PyramidNetEdgeConfig):
    """Deep-CXR-Net over EfficientNet-Lite, for devices (not in the paper)."""


@dataclasses.dataclass(frozen=True)
class TwoViewsConfig:
    """What stands behind a backbone that learns without labels, from two views of each image (arXiv 2011.10566)."""

    head: ClassVar[Head] = "binary"

    projection: tuple[int, ...] = (1024, 1024, 1024)
    """Units of the projector's layers; those of the last are the embedding."""
    prediction_units: int = 256
    """Units of the predictor's hidden layer."""


@dataclasses.dataclass(frozen=True)
class SimSiamConfig(TwoViewsConfig, DenseNetConfig):
    """SimSiam over the DenseNet of Deep-CT-Net: a pre-training."""


@dataclasses.dataclass(frozen=True)
class SimSiamEdgeConfig(TwoViewsConfig, EfficientNetLiteConfig):
    """SimSiam over the EfficientNet-Lite of Deep-CT-Net for devices: a pre-training."""


@dataclasses.dataclass(frozen=True)
class SmallCNNConfig:
    """A small plain residual network: the honest reference beside Deep-CT-Net."""

    head: Head = "binary"
    """binary: one sigmoid, the positive class against the rest; two_class, three_class, four_class: softmax over the
    dataset's classes; findings: one sigmoid a finding."""
    channels: tuple[int, ...] = (32, 64, 128, 192)
    """Channels of each stage; each stage halves the map."""
    dropout: float = 0.2
    """Share of the pooled features dropped in training."""


@dataclasses.dataclass(frozen=True)
class BaselineConfig:
    """A method that the paper compares with (Tables III to VI), as `models.baselines` builds it."""

    method: Method = "resnet50"
    """Which one; each has a preset of its name."""
    head: Head = "binary"
    """binary: one sigmoid, the positive class against the rest; two_class, three_class: softmax over the
    dataset's classes; findings: one sigmoid a finding."""
    weights: str = "none"
    """Backbone weights to start from: imagenet, none, or a `.keras` or `.weights.h5` file."""
    dropout: float = 0.0
    """Share of the pooled features dropped in training."""
    slices: int = 1
    """Slices of a group that covnet and hybrid_3d answer at once in training and evaluation; 1: single images."""

    @property
    def stacked(self) -> bool:
        """Whether the channels of an image are neighbouring slices, where bags are taken."""
        return self.method == "hybrid_3d"


ModelConfig = (
    DeepCTNetConfig
    | DeepCTNetEdgeConfig
    | DeepCXRNetConfig
    | DeepCXRNetEdgeConfig
    | DenseNetClassifierConfig
    | SimSiamConfig
    | SimSiamEdgeConfig
    | SmallCNNConfig
    | BaselineConfig
)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How the network is trained (section 4.2 unless a field says otherwise)."""

    epochs: int = 50
    """Passes over the training images at the final image size."""
    batch_size: int = 16
    """Images a step, of all devices and hosts together."""
    accumulate: int = 1
    """Steps whose gradients are averaged before one update: a larger batch in the same memory."""
    early_stages: tuple[tuple[int, int], ...] = ()
    """Image size and epochs of stages before the final one, as pairs: 96 20 128 10."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """Adam (the paper) or AdamW."""
    learning_rate: float = LEARNING_RATE
    """Peak learning rate."""
    first_layer_rate: float = 1.0
    """Learning rate of the first layer over that of the last; layers between rise in equal ratios."""
    weight_decay: float = 0.05
    """Decoupled weight decay; AdamW only."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate over the whole run, all stages together."""
    warmup: float = 0.0
    """Share of all steps over which the learning rate rises from zero."""
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    """Binary or categorical cross-entropy, or its focal form."""
    label_smoothing: float = 0.0
    """Share of the target spread over the other classes."""
    class_weights: bool = False
    """Weight each class by the inverse of its share of the training images."""
    ema_momentum: float = 0.0
    """Momentum of the moving average of the weights that is validated and saved; 0 turns it off."""
    checkpoint: Literal["best", "last"] = "best"
    """Epoch of the last stage whose weights are kept: that with the best validation AUC, or the last one."""
    precision: Precision = "auto"
    """Arithmetic of the training step; weights stay float32. auto: bfloat16 where the processor has it."""
    patience: int = 0
    """Epochs without a better validation AUC before training stops; 0 never stops early."""
    seed: int = 0
    """Seed of weights, order and augmentation."""
    deterministic: bool = False
    """Same seed, same weights bit for bit, at some cost in speed."""
    init_from: str | None = None
    """Run directory whose weights training starts from, or what --weights takes: imagenet, or a file."""
    distribution_strategy: DistributionStrategy = "one_device"
    """Who shares each batch (tf.distribute). mirrored: all GPUs of this host; multi_worker_mirrored: all hosts that
    TF_CONFIG names."""
    teachers: tuple[str, ...] = ()
    """Finished runs that answer as this one is to: the mean of their probabilities joins the targets."""
    teacher_share: float = 0.5
    """Share of the teachers in the targets; the rest are the labels."""

    def kept_epoch(self, validation_aucs: Sequence[float]) -> int:
        """Which epoch is kept, from 0.

        Args:
          validation_aucs: of each epoch of the last stage.
        """
        epochs = range(len(validation_aucs))
        return epochs[-1] if self.checkpoint == "last" else max(epochs, key=lambda epoch: validation_aucs[epoch])


@dataclasses.dataclass(frozen=True)
class Config:
    """One run: data, pre-processing, augmentation, model and training."""

    data: DataConfig = DataConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = DeepCTNetConfig()
    train: TrainConfig = TrainConfig()


def to_dict(config: Config) -> dict[str, Any]:
    """The configuration as plain JSON types; the model's class stands under `kind`."""
    return _converter().unstructure(config)


def from_dict(content: dict[str, Any]) -> Config:
    """Reads what `to_dict` wrote.

    Args:
      content: the configuration as plain JSON types.

    Returns:
      The configuration.

    Raises:
      CtcovError: a field is unknown, missing or of the wrong type; names the field.
    """
    import cattrs

    try:
        return _converter().structure(content, Config)
    except (cattrs.BaseValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
        faults = "; ".join(cattrs.transform_error(error))
        raise errors.CtcovError(
            f"configuration does not fit this version of ctcov ({faults}): "
            "train again, or use the version that wrote it"
        ) from error


@functools.cache
def _converter() -> "cattrs.Converter":
    """Made when first needed: an exported model is answered without it."""
    import cattrs
    from cattrs.strategies import configure_tagged_union

    converter = cattrs.Converter(forbid_extra_keys=True)
    configure_tagged_union(ModelConfig, converter, tag_name="kind")
    return converter
