"""The command line as a person types it: commands, help, and every kind of bad input in two lines and exit code 2."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from custome.cli.app import COMMANDS, guarded, main
from tiny import make_tiny_rows

REPOSITORY = Path(__file__).parents[2]
CLI = [sys.executable, "-m", "custome"]


def run(
    *words: str | Path, cwd: Path | None = None, program: list[str] | None = None, **options
) -> subprocess.CompletedProcess:
    command = [*(program or CLI), *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, check=False, timeout=300, **options
    )


def assert_refused(done: subprocess.CompletedProcess, *expected: str) -> None:
    """Two lines, exit 2, and the words that must be there."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2 and lines[0].startswith("错误：") and lines[1].startswith("怎么办："), (
        done.stderr
    )
    assert len(lines[1]) > len("怎么办：")
    for words in expected:
        assert words in done.stderr, done.stderr


@pytest.fixture(scope="module")
def trained(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    rows = make_tiny_rows(folder / "rows.jsonl")
    done = run(
        "train",
        "--train-path",
        rows,
        "--base-model",
        tiny_base,
        "--output-dir",
        folder / "run",
        "--steps",
        3,
        "--batch-size",
        8,
        "--val-set-size",
        8,
        "--cutoff-len",
        64,
    )
    assert done.returncode == 0, done.stderr
    return folder / "run"


# -- starting --------------------------------------------------------------------------------------------------------


def test_help_is_fast_and_does_not_load_torch():
    best = min(timed("--help") for _ in range(3))
    assert best <= 0.5
    code = "import sys; from custome.cli.app import main; main(['--help']); sys.exit('torch' in sys.modules or 'tyro' in sys.modules)"
    assert run(program=[sys.executable, "-c", code]).returncode == 0


def timed(*words: str) -> float:
    start = time.monotonic()
    run(*words)
    return time.monotonic() - start


def test_an_error_is_fast(tmp_path: Path):
    assert (
        min(timed("train", "--train-path", str(tmp_path / "nowhere.jsonl")) for _ in range(3))
        <= 1.0
    )


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_explains_itself(name: str):
    done = run(*name.split(), "--help")
    assert (
        done.returncode == 0
        and "选项" in done.stdout
        and COMMANDS[name][1][:4]
        and "show this help" not in done.stdout
    )


@pytest.mark.parametrize("script", ["train_sanguo.py", "train_mingzhu.py", "chat_server.py"])
def test_the_seeds_scripts_are_thin_and_explain_themselves(script: str):
    path = REPOSITORY / script
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40
    done = run("--help", program=[sys.executable, str(path)])
    assert done.returncode == 0 and "--base-model" in done.stdout


def test_too_little_memory_is_said_in_two_lines(capsys: pytest.CaptureFixture[str]):
    def asks_for_too_much() -> int:
        torch.empty(10**15)
        return 0

    assert guarded(asks_for_too_much, []) == 2
    assert "--micro-batch-size" in capsys.readouterr().err


def test_debug_shows_the_traceback(tmp_path: Path):
    done = run("train", "--train-path", tmp_path / "nowhere.jsonl", "--debug")
    assert done.returncode == 2 and "Traceback" in done.stderr


# -- bad input -------------------------------------------------------------------------------------------------------


def test_unknown_commands_flags_and_methods_name_the_nearest():
    assert_refused(run("trian"), "'trian'", "custome train")
    assert_refused(run("train", "--stepz", "3"), "'--stepz'", "--steps")
    assert_refused(run("train", "--method", "lorra"), "'lorra'", "lora")
    assert_refused(run("train", "--steps", "abc"), "--steps", "abc")
    assert_refused(run("train", "--device", "tpu"), "tpu", "cuda")
    assert_refused(run("corpus", "build"), "--output")
    assert_refused(run("serve", "--no-page"), "runs/sanguo")
    assert_refused(
        run("--data_pth", "x", program=[sys.executable, str(REPOSITORY / "train_sanguo.py")]),
        "--data-path",
    )


def test_bad_novels(tmp_path: Path):
    binary, empty = tmp_path / "b.txt", tmp_path / "e.txt"
    binary.write_bytes(b"\x00\x01\x02" * 500)
    empty.write_bytes(b"")
    for given, words in (
        (tmp_path / "nowhere.txt", "找不到"),
        (tmp_path, "目录"),
        (empty, "空"),
        (binary, "二进制"),
    ):
        assert_refused(
            run("corpus", "build", given, "-o", tmp_path / "out"), repr(str(given)), words
        )
        assert not (tmp_path / "out").exists()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "diary.txt").write_text("x", encoding="utf-8")
    assert_refused(run("corpus", "build", binary, "-o", tmp_path / "taken"), "taken")
    assert [p.name for p in (tmp_path / "taken").iterdir()] == ["diary.txt"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "找不到"),
        (b"", "空"),
        (b"\xff\xfe\x00" * 9, "UTF-8"),
        (b'{"context": "a", "chat": "b"}\n{oops', ":2"),
        (b'{"context": "a"}', "'chat'"),
        (b"[]", "没有"),
        ("“来。”".encode("gb18030"), "corpus build"),
    ],
)
def test_bad_training_data(tmp_path: Path, content: bytes | None, words: str):
    path = tmp_path / "d.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert_refused(
        run("train", "--train-path", path, "--output-dir", tmp_path / "run"), str(path), words
    )
    assert not (tmp_path / "run").exists()


