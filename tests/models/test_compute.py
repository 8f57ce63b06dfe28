"""The number type of training: measured once, remembered, overruled by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from custome.errors import InputError
from custome.machine import RATES_FILE, SPINS, read_rates, share_the_cores
from custome.models import compute


def test_rates_are_measured_once_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = compute.measured_rates(tmp_path)
    assert first.fp32 > 1 and first.bf16 > 0
    monkeypatch.setattr(compute, "_rate", lambda dtype: pytest.fail("measured again"))
    assert compute.measured_rates(tmp_path) == first == read_rates(tmp_path)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"machine": "another", "fp32": 1, "bf16": 9}'])
def test_what_was_remembered_of_another_machine_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
):
    (tmp_path / RATES_FILE).write_text(damage, encoding="utf-8")
    monkeypatch.setattr(compute, "_rate", lambda dtype: 7.0)
    rates = compute.measured_rates(tmp_path)
    assert (rates.fp32, rates.bf16) == (7.0, 7.0)


@pytest.mark.parametrize(("bf16", "chosen"), [(0.2, "fp32"), (120.0, "fp32"), (300.0, "bf16")])
def test_a_cpu_trains_in_bf16_where_that_pays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bf16: float, chosen: str
):
    monkeypatch.setattr(compute, "_rate", lambda dtype: bf16 if dtype == torch.bfloat16 else 100.0)
    assert compute.training_type("cpu", "auto", tmp_path) == chosen


def test_named_types_are_taken_and_fp16_is_for_cards(tmp_path: Path):
    assert compute.training_type("cpu", "bf16", tmp_path) == "bf16"
    assert not (tmp_path / RATES_FILE).exists()
    with pytest.raises(InputError, match="fp16"):
        compute.training_type("cpu", "fp16", tmp_path)


def test_waiting_threads_are_told_to_sleep_soon_unless_the_user_said_otherwise(
    monkeypatch: pytest.MonkeyPatch,
):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    share_the_cores()
    assert os.environ["GOMP_SPINCOUNT"] == str(SPINS)
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    share_the_cores()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    share_the_cores()
    assert "GOMP_SPINCOUNT" not in os.environ
