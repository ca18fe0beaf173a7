# SPDX-License-Identifier: Apache-2.0
"""The trine architecture in PyTorch, written to be read beside the paper: the oracle of the C++ library."""
from .config import Config, ConfigError
from .model import Model

__all__ = ["Config", "ConfigError", "Model"]
