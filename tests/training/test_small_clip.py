"""Training the demo's small CLIP."""

from types import SimpleNamespace

import torch
from torch import nn

from fsar.training.small_clip import _Words

WORDS, STEPS = 50, 5
TOKENS = torch.tensor([[3, 7, 49, 0], [3, 30, 49, 0], [8, 7, 49, 0]])


def trained(model, numbers, after=lambda optimizer: None):
    """Take steps of AdamW, whose rate changes, with a loss that every position of every text counts in."""
    optimizer = torch.optim.AdamW(model.token_embedding.parameters(), lr=0.01, weight_decay=0.05, fused=True)
    weights = torch.linspace(-1, 1, numbers.numel()).view(*numbers.shape, 1)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 0.01 * (step + 1)
        optimizer.zero_grad()
        (weights * model.token_embedding(numbers) ** 2).sum().backward()
        optimizer.step()
        after(optimizer)


def test_words_that_no_caption_has_need_no_gradient():
    """Training the table of the words there are gives the bits of training the whole."""
    torch.manual_seed(0)
    whole = SimpleNamespace(token_embedding=nn.Embedding(WORDS, 8))
    parts = SimpleNamespace(token_embedding=nn.Embedding(WORDS, 8))
    parts.token_embedding.load_state_dict(whole.token_embedding.state_dict())
    before = whole.token_embedding.weight.detach().clone()
    trained(whole, TOKENS)

    words = _Words(parts, TOKENS)
    assert words.numbers.argmax(dim=1).equal(TOKENS.argmax(dim=1))  # the end of a text is found as before
    assert parts.token_embedding.num_embeddings == 6
    trained(parts, words.numbers, words.decay_others)
    words.put_back()
    assert parts.token_embedding.weight.equal(whole.token_embedding.weight)
    assert not (whole.token_embedding.weight == before).all(dim=1).any()  # all decay
