"""The chunked loss is the plain loss, in value and gradient; the plan covers everything once an epoch."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from custome.models.loading import has_plain_head, load_base
from custome.training import packing
from custome.training.data import Batching, BatchPlan, Example, micro_batches, pack, pad
from custome.training.loss import IGNORED, FrozenHeadCrossEntropy, ReplyLoss
from custome.training.packing import ATTENTION
from custome.training.trainer import make_schedule
from tiny import make_tiny_base


@pytest.mark.parametrize("tokens", [1, 7, 128, 300])
def test_chunked_equals_plain(tokens: int):
    torch.manual_seed(0)
    head, labels = torch.randn(50, 16), torch.randint(0, 50, (tokens,))
    one = torch.randn(tokens, 16, requires_grad=True)
    two = one.detach().clone().requires_grad_()
    chunked = FrozenHeadCrossEntropy.apply(one, head, labels)
    plain = F.cross_entropy(two @ head.t(), labels, reduction="sum")
    (chunked * 3).backward()
    (plain * 3).backward()
    torch.testing.assert_close(chunked, plain)
    torch.testing.assert_close(one.grad, two.grad)


def test_reply_loss_equals_the_models_own(tiny_base):
    model = load_base(tiny_base).model
    torch.manual_seed(0)
    ids = torch.randint(3, 200, (3, 20))
    labels = ids.clone()
    labels[:, :9] = IGNORED
    mask = torch.ones_like(ids)
    ours = ReplyLoss(model)(ids, labels, mask)
    theirs = model(input_ids=ids, attention_mask=mask, labels=labels).loss
    torch.testing.assert_close(ours / (3 * 11), theirs)


def test_a_soft_capped_head_takes_the_plain_path(tiny_base):
    model = load_base(tiny_base).model
    ids = torch.randint(3, 200, (2, 10))
    mask = torch.ones_like(ids)
    model.config.final_logit_softcapping = 5.0
    ours = ReplyLoss(model)(ids, ids, mask)
    theirs = model(input_ids=ids, attention_mask=mask, labels=ids).loss
    torch.testing.assert_close(ours / 18, theirs)
    assert not has_plain_head(model)


def test_padding_changes_nothing(tiny_base):
    model = load_base(tiny_base).model
    examples = [
        Example(ids=tuple(range(10, 10 + n)), replies=((2, n),), source="") for n in (5, 17, 9)
    ]
    together = ReplyLoss(model)(*pad(examples, 0))
    alone = sum(ReplyLoss(model)(*pad([e], 0)) for e in examples)
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("kind", ["gemma", "llama", "qwen"])
def test_packed_equals_unpacked(tmp_path, kind: str):
    """Loss and gradients of samples in one row are those of one row each, also where a sample is longer than the window."""
    losses, gradients = [], []
    for way in ("apart", "packed"):
        model = load_base(make_tiny_base(tmp_path / way, kind)).model.train()
        model.requires_grad_(True)
        model.set_attn_implementation(ATTENTION)
        dice = torch.Generator().manual_seed(3)
        examples = [
            Example(
                ids=tuple(torch.randint(5, 200, (n,), generator=dice).tolist()),
                replies=((n // 2, n),),
                source="",
            )
            for n in (5, 90, 17, 3)
        ]
        if way == "packed":
            loss = ReplyLoss(model)(*pack(examples))
        else:
            loss = sum(ReplyLoss(model)(*pad([e], 0)) for e in examples)
        loss.backward()
        losses.append(loss.detach())
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    torch.testing.assert_close(losses[0], losses[1])
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("heads", [(4, 4), (4, 2), (4, 1)])
def test_short_attention_is_torchs(
    monkeypatch: pytest.MonkeyPatch, window: int | None, heads: tuple[int, int]
):
    torch.manual_seed(0)
    sizes = (heads[0], heads[1], heads[1])
    inputs = [torch.randn(1, count, 37, 16, requires_grad=True) for count in sizes]
    upstream = torch.randn(1, 37, heads[0], 16)
    results = []
    for longest in (256, 0):
        monkeypatch.setattr(packing, "SHORT", longest)
        out = packing.attention_by_sample(
            None, *inputs, None, lengths=(20, 1, 16), sliding_window=window
        )[0]
        results.append([out, *torch.autograd.grad(out, inputs, upstream)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("heads", [(4, 4), (4, 2), (4, 1)])
def test_attention_in_few_calls_is_torchs(
    monkeypatch: pytest.MonkeyPatch, window: int | None, heads: tuple[int, int]
):
    """What a card does: 40, 33 and 60 side by side, 1 and 20 too, in between what is none of them."""
    lengths = (40, 1, 33, 20, 60, 70)
    torch.manual_seed(0)
    inputs = [
        torch.randn(1, count, sum(lengths), 16, requires_grad=True)
        for count in (heads[0], heads[1], heads[1])
    ]
    upstream = torch.randn(1, sum(lengths), heads[0], 16)
    monkeypatch.setattr(packing, "SHORT", 0)
    one_by_one = packing.attention_by_sample(
        None, *inputs, None, lengths=lengths, sliding_window=window
    )[0]
    in_few = packing.attention_by_length(*inputs, lengths, 16**-0.5, window=window)
    theirs, ours = (
        [out, *torch.autograd.grad(out, inputs, upstream)] for out in (one_by_one, in_few)
    )
    for wanted, found in zip(theirs, ours, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_packed_without_the_registered_attention_sees_only_itself_too(tiny_base):
    """transformers reads the sample boundaries from the positions; ours must agree with its way."""
    model = load_base(tiny_base).model
    examples = [
        Example(ids=tuple(range(10, 10 + n)), replies=((2, n),), source="") for n in (5, 17, 9)
    ]
    packed = pack(examples)
    ids, labels, positions = packed.ids, packed.labels, packed.positions
    logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits[:, :-1]
    plain = F.cross_entropy(logits[0].float(), labels[0, 1:], reduction="sum", ignore_index=IGNORED)
    model.set_attn_implementation(ATTENTION)
    torch.testing.assert_close(ReplyLoss(model)(*pack(examples)), plain)


def test_a_trainable_head_gives_the_same_loss_by_chunks(tiny_base, monkeypatch: pytest.MonkeyPatch):
    from custome.training import loss as loss_module

    model = load_base(tiny_base).model.requires_grad_(True)
    batch = pad([Example(ids=tuple(range(10, 40)), replies=((2, 30),), source="")], 0)
    whole = ReplyLoss(model)(*batch)
    monkeypatch.setattr(loss_module, "CHUNK_LOGITS", 4 * model.config.vocab_size)
    parts = ReplyLoss(model)(*batch)
    torch.testing.assert_close(whole, parts)
    parts.backward()
    assert model.get_output_embeddings().weight.grad.abs().sum() > 0


@settings(max_examples=50)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=30), budget=st.integers(1, 60))
def test_rows_hold_every_sample_once_and_keep_their_budget(lengths: list[int], budget: int):
    batching = Batching(micro_batch_size=1, pad_id=0, row_tokens=budget)
    rows = batching.divide(range(len(lengths)), lengths)
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[i] for i in row) <= budget for row in rows)


@settings(max_examples=50)
@given(
    count=st.integers(1, 60),
    batch=st.integers(1, 20),
    grouped=st.booleans(),
    seed=st.integers(0, 5),
)
def test_every_epoch_uses_everything_once(count: int, batch: int, grouped: bool, seed: int):
    plan = BatchPlan(
        lengths=[(i * 7) % 13 for i in range(count)],
        batch_size=batch,
        seed=seed,
        group_by_length=grouped,
    )
    for epoch in range(2):
        steps = range(epoch * plan.steps_per_epoch + 1, (epoch + 1) * plan.steps_per_epoch + 1)
        assert Counter(i for step in steps for i in plan.batch(step)) == Counter(range(count))


def test_micro_batches_divide_and_group_by_length():
    lengths = [5, 1, 9, 2, 8]
    parts = micro_batches(range(5), lengths, 2)
    assert sorted(i for part in parts for i in part) == list(range(5))
    assert [[lengths[i] for i in part] for part in parts] == [[1, 2], [5, 8], [9]]


@pytest.mark.parametrize("kind", ["linear", "constant", "cosine"])
def test_schedules(kind: str):
    rate = make_schedule(kind, 1.0, 60, 10)
    assert rate(1) == pytest.approx(0.1) and rate(10) == pytest.approx(1.0)
    assert all(0 < rate(step) <= 1 + 1e-9 for step in range(1, 61))
    assert rate(60) == (
        1.0
        if kind == "constant"
        else pytest.approx(1 / 51 if kind == "linear" else 0.5 - 0.5 * math.cos(math.pi / 51))
    )
    assert make_schedule(kind, 1.0, 1, 10)(1) > 0