def test_recipes_that_cannot_be(tmp_path: Path):
    recipe = tmp_path / "r.yaml"
    assert_refused(run("train", "--recipe", tmp_path), "目录")
    for text, words in (
        ("train: [1]", "train"),
        ("train: {schedule: exponential}", "linear"),
        ("method: lorra", "lora"),
    ):
        recipe.write_text(text, encoding="utf-8")
        assert_refused(run("train", "--recipe", recipe), words)


def test_an_output_below_a_file(tiny_base: Path, tmp_path: Path):
    rows = make_tiny_rows(tmp_path / "rows.jsonl")
    done = run(
        "train",
        "--train-path",
        rows,
        "--base-model",
        tiny_base,
        "--output-dir",
        rows / "run",
        "--val-set-size",
        8,
    )
    assert_refused(done, str(rows))


def test_training_data_that_is_a_folder(tmp_path: Path):
    assert_refused(run("train", "--train-path", tmp_path), "目录")


def test_settings_are_refused_all_at_once(tmp_path: Path):
    rows = make_tiny_rows(tmp_path / "rows.jsonl")
    done = run(
        "train",
        "--train-path",
        rows,
        "--batch-size",
        "0",
        "--learning-rate",
        "-1",
        "--output-dir",
        tmp_path / "run",
    )
    assert_refused(done, "batch_size", "learning_rate")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_rows_longer_than_the_cutoff_are_counted_not_refused(tiny_base: Path, tmp_path: Path):
    rows = tmp_path / "rows.jsonl"
    long_row = json.dumps(
        {"context": "粮草" * 100 + "张三曰：", "chat": "“送到东门。”"}, ensure_ascii=False
    )
    rows.write_text((long_row + "\n") * 10, encoding="utf-8")
    done = run(
        "train",
        "--train-path",
        rows,
        "--base-model",
        tiny_base,
        "--output-dir",
        tmp_path / "run",
        "--steps",
        1,
        "--batch-size",
        4,
        "--micro-batch-size",
        4,
        "--val-set-size",
        2,
        "--cutoff-len",
        32,
    )
    assert done.returncode == 0 and "被截短的 10 条" in done.stdout, done.stdout + done.stderr


def test_a_folder_that_holds_another_run_is_left_alone(trained: Path, tiny_base: Path):
    before = {p.name: p.stat().st_mtime_ns for p in trained.iterdir()}
    rows = trained.parent / "rows.jsonl"
    done = run(
        "train",
        "--train-path",
        rows,
        "--base-model",
        tiny_base,
        "--output-dir",
        trained,
        "--val-set-size",
        8,
    )
    assert_refused(done, repr(str(trained)), "--resume")
    assert {p.name: p.stat().st_mtime_ns for p in trained.iterdir()} == before


