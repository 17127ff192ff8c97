"""BERT's encoder in torch, with its parts named as in the published checkpoints; torch is imported here, so import this file late.

It takes token ids (sequences, length) without padding and gives hidden states (sequences, length, width). The pooler is left
out: nothing after the last block feeds a layer that is quantized.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class BertSizes:
    """What config.json says of a BERT encoder, by its own names."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_attention_heads: int
    num_hidden_layers: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float


class Embeddings(nn.Module):
    """Word, position and (all the same) segment, added and normalized."""

    def __init__(self, sizes: BertSizes):
        super().__init__()
        self.word_embeddings = nn.Embedding(sizes.vocab_size, sizes.hidden_size)
        self.position_embeddings = nn.Embedding(sizes.max_position_embeddings, sizes.hidden_size)
        self.token_type_embeddings = nn.Embedding(sizes.type_vocab_size, sizes.hidden_size)
        self.LayerNorm = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        segments = self.token_type_embeddings.weight[0]
        positions = self.position_embeddings.weight[: tokens.shape[1]]
        return self.LayerNorm(self.word_embeddings(tokens) + segments + positions)


class SelfAttention(nn.Module):
    """Every token looks at every other; heads share the width evenly."""

    def __init__(self, sizes: BertSizes):
        super().__init__()
        self.heads = sizes.num_attention_heads
        self.query = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.key = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.value = nn.Linear(sizes.hidden_size, sizes.hidden_size)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        query, key, value = (self.by_head(part(hidden)) for part in (self.query, self.key, self.value))
        return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)

    def by_head(self, projected: torch.Tensor) -> torch.Tensor:
        """(sequences, length, width) -> (sequences, heads, length, width / heads)."""
        return projected.unflatten(2, (self.heads, -1)).transpose(1, 2)


class AddAndNormalize(nn.Module):
    """A linear layer whose result is added to what came before it, then normalized."""

    def __init__(self, inputs: int, sizes: BertSizes):
        super().__init__()
        self.dense = nn.Linear(inputs, sizes.hidden_size)
        self.LayerNorm = nn.LayerNorm(sizes.hidden_size, eps=sizes.layer_norm_eps)

    def forward(self, activation: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        return self.LayerNorm(self.dense(activation) + before)


class Attention(nn.Module):
    """Self-attention and its output layer."""

    def __init__(self, sizes: BertSizes):
        super().__init__()
        self.self = SelfAttention(sizes)
        self.output = AddAndNormalize(sizes.hidden_size, sizes)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.output(self.self(hidden), hidden)


class Intermediate(nn.Module):
    """The widening layer and the exact GELU."""

    def __init__(self, sizes: BertSizes):
        super().__init__()
        self.dense = nn.Linear(sizes.hidden_size, sizes.intermediate_size)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return functional.gelu(self.dense(hidden))


class Block(nn.Module):
    """Attention, then two dense layers."""

    def __init__(self, sizes: BertSizes):
        super().__init__()
        self.attention = Attention(sizes)
        self.intermediate = Intermediate(sizes)
        self.output = AddAndNormalize(sizes.intermediate_size, sizes)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        hidden = self.attention(hidden)
        return self.output(self.intermediate(hidden), hidden)


class Encoder(nn.Module):
    """The blocks, one after the other."""

    def __init__(self, sizes: BertSizes):
        super().__init__()
        self.layer = nn.ModuleList(Block(sizes) for _ in range(sizes.num_hidden_layers))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        for block in self.layer:
            hidden = block(hidden)
        return hidden


class Bert(nn.Module):
    """Embeddings and encoder."""

    def __init__(self, sizes: BertSizes):
        super().__init__()
        self.embeddings = Embeddings(sizes)
        self.encoder = Encoder(sizes)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.encoder(self.embeddings(tokens))
