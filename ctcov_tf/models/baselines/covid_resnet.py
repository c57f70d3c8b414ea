"""COVID-ResNet (reference 11 of the paper): a ResNet-50 that is trained at 128, 224 and 229 px in turn.

What sets it apart is the training: the preset's stages of image size, and learning rates that rise from the first layer
to the last.
"""

from ctcov_tf.models.baselines import resnet50

logits = resnet50.logits
