"""Questions that lean on what was said, and those that only look so."""

from __future__ import annotations

import pytest

from custome.apps.knowledge.following_up import standing_alone

NAMES = ["钱勇", "孙大郎", "孙大", "刘五"]


@pytest.mark.parametrize(
    ("earlier", "question", "alone"),
    [
        (["钱勇是谁？"], "那他后来呢？", "那钱勇后来呢？"),
        (["钱勇和孙大郎是什么关系？"], "他们在哪里结义？", "钱勇和孙大郎在哪里结义？"),
        (["钱勇是谁？"], "其他人怎么看这件事的结局？", "其他人怎么看这件事的结局？"),
        (["钱勇是谁？"], "吉他怎么保养才不会走音？", "吉他怎么保养才不会走音？"),
        (["钱勇是谁？"], "刘五呢？", "刘五呢？"),
        (["手机保修多久？"], "那电池呢？", "手机保修多久，那电池呢？"),
        (["手机保修多久？", "那电池呢？"], "那屏幕呢？", "手机保修多久，那屏幕呢？"),
        (["手机保修多久？"], "再生纸能不能用来打印照片？", "再生纸能不能用来打印照片？"),
        (["手机保修多久？"], "那不勒斯在哪里属于哪个国家？", "那不勒斯在哪里属于哪个国家？"),
        (["手机保修多久？"], "为什么？", "手机保修多久，为什么？"),
        ([], "那他呢？", "那他呢？"),
        (["", "  "], "那呢？", "那呢？"),
    ],
)
def test_alone(earlier: list[str], question: str, alone: str):
    assert standing_alone(question, [(one, "") for one in earlier], NAMES) == alone


def test_the_same_by_page_and_api():
    """Both give the questions as they were asked; 他 is whoever was spoken of last."""
    earlier = [("钱勇是谁？", "孙大郎的师父。"), ("那他在哪里？", "在渡口。")]
    assert standing_alone("他死在哪里？", earlier, NAMES) == "钱勇死在哪里？"
