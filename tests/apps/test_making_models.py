"""What the workshop page begins: a corpus of a book, a training, an export; by the commands themselves, in a folder of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from custome import recipe_file
from custome.apps.training.choosing import Chosen, fitted_to
from custome.apps.training.workshop import Workshop, checked
from custome.errors import CustomeError, InputError, RunError
from custome.machine import Rates, write_rates
from custome.models.run_folder import read_run
from tiny import make_recipe


def wait_for(what: Callable[[], object], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.fixture
def served() -> list[Path]:
    return []


@pytest.fixture
def shop(tmp_path: Path, served: list[Path]) -> Workshop:
    return Workshop(tmp_path, busy=lambda: False, serve=served.append)


def built(shop: Workshop, novel: Path) -> str:
    name = shop.build(str(shop.keep_book(novel.name, novel.read_bytes())))
    wait_for(lambda: shop.job is not None and not shop.job.running())
    assert shop.job is not None and not shop.job.failed(), shop.job.error()
    return name


def test_a_book_becomes_a_corpus_and_its_report(shop: Workshop, tiny_novel: Path):
    assert shop.corpora() == [] and shop.runs() == []
    name = built(shop, tiny_novel)
    (corpus,) = shop.corpora()
    assert corpus.name == name == "xiaoshuo" and corpus.dialogues > 100
    assert "<html" in shop.report(name).read_text(encoding="utf-8")
    assert shop.progress() == ""


@pytest.mark.slow
def test_a_run_is_trained_served_exported_and_compared(
    shop: Workshop, served: list[Path], tiny_novel: Path, tiny_base: Path, tmp_path: Path
):
    name = built(shop, tiny_novel)
    recipe = fitted_to(
        make_recipe(tiny_base, tmp_path / "any", checks={"eval_steps": 0}), name, str(tiny_base), 30
    )
    shop.train(Chosen(recipe=recipe), "mine")
    with pytest.raises(RunError, match="正在练"):
        shop.train(Chosen(recipe=recipe), "another")
    wait_for(lambda: served)
    run = tmp_path / "runs" / "mine"
    assert [path.resolve() for path in served] == [run] and read_run(run).status == "complete"
    assert shop.progress() == "" and [one.status() for one in shop.runs()] == ["complete"]
    with pytest.raises(RunError, match="已经有模型叫"):
        shop.train(Chosen(recipe=recipe), "mine")
    with pytest.raises(RunError, match="不是停着的"):
        shop.go_on("mine")
    shop.export("mine", "hf", "f32")
    with pytest.raises(RunError, match="正在导出"):
        shop.export("mine", "gguf", "q8_0")
    wait_for(lambda: shop.job is not None and not shop.job.running())
    assert list(tmp_path.glob("exports/mine-*/*.safetensors")), shop.job.error() if shop.job else ""
    shop.talk("mine")
    assert len(served) == 2


@pytest.mark.slow
def test_stopped_it_saves_and_goes_on_from_the_page(
    shop: Workshop, served: list[Path], tiny_novel: Path, tiny_base: Path, tmp_path: Path
):
    name = built(shop, tiny_novel)
    made = make_recipe(tiny_base, tmp_path / "any", checks={"eval_steps": 0, "save_steps": 5})
    shop.train(Chosen(recipe=fitted_to(made, name, str(tiny_base), 300)), "mine")
    wait_for(lambda: shop.runs() and shop.run("mine").series().get("loss"))
    shop.run("mine").stop()
    wait_for(lambda: shop.run("mine").status() == "stopped")
    assert not served
    wait_for(lambda: shop.progress() == "")
    shop.go_on("mine")
    wait_for(lambda: served)
    assert read_run(tmp_path / "runs" / "mine").status == "complete"


def test_what_it_complains_of(shop: Workshop, tmp_path: Path):
    with pytest.raises(InputError, match="不是读得了的书"):
        shop.keep_book("书.pdf", b"%PDF")
    for name in ("../x", "a/b", "", ".x", "-x", "长" * 61, "a\nb"):
        with pytest.raises(InputError, match="做不了名字"):
            checked(name)
    with pytest.raises(CustomeError, match="不是语料目录"):
        shop.report("没有")
    with pytest.raises(RunError, match="不是训练目录"):
        shop.run("没有")
    first, again = shop.keep_book("书.txt", b"a"), shop.keep_book("书.txt", b"a")
    assert first == again and shop.keep_book("书.txt", b"b").name == "书-2.txt"
    kept = shop.keep_book("..\\空.txt", b"")
    assert kept == tmp_path / "books" / "空.txt"
    shop.build(str(kept))
    wait_for(lambda: shop.job is not None and not shop.job.running())
    assert shop.job is not None and shop.job.failed() and "空" in shop.job.error().message


def test_a_plan_names_base_steps_time_and_memory(
    shop: Workshop, tiny_novel: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
):
    write_rates(Rates(machine="any", fp32=120.0, bf16=400.0), own_home)
    name = built(shop, tiny_novel)
    chosen = shop.plan(name, "gemma3-270m", 60)
    recipe = chosen.recipe
    assert recipe.data.corpus == "corpus/xiaoshuo" and recipe.train.output_dir == "runs/xiaoshuo"
    assert recipe.train.steps > 0 and chosen.seconds > 60 and chosen.peak_bytes > 5e8
    assert chosen.download_bytes > 1e8  # nothing was fetched into this home
    assert recipe_file.dump(recipe.resolved())
    with pytest.raises(InputError, match="不是语料目录"):
        shop.plan("没有", "", 15)
