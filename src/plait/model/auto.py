"""Makes ReT and ReT-2 known to transformers: import this, and its Auto classes load both.

    import plait.model.auto
    model = transformers.AutoModel.from_pretrained("folder or hub name of a ReT checkpoint")

`AutoModel` gives the retrieval model of a retrieval checkpoint and the one-sided model of a one-sided one;
`AutoProcessor` gives `RetProcessor` for all.
"""

from __future__ import annotations

from transformers import AutoConfig, AutoModel, AutoProcessor, PreTrainedConfig, PreTrainedModel

from plait.model.ret.configuration_ret import RetConfig, RetRetrievalConfig
from plait.model.ret.modeling_ret import RetForRetrieval, RetModel
from plait.model.ret.processing_ret import RetProcessor
from plait.model.ret2.configuration_ret2 import Ret2Config, Ret2RetrievalConfig
from plait.model.ret2.modeling_ret2 import Ret2ForRetrieval, Ret2Model

MODELS: dict[type[PreTrainedConfig], type[PreTrainedModel]] = {
    RetConfig: RetModel,
    RetRetrievalConfig: RetForRetrieval,
    Ret2Config: Ret2Model,
    Ret2RetrievalConfig: Ret2ForRetrieval,
}

for _config, _model in MODELS.items():
    AutoConfig.register(_config.model_type, _config, exist_ok=True)
    AutoModel.register(_config, _model, exist_ok=True)
    AutoProcessor.register(_config, RetProcessor, exist_ok=True)