def test_a_base_model_with_a_missing_shard(tiny_base: Path, tmp_path: Path):
    rows, base = make_tiny_rows(tmp_path / "rows.jsonl"), tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_bytes((tiny_base / "config.json").read_bytes())
    (base / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "model-00001-of-00001.safetensors"}}', encoding="utf-8"
    )
    done = run(
        "train",
        "--train-path",
        rows,
        "--base-model",
        base,
        "--output-dir",
        tmp_path / "run",
        "--val-set-size",
        8,
    )
    assert_refused(done, "model-00001-of-00001.safetensors")
    assert not (tmp_path / "run").exists()


def test_a_port_in_use(trained: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_refused(run("serve", trained, "--port", port), str(port))
        script = [sys.executable, str(REPOSITORY / "chat_server.py")]
        assert_refused(
            run("--lora_weights", trained, "--server_port", port, program=script), str(port)
        )


def test_no_run_folder(tmp_path: Path):
    for command in ("serve", "chat", "compare"):
        assert_refused(run(command, tmp_path / "nowhere"), "找不到运行目录", "custome quickstart")
        assert_refused(run(command, tmp_path), "run.json")
    assert_refused(
        run(program=[sys.executable, str(REPOSITORY / "chat_server.py")]), "--lora_weights"
    )


def test_no_space_for_the_download(tmp_path: Path):
    code = (
        "import shutil, collections\n"
        "shutil.disk_usage = lambda path: collections.namedtuple('Usage', 'total used free')(1, 1, 1000)\n"
        "from custome.cli.app import main\n"
        f"raise SystemExit(main(['corpus', 'build', 'embedded', '-o', {str(tmp_path / 'out')!r}]))\n"
    )
    assert_refused(run(program=[sys.executable, "-c", code]), "MB", "CUSTOME_HOME")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_while_writing_a_corpus(tiny_novel: Path, tmp_path: Path):
    assert main(["corpus", "build", str(tiny_novel), "-o", str(tmp_path / "out")]) == 0
    before = (tmp_path / "out" / "train.jsonl").read_bytes()
    code = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "from custome.cli.app import main\n"
        f"raise SystemExit(main(['corpus', 'build', {str(tiny_novel)!r}, '-o', {str(tmp_path / 'out')!r}]))\n"
    )
    assert_refused(
        run(
            program=[sys.executable, "-c", code], env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        ),
        "写不进",
    )
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == before
    assert not [p for p in (tmp_path / "out").iterdir() if p.name.startswith(".")]


# -- whole commands --------------------------------------------------------------------------------------------------


def test_the_start_of_a_run_says_where_values_come_from(trained: Path):
    text = (trained / "recipe.yaml").read_text(encoding="utf-8")
    assert "steps: 3" in text and "# 训练步数" in text


