# SPDX-License-Identifier: Apache-2.0
"""Tiny random models of published architectures, answered by Hugging Face transformers (make_family_goldens.py)."""
