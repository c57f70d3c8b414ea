"""COVNet (reference 44 of the paper): ResNet-50 over each slice of a study, the features' maximum, one dense layer.

This is its form for one slice, over which there is nothing to take a maximum.
"""

from ctcov_tf.models.baselines import resnet50

logits = resnet50.logits
