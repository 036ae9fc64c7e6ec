"""Cross-encoders from folders: a tiny BERT, and a graph whose scores can be counted."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from tests.helpers.libraries import open_library
from tests.helpers.sentence_models import tiny_tokenizer
from transformers import BertConfig, BertForSequenceClassification

from plait.errors import ModelError
from plait.library.reranking.cross_encoder import load_cross_encoder
