"""Deep-CT-Net: COVID-19 screening of chest CT images, from archive to exported model.

Importing this package is light: TensorFlow is imported only by the modules that compute.
"""

__version__ = "0.1.0"

RESEARCH_USE = "Research use only, not for diagnosis."