@pytest.mark.slow
def test_compare_writes_both_documents(trained: Path, tmp_path: Path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("粮草何在？张三曰：\n", encoding="utf-8")
    done = run("compare", trained, "--prompts", prompts, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "困惑度" in done.stdout
    assert (tmp_path / "out" / "compare.md").exists() and (
        tmp_path / "out" / "compare.html"
    ).exists()


@pytest.mark.slow
def test_a_chat_in_the_terminal(trained: Path, tmp_path: Path):
    talk, chats = tmp_path / "talk.jsonl", tmp_path / "chats.db"
    typed = f"粮草何在？\n/重试\n/上一版\n/提示 书信何在？\n/存成 {talk}\n/第几回 x\n/新对话\n/读入 {talk}\n/存成 x.doc\n/退出\n"
    done = run(
        "chat", trained, "--greedy", "--me", "李四", "--with", "张三", "--chats", chats, input=typed
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("”") >= 2 and "已读入 2 句" in done.stdout and "[李四 ·" in done.stdout
    assert "'x' 不是数" in done.stderr and "x.doc" in done.stderr
    saved = [json.loads(line) for line in talk.read_text(encoding="utf-8").splitlines()]
    assert (saved[1]["name"], saved[1]["mes"], len(saved[2]["swipes"])) == ("李四", "粮草何在？", 2)
    again = run("chat", trained, "--chats", chats, input="/对话 粮草\n/打开 2\n/打开 9\n/退出\n")
    assert (
        "粮草何在？（2 句）" in again.stdout
        and "李四：粮草何在？" in again.stdout
        and "没有第 '9' 段" in again.stderr
    )


@pytest.mark.slow
def test_the_seeds_scripts_train_and_their_runs_are_ordinary(tiny_base: Path, tmp_path: Path):
    rows = make_tiny_rows(tmp_path / "rows.jsonl")
    sanguo = [sys.executable, str(REPOSITORY / "train_sanguo.py")]
    done = run(
        f"--base_model={tiny_base}",
        "--data-path",
        rows,
        "--output_dir",
        tmp_path / "s",
        "--num_epochs",
        "1",
        "--val_set_size=20",
        "--train_on_inputs",
        "--group-by-length=False",
        "--batch_size",
        "16",
        program=sanguo,
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "s" / "recipe.yaml").read_text(encoding="utf-8")
    for line in (
        "train_on_inputs: true",
        "group_by_length: false",
        "lora_r: 8",
        "lora_dropout: 0.05",
        "learning_rate: 0.0003",
    ):
        assert line in text
    again = run(
        f"--base_model={tiny_base}",
        "--data-path",
        rows,
        "--output_dir",
        tmp_path / "s",
        "--num_epochs",
        "1",
        "--val_set_size=20",
        "--train_on_inputs",
        "--batch_size",
        "16",
        "--resume_from_checkpoint",
        program=sanguo,
    )
    assert again.returncode == 0 and "接着训练" in again.stdout, again.stderr
    mingzhu = [sys.executable, str(REPOSITORY / "train_mingzhu.py")]
    done = run(
        "--base_model",
        tiny_base,
        "--train_path",
        rows,
        "--valid_path",
        rows,
        "--output_dir",
        tmp_path / "m",
        "--batch_size",
        "40",
        program=mingzhu,
    )
    assert done.returncode == 0, done.stderr
    done = run("compare", tmp_path / "m")
    assert done.returncode == 0 and (tmp_path / "m" / "compare.html").exists(), done.stderr


def test_seed_booleans_are_spelt_out():
    from custome.cli.seed import SeedChat, SeedSanguo, spell_out_booleans

    assert spell_out_booleans(SeedChat, ["--load_8bit", "--share-gradio=False"]) == [
        "--load_8bit",
        "True",
        "--share_gradio",
        "False",
    ]
    assert spell_out_booleans(SeedChat, ["--load_8bit", "None", "--base_model", "x"]) == [
        "--load_8bit",
        "False",
        "--base_model",
        "x",
    ]
    for words, value in (
        (["--resume_from_checkpoint"], "True"),
        (["--resume-from-checkpoint", "a/step-1"], "a/step-1"),
        (["--resume_from_checkpoint=b"], "b"),
    ):
        assert spell_out_booleans(SeedSanguo, words) == ["--resume_from_checkpoint", value]


@pytest.mark.slow
def test_quickstart_from_a_novel_and_again(tiny_novel: Path, tiny_base: Path, tmp_path: Path):
    words = ("quickstart", tiny_novel, "--base-model", tiny_base, "--steps", "3", "--no-serve")
    first = run(*words, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    for expected in ("语料漏斗", "验证损失", "困惑度", "compare.html"):
        assert expected in first.stdout
    folder = tmp_path / "runs" / "xiaoshuo-3steps"
    made = (folder / "adapter_model.safetensors").stat().st_mtime_ns
    again = run(*words, cwd=tmp_path)
    assert again.returncode == 0 and "已训练好" in again.stdout
    assert (folder / "adapter_model.safetensors").stat().st_mtime_ns == made
    (folder / "recipe.yaml").write_text(
        (folder / "recipe.yaml").read_text(encoding="utf-8").replace("seed: 42", "seed: 1"),
        encoding="utf-8",
    )
    assert_refused(run(*words, cwd=tmp_path), "别的设置")
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / tiny_novel.name
    other.write_text(
        tiny_novel.read_text(encoding="utf-8").replace("张三", "张五"), encoding="utf-8"
    )
    (folder / "recipe.yaml").write_text(
        (folder / "recipe.yaml").read_text(encoding="utf-8").replace("seed: 1", "seed: 42"),
        encoding="utf-8",
    )
    assert_refused(run("quickstart", other, *words[2:], cwd=tmp_path), "另一本书")


@pytest.mark.slow
def test_quickstart_on_a_short_story_without_chapters(tiny_base: Path, tmp_path: Path):
    story = tmp_path / "story.txt"
    story.write_text(
        "张三曰：“今夜可取粮草否？”李四曰：“粮草在西山，明早送来。”\n" * 3 + "王五曰：“去。”\n",
        encoding="utf-8",
    )
    done = run(
        "quickstart", story, "--base-model", tiny_base, "--steps", "2", "--no-serve", cwd=tmp_path
    )
    assert done.returncode == 0 and "compare.html" in done.stdout, done.stderr


# -- corpus ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tiny_novel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "mingzhu"
    done = run("corpus", "build", tiny_novel, "-o", folder)
    assert done.returncode == 0 and "语料漏斗" in done.stdout, done.stderr
    return folder


def test_a_corpus_is_looked_at_by_chapter_and_by_person(built: Path):
    chapter = run("corpus", "inspect", built, "--chapter", 2)
    assert chapter.returncode == 0 and "[张三]“" in chapter.stdout and "[李四]“" in chapter.stdout
    found = run("corpus", "inspect", built, "--speaker", "张三", "--limit", 3)
    assert found.stdout.count("张三 [cue") == 3 and "列出 3 句" in found.stdout
    assert_refused(run("corpus", "inspect", built, "--chapter", 999), "999", "1–60")
    assert_refused(run("corpus", "inspect", built.parent), "corpus.json", "custome corpus build")


def test_two_names_become_one_person_in_place(built: Path, tmp_path: Path):
    import shutil

    folder = tmp_path / "c"
    shutil.copytree(built, folder)
    done = run("corpus", "fix", folder, "--alias", "张三=张三丰")
    assert done.returncode == 0, done.stderr
    assert "张三丰" in (folder / "train.jsonl").read_text(encoding="utf-8")
    assert_refused(run("corpus", "fix", folder, "--alias", "张三"), "别名=人名")
    assert_refused(run("corpus", "fix", folder, "--drop", "无此人"), "无此人")
    assert_refused(run("corpus", "fix", folder, stdin=subprocess.DEVNULL), "aliases", "--no-edit")


@pytest.mark.parametrize("form", ["seed", "dialogue", "alpaca", "sharegpt", "openai"])
def test_data_goes_through_every_format_and_trains(built: Path, tmp_path: Path, form: str):
    from custome.corpus.formats import read_samples

    source = built / "dialogues.jsonl"
    target = tmp_path / "rows.json"
    done = run("corpus", "convert", source, "-o", target, "--to", form)
    assert done.returncode == 0, done.stderr
    before, after = read_samples(source), read_samples(target)
    replies = [[*(e.chat for e in sample.earlier), sample.chat] for sample in before]
    got = [[*(e.chat for e in sample.earlier), sample.chat] for sample in after]
    assert sum(got, []) == sum(replies, []) and (form == "seed" or got == replies)
    assert [sample.speaker for sample in after][-1] == before[-1].speaker
    assert_refused(run("corpus", "convert", source, "-o", source, "--to", form), "换一个文件名")


def test_the_report_is_written(built: Path):
    done = run("corpus", "report", built)
    assert done.returncode == 0 and (built / "report.html").is_file()


def test_an_unknown_book_to_fetch_is_refused():
    assert_refused(run("corpus", "fetch", "jinpingmei"), "jinpingmei", "honglou")
